"""The values of column planning: a column of the source, of the target, the rules of the configuration, the plan, and its DDL.

A mask is an expression that is copied in place of a column, such as `SHA2("Name")`, checked to be one scalar expression. It comes from
the configuration and is put into the unload's SELECT list in parentheses and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from snowmelt.sql.names import near_misses, postgres_identifier, postgres_literal, snowflake_identifier
from snowmelt.sql.text import find_text_faults
from snowmelt.types.type_names import PostgresType, SnowflakeType, parse_postgres_type
from snowmelt.types.type_table import Form

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True, slots=True)
class MaskRule:
    """What is copied in place of a column."""

    #: A Snowflake expression over columns of the same table.
    expression: str
    #: The Snowflake type of its result, such as VARCHAR(64).
    type: str


@dataclass(frozen=True, slots=True)
class TagRule:
    """A column of the target that has one text in every row of the copy."""

    #: To the letter.
    column: str
    value: str


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column of the Snowflake table, from DESCRIBE TABLE and SHOW PRIMARY KEYS."""

    name: str
    #: Made by `describe_snowflake_type`, so that a type without a way is named together with the other faults.
    type: SnowflakeType
    nullable: bool = True
    #: Position in the primary key, from 1.
    primary_key: int | None = None
    comment: str | None = None
    #: The masking policy that DESCRIBE TABLE shows on it.
    masked_by: str | None = None


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """A column of the existing PostgreSQL table, from pg_attribute."""

    name: str
    type: PostgresType
    not_null: bool = False
    #: True for a column with a default, and for one with an identity.
    has_default: bool = False
    #: GENERATED ALWAYS AS (an expression).
    generated: bool = False
    #: GENERATED ALWAYS AS IDENTITY (attidentity = 'a'); one BY DEFAULT takes values and is not marked.
    identity_always: bool = False


