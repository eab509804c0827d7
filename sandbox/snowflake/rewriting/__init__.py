"""Snowflake's SQL made DuckDB's: names and types bound, functions and casts rewritten."""
