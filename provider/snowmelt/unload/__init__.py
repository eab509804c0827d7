"""From a table of Snowflake to staged files, and what was written."""
