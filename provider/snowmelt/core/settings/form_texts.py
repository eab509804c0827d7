"""What a person reads in the trigger form."""

from __future__ import annotations

#: Section → its parameters, in the order of the form.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Source": ("source_database", "source_schema", "source_table"),
    "Target": ("target_schema", "target_table"),
    "How": (
        "mode",
        "source_filter",
        "uniqueness_columns",
        "watermark_column",
        "publish",
        "reconcile_deletes",
        "verify",
        "row_limit",
        "run_id",
    ),
    "Tuning": (
        "chunking_column",
        "chunk_rows",
        "file_format",
        "load_method",
        "max_file_size_mb",
        "cleanup_after_load",
        "narrow_numbers",
    ),
}

TITLES: dict[str, str] = {
    "source_database": "Database in Snowflake",
    "source_schema": "Schema in Snowflake",
    "source_table": "Table in Snowflake",
    "target_schema": "Schema in PostgreSQL",
    "target_table": "Table in PostgreSQL",
    "mode": "What to do",
    "source_filter": "Only rows where",
    "chunking_column": "Cut into chunks by",
    "chunk_rows": "Rows in a chunk",
    "uniqueness_columns": "Columns that tell rows apart",
    "watermark_column": "Column that grows with every change",
    "publish": "How to publish",
    "reconcile_deletes": "Remove what the source no longer has",
    "verify": "What has to agree",
    "row_limit": "Rows to try",
    "file_format": "Staged files",
    "load_method": "How to load",
    "max_file_size_mb": "Largest file, in MB",
    "cleanup_after_load": "Remove staged files",
    "narrow_numbers": "Smallest types for whole numbers",
    "run_id": "Earlier run",
}

_NAME = 'As you would write it in Snowflake: `ANALYTICS` and `analytics` are the same; `"My Name"` in quotes is exact.'

DESCRIPTIONS: dict[str, str] = {
    "source_database": _NAME,
    "source_schema": "Written as the database is.",
    "source_table": "Written as the database is.",
    "target_schema": "The schema has to exist.",
    "target_table": (
        "Empty: the source's name, in lower case where it is all upper case. "
        'All upper case folds to lower here too; `"DIMPAYER"` is exact. A missing table is created.'
    ),
    "mode": (
        "**full** replaces the table in one step. **catch_up** merges what is new since the last published watermark. "
        "**unload** writes the files only. **load** takes the files of an earlier run. "
        "**test** sends a few rows through every step and leaves the target alone."
    ),
    "source_filter": (
        "One Snowflake condition, without the word WHERE: `LAST_MODIFIED >= '2024-01-01'`. Empty: every row."
    ),
    "chunking_column": (
        "A number, date, time or text column, best the one that the table is loaded or clustered by. "
        "Empty: one chunk."
    ),
    "chunk_rows": "About so many rows in each unload; looked at only with a column to cut by.",
    "uniqueness_columns": "One column on each line. Needed for **catch_up**, which merges by them.",
    "watermark_column": "A date, time or number column. Needed for **catch_up**, which copies what is beyond its last value.",
    "publish": (
        "Looked at in modes **full** and **load**. **swap** puts a new table in place of the old one in one step; "
        "**truncate** replaces all rows of the old one, which keeps its views and triggers and grows meanwhile; **append** adds to it."
    ),
    "reconcile_deletes": (
        "Looked at in mode **catch_up**: the keys of all rows are unloaded too, and rows of the target whose key is not "
        "among them are removed. A run that would remove more than the table's `max_delete_percent` stops."
    ),
    "verify": (
        "**fingerprint** compares every value of every row by hashes that both databases compute; **counts** compares "
        "numbers of rows alone."
    ),
    "row_limit": "Needed for mode **test**; empty in any other.",
    "file_format": "**parquet** keeps types and is small; **csv** can be loaded by the database itself (aws_s3).",
    "load_method": (
        "**auto** takes the best that works. **copy** streams the files through Airflow; "
        "**aws_s3** lets the database fetch them (CSV on RDS or Aurora)."
    ),
    "max_file_size_mb": "An upper bound for Snowflake; one MB is 1,048,576 bytes.",
    "cleanup_after_load": "Once the run is published and verified.",
    "narrow_numbers": (
        "For a table that is created: NUMBER(p,0) columns become smallint, integer or bigint where all their values fit. "
        "Not in mode **load**."
    ),
    "run_id": "Needed for mode **load**, empty in any other: the run whose files are loaded. The tab Migration of that run shows its id.",
}

#: Words of a parameter → what the form shows for each.
CHOICES: dict[str, dict[str, str]] = {
    "mode": {
        "full": "full: everything, published at once",
        "catch_up": "catch_up: what is new, merged",
        "unload": "unload: files only",
        "load": "load: the files of an earlier run",
        "test": "test: a few rows, nothing published",
    },
    "publish": {
        "swap": "swap: a new table in place of the old",
        "truncate": "truncate: all rows of the old table replaced",
        "append": "append: add to the table",
    },
    "verify": {
        "fingerprint": "fingerprint: every value, by hashes",
        "counts": "counts: numbers of rows alone",
    },
    "file_format": {"parquet": "Parquet", "csv": "CSV"},
    "load_method": {
        "auto": "auto: the best that works",
        "copy": "copy: streamed through Airflow",
        "aws_s3": "aws_s3: fetched by the database (CSV)",
    },
}
