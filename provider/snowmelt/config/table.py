"""The settings of a table: how it is copied, and the rules for its columns.

A source and a table as the file gives them are models made of these declarations; so is a run's form (form.py) and
its request (request.py). `TableConfig` is a configured table, complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from snowmelt.config import fields
from snowmelt.config.fields import (
    Column,
    Columns,
    Filter,
    SnowflakeName,
    TargetName,
    Text,
)
from snowmelt.config.policies import Policies
from snowmelt.config.schedules import DEFAULT_SCHEDULE, Duration, Schedule
from snowmelt.config.sections import MAX_ROWS, Connections, Execution, FileSettings
from snowmelt.config.settings import Flag, Section, Whole, Written, choice, make_model, setting
from snowmelt.sql.names import TableName
from snowmelt.sql.owned_rows import own_by_tag
from snowmelt.vocabulary import (
    Compression,
    LoadMethod,
    Mode,
    PublishMethod,
)

if TYPE_CHECKING:
    from snowmelt.types.columns import ColumnRules


PostgresTypeName = Annotated[str, Written(fields.postgres_type, "type")]
SnowflakeTypeName = Annotated[str, Written(fields.snowflake_type, "type")]


class Names(Section):
    """The table and where it goes. Names are as Snowflake and PostgreSQL store them."""

    source_database: SnowflakeName = setting(
        ...,
        'The database in Snowflake. Written as you would write it there: `ANALYTICS` and `analytics` are the same, `"My Name"` in '
        "quotes is exact.",
        form=("Source", "Source database"),
    )
    source_schema: SnowflakeName = setting(
        ..., "The schema in Snowflake. Written as the database is.", form=("Source", "Source schema")
    )
    source_table: SnowflakeName = setting(
        ..., "The table's name in Snowflake. Written as the database is.", form=("Source", "Source table")
    )
    target_schema: TargetName = setting(
        "public", "The schema in PostgreSQL. It has to exist.", form=("Target", "Target schema")
    )
    target_table: TargetName = setting(
        ...,
        'The table in PostgreSQL; created when missing. All upper case folds to lower case; `"DIMPAYER"` in quotes is exact. '
        "Empty: the source's name, folded in the same way.",
        unset="the source's, folded",
        form=("Target", "Target table"),
    )

    @property
    def source(self) -> TableName:
        """The table in Snowflake."""
        return TableName(self.source_database, self.source_schema, self.source_table)


class CopySettings(Section):
    """How a table is copied."""

    mode: Annotated[
        Mode,
        choice(
            {
                Mode.FULL: "everything, published at once",
                Mode.INCREMENTAL: "rows beyond the last published watermark, merged by the unique key",
                Mode.CHANGES: "inserts, updates and deletes since the last run, by Snowflake's change tracking",
                Mode.COMPARE: "the whole table in both databases; nothing is written",
                Mode.REPAIR: "compare, then copy again the chunks that differ",
                Mode.UNLOAD: "files only",
                Mode.LOAD: "the files of an earlier run",
                Mode.TEST: "some rows through every step, nothing published",
            }
        ),
    ] = setting(
        Mode.FULL,
        "What a run does.",
        details='In the file, mode `load` needs `"schedule": null`, since only the form can name the run. `catch_up` is the old word '
        "for `incremental`.",
        unset="`incremental` with a `watermark_column`, else `full`",
        form=("How", "Mode"),
    )
    source_filter: Filter = setting(
        None,
        "One Snowflake condition, without the word WHERE: `LAST_MODIFIED >= '2024-01-01'`. Empty: every row.",
        details="No query (see `filter_subqueries`), no comment, no variable, and only functions of Snowflake's own that look at the "
        "row: a view takes the rest. The current date may be used; each chunk reads it again, and a run in which that changed "
        "the rows stops before it publishes.",
        form=("How", "Filter"),
    )
    uniqueness_columns: Columns = setting(
        (),
        "The columns of the unique key, one on each line in the form. Needed for **incremental** and **changes**, which merge by it.",
        form=("How", "Unique key"),
    )
    watermark_column: Column | None = setting(
        None,
        "A date, time or number column that grows with every change. Needed for **incremental**, which copies what is beyond "
        "its last published value.",
        form=("How", "Watermark column"),
    )
    publish: Annotated[
        PublishMethod,
        choice(
            {
                PublishMethod.SWAP: "a new table takes the place of the old one in one step",
                PublishMethod.REPLACE: "all rows of the old table are replaced; its views and triggers stay, and it grows meanwhile",
                PublishMethod.APPEND: "the rows are added to the table",
            }
        ),
    ] = setting(
        PublishMethod.SWAP,
        "How modes **full** and **load** publish. With **append**, mode **incremental** adds rows and needs no unique key.",
        details="`replace` is DELETE and INSERT in one transaction, for tables that views, triggers or publications hold in place: no "
        "reader waits, and until vacuum has cleared the old rows the table takes twice its room. In the file, mode `incremental` takes "
        "`append` alone, and the modes that have no publish of their own take none. `truncate` is the old word for `replace`.",
        form=("How", "Publish method"),
    )
    row_limit: Annotated[int, Whole(0, MAX_ROWS)] | None = setting(
        None,
        "Rows that mode **test** copies. Needed there, empty or 0 in any other.",
        form=("How", "Row limit"),
    )
    chunking_column: Column | None = setting(
        None,
        "The column whose ranges are the chunks of the unload: a number, date, time or text, ideally the one "
        "that the table is loaded or clustered by. Empty: one chunk.",
        form=("Tuning", "Chunking column"),
    )
    chunk_rows: Annotated[int, Whole(1, MAX_ROWS)] = setting(
        5_000_000,
        "The number of rows to aim at in a chunk. Used only with a chunking column.",
        form=("Tuning", "Rows per chunk"),
    )
    load_method: Annotated[
        LoadMethod,
        choice(
            {
                LoadMethod.AUTO: "the best that works",
                LoadMethod.COPY: "streamed through Airflow",
                LoadMethod.AWS_S3: "fetched by the database (CSV on RDS or Aurora)",
            }
        ),
    ] = setting(
        LoadMethod.AUTO,
        "How staged files get into PostgreSQL.",
        form=("Tuning", "Load method"),
    )
    narrow_numbers: Flag = setting(
        False,
        "For a table that is created: NUMBER(p,0) columns become smallint, integer or bigint where all their values fit. Not "
        "in mode **load**.",
        details="The planning's one statement asks for the values of the snapshot. With an existing target, a value that does not fit "
        "stops the run at planning, with the ALTER that would take it.",
        form=("Tuning", "Narrow integer types"),
    )


class Mask(Section):
    """What is copied in place of a column."""

    expression: Annotated[str, Written(fields.expression, "text")] = setting(
        ..., 'One Snowflake expression over the row. Such as `SHA2("Name")`.'
    )
    type: SnowflakeTypeName = setting(..., "The Snowflake type of the result. Such as `VARCHAR(64)`.")


class SourceTag(Section):
    """A column that tells the rows of one source from those of others in the same target."""

    column: TargetName = setting(..., "The column in PostgreSQL.")
    value: Text = setting(..., "The text that it has in every row of this table.")


class ColumnsConfig(Section):
    """The rules for a table's columns. Source columns are named to the letter, or as Snowflake reads them."""

    include: Columns = setting((), "Only these are copied.", unset="all")
    exclude: Columns = setting((), "These are not copied.")
    rename: dict[Column, TargetName] = setting({}, "The column's name in PostgreSQL, to the letter.")
    type: dict[Column, PostgresTypeName] = setting(
        {}, "Its PostgreSQL type, where the default is not wanted (docs/types.md)."
    )
    mask: dict[Column, Mask] = setting({}, "What is copied in its place, from two keys.")
    keep_offset: Columns = setting(
        (), "TIMESTAMP_TZ columns whose offset goes into a second column, `<target>_offset`, in minutes."
    )
    target_only: Annotated[tuple[TargetName, ...], Written(fields.column_list, "list of columns")] = setting(
        (),
        "Columns of an existing target, by their names in PostgreSQL, that no source column fills.",
        details="New rows get their default there, or NULL. Any other column of the target that nothing fills stops the run at "
        "planning, unless it has a default, an identity or an expression of its own: after a full copy it would be NULL in "
        "every row.",
    )

    source_tag: SourceTag | None = setting(
        None,
        "A column of the target that the copy fills with one text, from two keys, `column` and `value`.",
        details="The rows that carry it are this table's own, as by `owned_rows`.",
    )

    @property
    def tagged_rows(self) -> str | None:
        """The predicate for the rows that carry the tag, as `owned_rows` would say it."""
        tag = self.source_tag
        return None if tag is None else own_by_tag(tag.column, tag.value).text

    def rules(self) -> ColumnRules:
        """The rules as the planning of columns takes them."""
        from snowmelt.types.columns import ColumnRules, MaskRule, TagRule

        tag = self.source_tag and TagRule(self.source_tag.column, self.source_tag.value)
        masks = {name: MaskRule(mask.expression, mask.type) for name, mask in self.mask.items()}
        return ColumnRules(**dict(self) | {"mask": masks, "source_tag": tag})


