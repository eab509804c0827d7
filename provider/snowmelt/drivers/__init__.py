"""Snowflake's and PostgreSQL's drivers, and the one translation of the errors of each."""
