"""The doctor's tasks and checks by name. A test holds docs/doctor.md to this list."""

from __future__ import annotations

#: Task → its checks, and what each asks.
CHECKS: dict[str, dict[str, str]] = {
    "snowflake": {
        "Snowflake session": "does the connection open a session, with a role and a warehouse",
    },
    "aws": {
        "S3 session": "has the connection credentials, and is a temporary key complete",
        "S3 region": "is the bucket in the connection's region",
        "S3 list": "may the connection list the bucket",
        "S3 get": "may the connection read objects",
        "S3 clean-up": "may the clean-up connection, where there is one, delete objects",
    },
    "postgres": {
        "PostgreSQL session": "does the connection open a session that can write, version 15 or later, UTF-8",
        "Ledger": "may the role create the schema snowmelt, or read and write the tables in it",
        "aws_s3": "may the role use the extension, where the configuration relies on it",
    },
    "stage": {
        "Stage": "is the stage there, external, and on the configured bucket",
        "Integration": "is the storage integration enabled, is the bucket allowed, may its IAM role read, write, list, delete",
    },
    "unload": {
        "Unload": "does Snowflake write one row and a manifest",
        "Staged files": "does Python read them at the sizes that Snowflake returned",
        "Removal": "does Snowflake's REMOVE remove them again",
    },
    "table": {
        "Source": "may the role read the table, and has every column a place in the target",
        "Time travel": "is the table's retention at least a day, so that all chunks read one snapshot",
        "Masking": "does a masking policy stand on a column that is copied",
        "Target": "may the PostgreSQL role make, fill and replace the table",
    },
    "clocks": {
        "Clocks": "do worker, Snowflake and PostgreSQL agree on the time",
    },
    "assumptions": {
        "Assumption": "does the account behave as the copy relies on: see docs/live-account.md",
    },
    "leftovers": {
        "Staging tables": "do tables of dead runs stand in the target database",
        "Indexes": "is every index there again that a publish dropped (defer_indexes)",
        "Sessions": "do transactions of Snowmelt sit idle or prepared in PostgreSQL",
        "Queries": "do queries of Snowmelt run in Snowflake for longer than a day",
        "Test files": "do files of an earlier doctor stand in the bucket",
    },
}

#: Hours without a sign of life after which what a run left is a leftover.
DEAD_AFTER_HOURS = 24
#: Seconds that two clocks may differ by. AWS refuses requests that are 15 minutes off; freshness is shown in minutes.
MOST_CLOCK_SECONDS = 60.0
#: PostgreSQL's oldest version that is tried.
LEAST_POSTGRES = 150000
