"""The parameters of a run, as the trigger form, the command line and the API give them: names, types, defaults.

Names are typed as a person would: Snowflake's by Snowflake's rule (`dimpayer` and `DIMPAYER` are DIMPAYER, `"My Table"` is
My Table), PostgreSQL's by Snowmelt's (all upper case folds to lower, any other stays, quoted is exact).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from snowmelt.config.fields import RunId, written_snowflake_name, written_target_name
from snowmelt.config.sections import FileSettings
from snowmelt.config.settings import Section, make_model, parts_of, setting, setting_of
from snowmelt.config.table import CopySettings, Names, Policies, TableConfig

if TYPE_CHECKING:
    from snowmelt.config.file import Config


class EarlierRun(Section):
    """What only a run can be given, and not the file."""

    run_id: RunId | None = setting(
        None,
        "The id of the run whose files mode **load** takes. Needed there, empty in any other. The tab Migration of that run "
        "shows it.",
        form=("How", "Earlier run"),
    )


_PARTS = (Names, CopySettings, FileSettings, Policies, EarlierRun)
#: What the form asks for: settings with a place in it.
NAMES = tuple(
    name for part in _PARTS for name, field in part.model_fields.items() if setting_of(field).section
)
#: Policies of a table, which a run may set otherwise.
POLICIES = tuple(name for name in Policies.model_fields if name in NAMES)
#: What migrate_table cannot know by itself.
REQUIRED = ("source_database", "source_schema", "source_table")

#: The parameters of `migrate_table`, read.
RequestParameters = make_model("RequestParameters", *_PARTS, fields=NAMES, optional={"target_table"})
#: Parameters that a person may clear: null then means none. For any other, null means the default.
CLEARABLE = frozenset(
    name
    for name, field in RequestParameters.model_fields.items()
    if {type(None), tuple} & set(parts_of(field)) or field.default == ()
)


def default_parameters(config: Config | None, table: TableConfig | None) -> dict[str, Any]:
    """The default of each parameter, as a person would type it.

    :param config: None: the file cannot be used; the product's own defaults are taken.
    :param table: the table of the DAG; None for `migrate_table`, whose `REQUIRED` are then missing.
    """
    declared = RequestParameters.model_fields
    defaults = {name: declared[name].default for name in NAMES if not declared[name].is_required()}
    if config is not None:
        defaults |= config.s3_staging.model_dump(include=set(FileSettings.model_fields) & set(NAMES))
    if table is not None:
        defaults |= table.model_dump(include=set(NAMES)) | table.policies.model_dump(include=set(POLICIES))
        for name in REQUIRED:
            defaults[name] = written_snowflake_name(defaults[name])
        for name in ("target_schema", "target_table"):
            defaults[name] = written_target_name(defaults[name])
    return {name: to_jsonable_python(defaults[name]) for name in NAMES if name in defaults}


def fill_parameters(parameters: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with everything that was not given, or was left blank, at its default.

    A form gives null for a cleared field and may give blank lines in a list: both are nothing.
    """
    filled = dict(defaults)
    for name, value in parameters.items():
        cleaned = _clean(value)
        if cleaned is not None or name not in NAMES or name in CLEARABLE:
            filled[name] = cleaned
    return filled


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, (list, tuple)):
        return [
            item for item in value if item is not None and not (isinstance(item, str) and not item.strip())
        ]
    return value
