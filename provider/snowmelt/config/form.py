"""What a person reads in the trigger form.

The trigger form: every parameter of a run with its default, its JSON schema and the words beside it.

Plain values; the DAG factory makes an Airflow Param of each: `Param(**field.param())`. What Airflow 3.3 makes of them (read
in its SDK and its form, and tried): a parameter without a default has to be given, in the form, by the API and by
`dags test --conf`; the form marks as required whatever may not be null; a DAG with a schedule is refused unless each
default is valid. So `migrate_table` leaves out the defaults of the source alone, and a table's DAG none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snowmelt.config.fields import MOST_FILE_MB, RUN_ID_PATTERN, written_snowflake_name, written_target_name
from snowmelt.config.parameters import default_parameters
from snowmelt.config.table import MOST_ROWS

if TYPE_CHECKING:
    from snowmelt.config.file import Config
    from snowmelt.config.table import TableConfig

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


#: Something that can be seen, and no NUL. (A Param's pattern is searched for, not matched from the start.)
_TEXT = {"minLength": 1, "pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}
_NAME_form = {"type": "string", **_TEXT, "maxLength": 520}
#: A cleared field arrives as null, and from other clients as an empty text.
_OPTIONAL_NAME = {"type": ["string", "null"], "pattern": r"^[^\x00]*$", "maxLength": 520}
_FLAG = {"type": "boolean"}

_SCHEMAS: dict[str, Mapping[str, Any]] = {
    "source_database": _NAME_form,
    "source_schema": _NAME_form,
    "source_table": _NAME_form,
    "target_schema": _NAME_form,
    "target_table": _OPTIONAL_NAME,
    "mode": {"type": "string"},
    "source_filter": {"type": ["string", "null"], "format": "multiline", "maxLength": 20_000},
    "chunking_column": _OPTIONAL_NAME,
    "chunk_rows": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS},
    "uniqueness_columns": {"type": ["array", "null"], "items": {"type": "string", "maxLength": 520}},
    "watermark_column": _OPTIONAL_NAME,
    "publish": {"type": "string"},
    "row_limit": {"type": ["integer", "null"], "minimum": 0, "maximum": MOST_ROWS},
    "file_format": {"type": "string"},
    "load_method": {"type": "string"},
    "max_file_size_mb": {"type": "integer", "minimum": 1, "maximum": MOST_FILE_MB},
    "cleanup_after_load": _FLAG,
    "reconcile_deletes": _FLAG,
    "verify": {"type": "string"},
    "narrow_numbers": _FLAG,
    "run_id": {"type": ["string", "null"], "pattern": f"{RUN_ID_PATTERN}|^$", "maxLength": 250},
}


@dataclass(frozen=True, slots=True)
class FormField:
    """One parameter of the form."""

    #: JSON schema, with what Airflow's form reads besides: title, section, description_md, values_display, examples.
    schema: Mapping[str, Any]
    #: Whether a person has to give it; then there is no default.
    required: bool
    default: Any

    def param(self) -> dict[str, Any]:
        """Keyword arguments of Airflow's Param. Its `description` stays out, or the form would not show the Markdown."""
        return dict(self.schema) if self.required else {"default": self.default, **self.schema}


def build_form(config: Config | None, table: TableConfig | None) -> dict[str, FormField]:
    """The form of a DAG, in the order in which it is shown.

    :param config: None when the file cannot be used: the form then has the product's own defaults.
    :param table: the table of the DAG, whose configuration fills the form; None for `migrate_table`, where the source
        has to be typed.
    """
    defaults = default_parameters(config, table)
    proposals = _propose(config) if config is not None and table is None else {}
    return {
        name: FormField(
            schema={
                **_SCHEMAS[name],
                **_choices(name),
                **proposals.get(name, {}),
                "title": TITLES[name],
                "section": section,
                "description_md": DESCRIPTIONS[name],
            },
            required=name not in defaults,
            default=defaults.get(name),
        )
        for section, names in SECTIONS.items()
        for name in names
    }


def _choices(name: str) -> dict[str, Any]:
    choices = CHOICES.get(name)
    return {"enum": list(choices), "values_display": dict(choices)} if choices else {}


def _propose(config: Config) -> dict[str, dict[str, Any]]:
    """Names that the file knows, which the form proposes and does not insist on."""
    named = {
        "source_database": [written_snowflake_name(table.source_database) for table in config.tables],
        "source_schema": [written_snowflake_name(table.source_schema) for table in config.tables],
        "source_table": [written_snowflake_name(table.source_table) for table in config.tables],
        "target_schema": [written_target_name(table.target_schema) for table in config.tables],
    }
    return {name: {"examples": list(dict.fromkeys(values))} for name, values in named.items() if values}
