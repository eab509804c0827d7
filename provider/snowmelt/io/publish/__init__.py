"""Build the staging table, its indexes, and publish it."""
