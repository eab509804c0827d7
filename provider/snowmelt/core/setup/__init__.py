"""What an administrator runs once in Snowflake, AWS and PostgreSQL, made from the configuration. Texts only."""
