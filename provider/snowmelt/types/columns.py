"""The values of column planning: a column of the source, of the target, the rules of the configuration, and the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import model_validator

from snowmelt.sql.names import snowflake_identifier
from snowmelt.types.type_names import PostgresType, SnowflakeType
from snowmelt.types.type_table import Form


@dataclass(frozen=True, slots=True)
class MaskRule:
    """What is copied in place of a column."""

    #: A Snowflake expression over columns of the same table.
    expression: str
    #: The Snowflake type of its result, such as VARCHAR(64).
    type: str


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
    #: Source column → Snowflake predicate, true for a value with digits beyond the microsecond.
    nanoseconds: Mapping[str, str] = field(default_factory=dict)
