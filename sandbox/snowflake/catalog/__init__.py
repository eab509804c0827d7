"""What exists and is kept: databases, tables and their past, sessions, queries, results."""
