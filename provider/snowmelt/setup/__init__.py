"""What has to be run once in Snowflake, AWS and PostgreSQL."""