@dataclass(frozen=True, slots=True)
class ColumnRules:
    """What the configuration says about columns. Names are the source's: to the letter, or as Snowflake reads them."""

    #: Only these are copied; all where empty.
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    #: Source name → target name, to the letter.
    rename: Mapping[str, str] = field(default_factory=dict)
    #: Source name → PostgreSQL type.
    type: Mapping[str, str] = field(default_factory=dict)
    #: Source name → the expression that is copied in its place; a number or time is cast to the mask's type.
    mask: Mapping[str, MaskRule] = field(default_factory=dict)
    #: TIMESTAMP_TZ columns whose offset goes into a column of its own, `<target>_offset`, smallint, in minutes.
    keep_offset: tuple[str, ...] = ()
    #: Columns of an existing target, to the letter, that no source column fills: rows get their default there, or NULL.
    target_only: tuple[str, ...] = ()
    source_tag: TagRule | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a plan."""

    #: The column's name in the source, and in the staged file.
    source: str
    #: The Snowflake type as text; a masked column's is that of its expression.
    source_type: str
    form: Form
    #: The Snowflake expression of the value itself: the quoted column, or the mask in its place.
    value: str
    #: What the unload selects, without an alias: the value in its exact staged form.
    select: str
    target: str
    #: The PostgreSQL type as format_type prints it.
    target_type: str
    #: Whether the target column takes NULL.
    nullable: bool
    #: Position in the source's primary key, from 1; None for all when the key is not copied whole.
    primary_key: int | None
    comment: str | None
    #: Whether each value has to be checked while loading, because not all need fit.
    checked: bool
    #: CSV: `select` marks a text of more characters than these, so that COPY refuses it; None where nothing is marked.
    text_limit: int | None = None

    @property
    def derived(self) -> bool:
        """Whether an expression is copied instead of a column of the source: a mask, an offset."""
        return self.value != snowflake_identifier(self.source)

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, values: Any) -> Any:
        """Without a `value`, as manifests were once, it is the source's column itself."""
        if isinstance(values, dict) and "value" not in values and isinstance(values.get("source"), str):
            return {**values, "value": snowflake_identifier(values["source"])}
        return values


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What to copy, and what has to happen beforehand."""

    columns: tuple[Column, ...]
    #: Those of `columns` that an existing target does not have and gets (schema_drift=add_columns).
    added_to_target: tuple[Column, ...] = ()
    #: Those of `columns` that an existing target has in a narrower type, and gets in theirs (schema_drift=widen_columns).
    widened: tuple[Column, ...] = ()
    #: Source column → Snowflake predicate, true for a value with digits beyond the microsecond.
    nanoseconds: Mapping[str, str] = field(default_factory=dict)


#: Functions that read or change something other than the row.
_FORBIDDEN_BEGINNINGS = (
    "BUILD_",
    "GET_PRESIGNED",
    "GET_STAGE",
    "GET_ABSOLUTE",
    "RESULT_SCAN",
    "TO_QUERY",
)


#: Types whose digits a mask may exceed unseen in CSV. Not VARCHAR (a cast cuts off) and not FLOAT (a cast may give 32 bits).
_CAST = frozenset({"NUMBER", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ"})


def mask_expression(mask: MaskRule, kind: SnowflakeType) -> str:
    """The expression of a masked value, with no more digits than its type says.

    :param kind: the mask's type.
    """
    return f"CAST({mask.expression} AS {kind})" if kind.name in _CAST else f"({mask.expression})"


def find_mask_faults(expression: str, columns: Collection[str]) -> list[str]:
    """What is wrong with an expression; nothing when it is one scalar expression over columns of the table.

    :param columns: the table's columns, to the letter.
    """
    from sqlglot import exp

    from snowmelt.sql.text import UnreadableError, read_between

    # Two readings have to agree. Snowflake's lexical rules come first (comments, stages, variables, dollar quotes, hidden
    # characters, depth): what they refuse can make the parser stumble.
    if faults := find_text_faults(expression):
        held = "; ".join(str(fault) for fault in faults)
        return [
            f'it holds {held}. Write one expression over the row, such as SHA2("Name"), or copy from a view'
        ]
    try:
        selected = _only_projection(read_between("SELECT (", expression, "\n)"))
        alone = _only_projection(read_between("SELECT ", expression, "\n"))
        if alone is None or not isinstance(selected, exp.Paren):
            return ["it is not exactly one expression"]
        return _find_tree_faults(selected, columns)
    except UnreadableError as error:
        return [str(error)]
    except RecursionError:
        return ["it is nested too deeply to be read"]


def _only_projection(trees: list[exp.Expr | None]) -> exp.Expr | None:
    from sqlglot import exp

    if len(trees) != 1 or not isinstance(trees[0], exp.Select):
        return None
    select = trees[0]
    parts = {key for key, value in select.args.items() if value}
    if (
        parts != {"expressions"}
        or len(select.expressions) != 1
        or isinstance(select.expressions[0], exp.Alias)
    ):
        return None
    return select.expressions[0]  # type: ignore[no-any-return]


def _find_tree_faults(selected: exp.Expr, columns: Collection[str]) -> list[str]:
    from sqlglot import exp

    faults = []
    if selected.find(exp.Query, exp.Subquery, exp.DML, exp.DDL, exp.Command):
        faults.append("it holds a query; use a view instead")
    if selected.find(exp.AggFunc, exp.Window, exp.Star, exp.Placeholder, exp.Parameter, exp.SessionParameter):
        faults.append("it must give one value for one row: no aggregates, windows, * or variables")
    faults.extend(
        f"the function {function.name} is not allowed"
        for function in selected.find_all(exp.Anonymous)
        if str(function.name).upper().startswith(_FORBIDDEN_BEGINNINGS)
    )
    for column in selected.find_all(exp.Column):
        name = column.name if column.this.args.get("quoted") else column.name.upper()
        if column.table:
            faults.append(f"{column.sql(dialect='snowflake')} names a table; name the column alone")
        elif name not in columns:
            faults.append(f'the table has no column "{name}".{near_misses(name, columns)}')
    return faults


def build_create_table(
    schema: str,
    table: str,
    columns: Sequence[Column],
    *,
    unlogged: bool = False,
    primary_key: bool = True,
    not_null: bool = True,
    comments: bool = True,
    if_not_exists: bool = False,
) -> list[str]:
    """CREATE TABLE, and a COMMENT ON COLUMN for each comment of the source.

    :param unlogged: for a staging table: not written to the WAL, lost in a crash.
    :param primary_key: whether the source's primary key, where it has one and all of it is copied, is made.
    :param not_null: whether the columns that take no NULL are made so.
    """
    lines = [f"    {_definition(column, not_null=not_null)}" for column in columns]
    key = sorted((column.primary_key, column.target) for column in columns if column.primary_key is not None)
    if primary_key and key:
        lines.append(f"    PRIMARY KEY ({', '.join(postgres_identifier(name) for _, name in key)})")
    words = f"CREATE {'UNLOGGED ' if unlogged else ''}TABLE {'IF NOT EXISTS ' if if_not_exists else ''}"
    create = f"{words}{postgres_identifier(schema, table)} (\n" + ",\n".join(lines) + "\n)"
    return [create, *(_comments(schema, table, columns) if comments else ())]


def build_add_columns(schema: str, table: str, columns: Sequence[Column]) -> list[str]:
    """ALTER TABLE that adds the columns, all of them nullable (the rows that are there have no value), and their comments.

    A column that another run has added meanwhile is left as it is. Nothing to add: no statement.
    """
    if not columns:
        return []
    lines = ",\n".join(
        f"    ADD COLUMN IF NOT EXISTS {_definition(column, not_null=False)}" for column in columns
    )
    return [f"ALTER TABLE {postgres_identifier(schema, table)}\n{lines}", *_comments(schema, table, columns)]


def build_widen_columns(schema: str, table: str, columns: Sequence[Column]) -> list[str]:
    """ALTER TABLE that gives existing columns their wider types. Nothing to widen: no statement."""
    lines = ",\n".join(
        f"    ALTER COLUMN {postgres_identifier(column.target)} TYPE {parse_postgres_type(column.target_type)}"
        for column in columns
    )
    return [f"ALTER TABLE {postgres_identifier(schema, table)}\n{lines}"] if columns else []


def _definition(column: Column, *, not_null: bool) -> str:
    kind = parse_postgres_type(column.target_type)
    return f"{postgres_identifier(column.target)} {kind}{' NOT NULL' if not_null and not column.nullable else ''}"


def _comments(schema: str, table: str, columns: Sequence[Column]) -> list[str]:
    return [
        f"COMMENT ON COLUMN {postgres_identifier(schema, table, column.target)} IS {postgres_literal(column.comment)}"
        for column in columns
        if column.comment
    ]
