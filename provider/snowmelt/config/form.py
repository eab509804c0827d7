"""The parameters of a run, as the trigger form, the command line and the API give them: name, type, default, JSON schema, help.

Names are typed as a person would: Snowflake's by Snowflake's rule (`dimpayer` and `DIMPAYER` are DIMPAYER, `"My Table"` is
My Table), PostgreSQL's by Snowmelt's (all upper case folds to lower, any other stays, quoted is exact).

The DAG factory makes an Airflow Param of each field: `Param(**field.param())`. What Airflow 3.3 makes of them (read
in its SDK and its form, and tried): a parameter without a default has to be given, in the form, by the API and by
`dags test --conf`; the form marks as required whatever may not be null; a DAG with a schedule is refused unless each
default is valid. So `migrate_table` leaves out the defaults of the source alone, and a table's DAG none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from snowmelt.config.fields import RunId, written_snowflake_name, written_target_name
from snowmelt.config.policies import Policies
from snowmelt.config.sections import FileSettings
from snowmelt.config.settings import Section, Written, find_part, make_model, parts_of, setting, setting_of
from snowmelt.config.table import CopySettings, Names, TableConfig

if TYPE_CHECKING:
    from snowmelt.config.file import Config
    from snowmelt.config.table import TableConfig


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


#: In the order of the form; within each, settings come as they are declared.
SECTIONS = ("Source", "Target", "How", "Tuning")
_DRAFT_7 = "http://json-schema.org/draft-07/schema#"


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
        name: FormField(schema | proposals.get(name, {}), name not in defaults, defaults.get(name))
        for name, schema in _schemas().items()
    }


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    properties = RequestParameters.model_json_schema()["properties"]
    schemas = {name: _build_schema(name, properties[name]) for name in NAMES}
    return dict(sorted(schemas.items(), key=lambda item: SECTIONS.index(item[1]["section"])))


def _build_schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """What pydantic says about a parameter, in the shape that Airflow's form takes."""
    schema = {key: value for key, value in schema.items() if key not in {"default", "anyOf"}} | next(
        iter(schema.get("anyOf", ())), {}
    )
    field = RequestParameters.model_fields[name]
    written = find_part(field, Written)
    if written:
        schema |= (
            written.schema
        )  # pydantic sorts the keys, and the words come in the order of their declaration
    if name in CLEARABLE:  # a cleared field arrives as null, and from other clients as an empty text
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"], "null"]
        schema = {key: value for key, value in schema.items() if key != "minLength"} | {"type": types}
        if "pattern" in schema:
            schema["pattern"] += r"|^\s*$"
    if written and written.vocabulary and (old_words := written.vocabulary.old_words()):
        # The form offers `enum`. Draft 7 of JSON schema ignores it beside a `$ref`, by which the old words are valid, too.
        words = {"enum": [*schema["enum"], *old_words]}
        schema |= {"$schema": _DRAFT_7, "$ref": "#/definitions/words", "definitions": {"words": words}}
    setting_of(field)(schema)
    return schema


def _propose(config: Config) -> dict[str, dict[str, Any]]:
    """Names that the file knows, which the form proposes and does not insist on."""
    named = {
        "source_database": [written_snowflake_name(table.source_database) for table in config.tables],
        "source_schema": [written_snowflake_name(table.source_schema) for table in config.tables],
        "source_table": [written_snowflake_name(table.source_table) for table in config.tables],
        "target_schema": [written_target_name(table.target_schema) for table in config.tables],
    }
    return {name: {"examples": list(dict.fromkeys(values))} for name, values in named.items() if values}
