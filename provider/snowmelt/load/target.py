"""What a file is loaded into: a table, and for each of its columns the column of the file that fills it."""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.sql.names import postgres_identifier
from snowmelt.types.columns import Column
from snowmelt.types.type_names import PostgresType, parse_postgres_type
from snowmelt.types.type_table import Form


@dataclass(frozen=True, slots=True)
class LoadColumn:
    """One column on its way from a staged file into a table."""

    #: Its name in the file (Parquet, or the CSV header), to the letter.
    file_name: str
    #: How its values are written in the file.
    form: Form
    #: Its name in the table, to the letter, and its type there.
    target: str
    target_type: PostgresType
    #: False where the table says NOT NULL.
    nullable: bool = True
    #: CSV: a text of more characters than these ends with a mark that is not its own; None: no text does.
    text_limit: int | None = None

    @classmethod
    def of(cls, column: Column) -> LoadColumn:
        """The planned column on its way into the table."""
        return cls(
            column.source,
            column.form,
            column.target,
            parse_postgres_type(column.target_type),
            column.nullable,
            column.text_limit,
        )


@dataclass(frozen=True, slots=True)
class LoadTarget:
    """The table that a file is copied into: the staging table of a run, or any table of a single operator."""

    schema: str
    table: str
    #: In the order of the COPY; every column of the file is here once.
    columns: tuple[LoadColumn, ...]

    @property
    def name(self) -> str:
        """The quoted name, `"bi"."orders"`."""
        return postgres_identifier(self.schema, self.table)

    @property
    def column_list(self) -> str:
        """The quoted columns, `"id", "Visit Id"`."""
        return ", ".join(postgres_identifier(column.target) for column in self.columns)
