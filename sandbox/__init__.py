"""The stand-ins: Snowflake, S3 and PostgreSQL (with aws_s3) on this machine, for the demo and the tests."""
