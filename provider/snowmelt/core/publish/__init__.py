"""From the staging table to the target: DDL, indexes, and the one transaction that publishes."""