ConnectionOverrides = make_model("ConnectionOverrides", Connections, optional=None)
ExecutionOverrides = make_model("ExecutionOverrides", Execution, optional=None)


class _SourceOnly(Section):
    source_name: Text = setting(..., "A short name for this source; it is part of the ids of its DAGs.")
    enabled: Flag = setting(True, "False disables all its tables.")
    schedule: Schedule | None = setting(
        DEFAULT_SCHEDULE,
        "For its tables that give none.",
        details="Five fields, in UTC, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@quarterly`, `@yearly`; null: only when "
        "triggered.",
    )
    tables: tuple[Any, ...] = setting(..., "A list of tables: see below.")


class _TableOnly(Section):
    enabled: Flag = setting(True, "False: no DAG is made for it.")
    columns: ColumnsConfig = setting(
        ColumnsConfig(), "The rules for its columns: see below.", unset="all columns"
    )
    schedule: Schedule | None = setting(None, "As in `sources[]`.", unset="the source's")
    expect_fresh_within: Duration | None = setting(
        None,
        "How old the data of the target may become before the page Migrations and `airflow snowmelt status` call it late.",
        details="Such as `90 min`, `26 h` or `3 d`. It counts from the instant that the last published run read.",
        unset="only the schedule counts",
    )
    connections: ConnectionOverrides = setting(  # type: ignore[valid-type]
        ConnectionOverrides(), "The keys of `connections` that differ.", unset="the file's"
    )
    execution: ExecutionOverrides = setting(  # type: ignore[valid-type]
        ExecutionOverrides(), "The keys of `execution` that differ.", unset="the file's"
    )


