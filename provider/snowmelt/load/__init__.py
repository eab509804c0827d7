"""From one staged file to rows in a table of PostgreSQL."""
