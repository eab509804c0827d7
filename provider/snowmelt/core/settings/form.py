"""The trigger form: every parameter of a run with its default, its JSON schema and the words beside it.

Plain values; the DAG factory makes an Airflow Param of each: `Param(**field.param())`. What Airflow 3.3 makes of them (read
in its SDK and its form, and tried): a parameter without a default has to be given, in the form, by the API and by
`dags test --conf`; the form marks as required whatever may not be null; a DAG with a schedule is refused unless each
default is valid. So `migrate_table` leaves out the defaults of the source alone, and a table's DAG none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snowmelt.core.settings.fields import (
    MOST_FILE_MB,
    RUN_ID_PATTERN,
    written_snowflake_name,
    written_target_name,
)
from snowmelt.core.settings.form_texts import CHOICES, DESCRIPTIONS, SECTIONS, TITLES
from snowmelt.core.settings.request_parameters import default_parameters
from snowmelt.core.settings.table_config import MOST_ROWS

if TYPE_CHECKING:
    from snowmelt.core.settings.config import Config
    from snowmelt.core.settings.table_config import TableConfig

#: Something that can be seen, and no NUL. (A Param's pattern is searched for, not matched from the start.)
_TEXT = {"minLength": 1, "pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}
_NAME = {"type": "string", **_TEXT, "maxLength": 520}
#: A cleared field arrives as null, and from other clients as an empty text.
_OPTIONAL_NAME = {"type": ["string", "null"], "pattern": r"^[^\x00]*$", "maxLength": 520}
_FLAG = {"type": "boolean"}

_SCHEMAS: dict[str, Mapping[str, Any]] = {
    "source_database": _NAME,
    "source_schema": _NAME,
    "source_table": _NAME,
    "target_schema": _NAME,
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
