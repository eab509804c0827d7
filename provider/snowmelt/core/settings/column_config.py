"""A table's `columns`: which are copied, under what name and type, and what stands in for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from snowmelt.core.settings.fields import column_name, refuse, target_name
from snowmelt.core.settings.readings import Section
from snowmelt.core.settings.sql_text import find_text_faults
from snowmelt.errors import SchemaError

if TYPE_CHECKING:
    from snowmelt.core.columns.plan import ColumnRules


def _postgres_type(value: Any) -> str:
    from snowmelt.core.columns.types import parse_postgres_type

    expected = "a type of PostgreSQL, such as numeric(18,2)"
    if not isinstance(value, str):
        raise refuse(expected)
    try:
        return str(parse_postgres_type(value))
    except SchemaError as error:
        raise refuse(expected, str(error)) from None


def _snowflake_type(value: Any) -> str:
    from snowmelt.core.columns.types import parse_snowflake_type

    expected = "the Snowflake type of the expression's result, such as VARCHAR(64)"
    if not isinstance(value, str):
        raise refuse(expected)
    try:
        return str(parse_snowflake_type(value))
    except SchemaError as error:
        raise refuse(expected, str(error)) from None


def _expression(value: Any) -> str:
    expected = 'one Snowflake expression, such as SHA2("Name")'
    if not isinstance(value, str) or not value.strip():
        raise refuse(expected)
    faults = find_text_faults(value.strip())
    if faults:
        raise refuse(expected, f"It holds {faults[0]}")
    return value.strip()


def _unlike(value: Any) -> Any:
    if value is None:
        return ()
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        seen = [item.strip() for item in value]
        twice = next((item for place, item in enumerate(seen) if item in seen[:place]), None)
        if twice is not None:
            raise refuse("each column once", f'"{twice}" is there more than once.')
    return value


ColumnField = Annotated[str, BeforeValidator(column_name)]
OptionalColumnField = Annotated[
    str | None, BeforeValidator(lambda value: None if value is None else column_name(value))
]
ColumnsField = Annotated[tuple[ColumnField, ...], BeforeValidator(_unlike)]


class Mask(Section):
    """What is copied in place of a column."""

    #: A Snowflake expression over columns of the same table.
    expression: Annotated[str, BeforeValidator(_expression)] = Field(description="one Snowflake expression")
    #: The Snowflake type of its result.
    type: Annotated[str, BeforeValidator(_snowflake_type)] = Field(
        description="the Snowflake type of the result"
    )


class ColumnsConfig(Section):
    """The rules for a table's columns. Source columns are named to the letter, or as Snowflake reads them."""

    #: Only these are copied; all where empty.
    include: ColumnsField = ()
    exclude: ColumnsField = ()
    #: Source column → target column, to the letter.
    rename: dict[ColumnField, Annotated[str, BeforeValidator(target_name)]] = Field(default_factory=dict)
    #: Source column → PostgreSQL type.
    type: dict[ColumnField, Annotated[str, BeforeValidator(_postgres_type)]] = Field(default_factory=dict)
    mask: dict[ColumnField, Mask] = Field(default_factory=dict)
    #: TIMESTAMP_TZ columns whose offset goes into a second column, `<target>_offset`, in minutes.
    keep_offset: ColumnsField = ()
    #: Columns of an existing target that no source column fills.
    target_only: Annotated[
        tuple[Annotated[str, BeforeValidator(target_name)], ...], BeforeValidator(_unlike)
    ] = ()

    def rules(self) -> ColumnRules:
        """The rules as the planning of columns takes them."""
        from snowmelt.core.columns.masks import MaskRule
        from snowmelt.core.columns.plan import ColumnRules

        return ColumnRules(
            include=self.include,
            exclude=self.exclude,
            rename=dict(self.rename),
            type=dict(self.type),
            mask={name: MaskRule(mask.expression, mask.type) for name, mask in self.mask.items()},
            keep_offset=self.keep_offset,
            target_only=self.target_only,
        )