#: What a source gives to all its tables.
OF_SOURCE = ("source_database", "source_schema", "target_schema")
#: One of `sources[]` as the file gives it; its tables are read one by one.
SourceEntry = make_model(
    "SourceEntry",
    *(_SourceOnly, Names),
    fields=("source_name", *OF_SOURCE, "enabled", "schedule", "tables"),
)

_TABLE = (Names, CopySettings, FileSettings, _TableOnly, Policies)
#: One of `tables[]` as the file gives it; what is None is decided by its source, the file's sections or a rule.
TableEntry = make_model(
    "TableEntry",
    *_TABLE,
    fields=[name for part in _TABLE for name in part.model_fields if name not in OF_SOURCE],
    optional={"target_table", "mode", *FileSettings.model_fields},
    renamed={"source_table": "source", "target_table": "target"},
)


class TableConfig(FileSettings, CopySettings, Names):
    """A configured table, complete."""

    #: Where it is in the file: `sources[0].tables[2]`.
    path: str
    dag_id: str
    source_name: str
    #: Whether both the source and the table are.
    enabled: bool
    #: Cron or preset, in UTC; None: only when triggered.
    schedule: str | None
    #: Seconds; None: only the schedule says what is late.
    expect_fresh_within: int | None
    #: As requested; `choose_compression` decides.
    compression: Compression | None
    columns: ColumnsConfig
    policies: Policies
    connections: Connections
    execution: Execution

    @property
    def owned_rows(self) -> str:
        """The predicate for the rows of the target that are the table's own; empty: all."""
        return self.policies.owned_rows or self.columns.tagged_rows or ""
