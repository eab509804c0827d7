"""S3, Snowflake and PostgreSQL. Hooks and connections are passed in."""
