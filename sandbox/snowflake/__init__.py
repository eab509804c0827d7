"""A stand-in for Snowflake: the vendor's HTTP protocol in front of DuckDB, unloading to S3."""
