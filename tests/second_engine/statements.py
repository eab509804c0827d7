"""Every form of statement that the product can send, made by the product's own code over the tables of rows.py.

What of the product is tried here is imported here, and handed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from snowmelt.compare.canonical import Detail
from snowmelt.compare.fingerprint import build_source_fingerprint
from snowmelt.doctor.leftovers import build_query_history
from snowmelt.doctor.questions import QUESTIONS, STAGED_TYPES, build_staged_source
from snowmelt.drivers.snowflake import SESSION_PARAMETERS, pin_session
from snowmelt.plan.facts import StatisticsQuestion
from snowmelt.plan.watermark import build_highest, build_since, build_window
from snowmelt.sql.names import snowflake_identifier
from snowmelt.steps.source import CURRENT_WAREHOUSE, build_resize, build_show_warehouse
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import Column, ColumnRules, MaskRule, SourceColumn
from snowmelt.types.target_types import (
    comparable_expression,
    loses_nanoseconds,
    nanosecond_predicate,
    offset_expression,
    select_expression,
)
from snowmelt.types.type_names import SnowflakeType, parse_snowflake_type
from snowmelt.unload.chunks import (
    KEYED_ROWS,
    Bucket,
    ChunkKey,
    build_bound_literal,
    build_bound_text,
    build_bounds_query,
    build_ordered,
    plan_chunks,
)
from snowmelt.unload.statements import (
    Location,
    build_remove,
    build_select,
    build_source,
    build_unload,
    build_write_document,
)
from snowmelt.vocabulary import FileFormat
from tests.second_engine.probes import BUCKET, Probe
from tests.second_engine.rows import TYPES, Typed

__all__ = ["CHANGED_BY", "ODD_SETTINGS", "SESSION_PARAMETERS", "pin_session", "probes"]

_BETWEEN = "<<between>>"
_TOMORROW = "<<tomorrow>>"
#: The column of every table.
_C = snowflake_identifier("C")
#: Type → a bound's text as the product stores it.
_BOUNDS = {
    "NUMBER_18": "5",
    "NUMBER_12_2": "-1.05",
    "DATE_": "1969-12-31",
    "TIME_9": "12:00:00.000000000",
    "NTZ_9": "1969-12-31 23:59:59.123456789",
    "LTZ_9": "1970-01-01 00:00:00.000000000",
    "TZ_9": "2023-12-31 18:30:00.123456789",
    "VARCHAR_": "it's \\N",
}
_BY_NAME = {typed.name: typed for typed in TYPES}
_NO_FINGERPRINT = frozenset({"VARIANT_FLOAT"})
#: Settings that an account or a user may make, which change what texts mean, how values print, or which rows come.
ODD_SETTINGS = {
    "dates as DD-MON-YYYY": "DATE_INPUT_FORMAT = 'DD-MON-YYYY'",
    "timestamps as YYYY-DD-MM": "TIMESTAMP_INPUT_FORMAT = 'YYYY-DD-MM HH24:MI:SS.FF'",
    "timestamps as DD-MON-YYYY": "TIMESTAMP_INPUT_FORMAT = 'DD-MON-YYYY HH24:MI:SS.FF TZHTZM'",
    "times as HH12:MI:SS AM": "TIME_INPUT_FORMAT = 'HH12:MI:SS AM'",
    "identifiers without case": "QUOTED_IDENTIFIERS_IGNORE_CASE = TRUE",
    "timestamps with three digits": "TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF3'",
    "times without a fraction": "TIME_OUTPUT_FORMAT = 'HH24:MI:SS'",
    "one row": "ROWS_PER_RESULTSET = 1",
    "NULL in place of undefined": "STRICT_JSON_OUTPUT = TRUE",
    "New York": "TIMEZONE = 'America/New_York'",
}
#: Setting → the statements whose answer it changes, where a session does not set the parameter itself.
CHANGED_BY = {
    "dates as DD-MON-YYYY": ("bound literal: DATE_", "fingerprint: DATE_"),
    "timestamps as YYYY-DD-MM": ("bound literal: NTZ_9", "bound: day and month"),
    "timestamps as DD-MON-YYYY": ("bound literal: NTZ_9", "bound literal: TZ_9", "snapshot: rows"),
    "times as HH12:MI:SS AM": ("staged parquet: TIME_9",),
    "identifiers without case": ("column: mixed case",),
    "timestamps with three digits": ("staged parquet: VARIANT_",),
    "times without a fraction": ("staged parquet: VARIANT_",),
    "one row": ("staged parquet: TZ_9",),
    "NULL in place of undefined": ("JSON: ARRAY_",),
}
_STAGE = Location(bucket=BUCKET, base="", stage=snowflake_identifier("SECOND", "S", "ST"), integration="")


def _table(name: str) -> str:
    return snowflake_identifier("SECOND", "S", name)


def _type(typed: Typed) -> SnowflakeType:
    return parse_snowflake_type(typed.declared)


def _staged_select(name: str, file_format: FileFormat) -> str:
    expression = select_expression(_type(_BY_NAME[name]), _C, file_format)
    return f'SELECT {expression} AS {_C} FROM {_table(name)} ORDER BY "ID"'


def _bound_literal(name: str) -> str:
    literal = build_bound_literal(_type(_BY_NAME[name]), _BOUNDS[name])
    return f"SELECT COUNT(*) FROM {_table(name)} WHERE {_C} >= {literal}"


def _plan(*columns: tuple[str, str], mask: MaskRule | None = None) -> Sequence[Column]:
    """The planned columns of these names and types."""
    source = [SourceColumn(name, parse_snowflake_type(declared)) for name, declared in columns]
    rules = ColumnRules(mask={columns[0][0]: mask} if mask else {})
    return plan_columns(source, None, rules, FileFormat.PARQUET).columns


def _fingerprint(name: str) -> str:
    columns = _plan(("C", _BY_NAME[name].declared))
    return build_source_fingerprint(columns, _table(name), detail=Detail.COLUMNS)


def probes() -> Iterator[Probe]:
    """All of them, grouped by what they are about."""
    for typed in TYPES:
        yield from _staged(typed)
        yield from _compared(typed)
    yield from _bounds()
    yield from _under_odd_settings()
    yield from _time_travel()
    yield from _collations()
    yield from _metadata()
    yield from _unloads()
    yield from _errors()
    for question in QUESTIONS:
        yield Probe(f"doctor: {question.name}", question.sql)


def _staged(typed: Typed) -> Iterator[Probe]:
    for file_format in FileFormat:
        yield Probe(f"staged {file_format}: {typed.name}", _staged_select(typed.name, file_format))
    if typed.name == "TZ_9":
        yield Probe(
            "staged offset: TZ_9", f'SELECT {offset_expression(_C)} FROM {_table(typed.name)} ORDER BY "ID"'
        )


def _compared(typed: Typed) -> Iterator[Probe]:
    type_, table = _type(typed), _table(typed.name)
    if typed.name not in _NO_FINGERPRINT:
        yield Probe(f"fingerprint: {typed.name}", _fingerprint(typed.name))
    if loses_nanoseconds(type_):
        question = StatisticsQuestion(nanoseconds={"C": nanosecond_predicate(_C)})
        yield Probe(f"source statistics: {typed.name}", question.sql(table))
    if type_.name in {"NUMBER", "DATE", "TIME"} or type_.name.startswith("TIMESTAMP"):
        value = comparable_expression(type_, _C)
        yield Probe(f"range: {typed.name}", StatisticsQuestion(measured={"C": value}).sql(table))


def _bounds() -> Iterator[Probe]:
    for typed in (typed for typed in TYPES if typed.name in _BOUNDS):
        type_, table = _type(typed), _table(typed.name)
        yield Probe(
            f"bound text: {typed.name}", f"SELECT {build_bound_text(type_, f'MIN({_C})')} FROM {table}"
        )
        yield Probe(f"highest: {typed.name}", f"SELECT {build_highest('C', type_)} FROM {table}")
        yield Probe(f"bound literal: {typed.name}", _bound_literal(typed.name))
        bound = _BOUNDS[typed.name]
        since = build_since("C", type_, bound)
        yield Probe(f"since: {typed.name}", f"SELECT COUNT(*) FROM {table} WHERE {since}")
        until = "2000-01-01 00:00:00.000000000"
        if type_.name == "DATE" or type_.name.startswith("TIMESTAMP"):
            yield Probe(
                f"highest until: {typed.name}", f"SELECT {build_highest('C', type_, until)} FROM {table}"
            )
            window = build_window(
                "C", type_, datetime(1969, 12, 31, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)
            )
            yield Probe(f"backfill: {typed.name}", f"SELECT COUNT(*) FROM {table} WHERE {window}")
        key = ChunkKey("C", type_)
        asked = {"where": '"ID" > 0', "chunk_rows": 1}
        yield Probe(f"chunk bounds: {typed.name}", build_bounds_query(table, key, **asked, table_rows=4))
        buckets = [Bucket(None, None, 1), Bucket(bound, bound, 1), Bucket(bound, bound, 1)]
        counts = (f"COUNT_IF({chunk.predicate})" for chunk in plan_chunks(buckets, key, chunk_rows=9))
        yield Probe(f"chunks: {typed.name}", f"SELECT {', '.join(counts)} FROM {table}")
    sampled = build_bounds_query(
        _table("NUMBER_18"),
        ChunkKey("C", _type(_BY_NAME["NUMBER_18"])),
        where="",
        chunk_rows=1,
        table_rows=KEYED_ROWS + 1,
    )
    yield Probe("chunk bounds: of many rows", sampled)


def _under_odd_settings() -> Iterator[Probe]:
    day = "SELECT TO_VARCHAR('2024-02-03 00:00:00.000000000'::TIMESTAMP_NTZ(9), 'YYYY-MM-DD')"
    snapshot = f"SELECT COUNT(*) FROM {build_source(_table('PAST'), _BETWEEN)}"
    asked = [
        *(("bound literal: " + name, _bound_literal(name)) for name in ("DATE_", "NTZ_9", "TZ_9")),
        *(
            ("staged parquet: " + name, _staged_select(name, FileFormat.PARQUET))
            for name in ("VARIANT_", "LTZ_9", "TZ_9", "TIME_9")
        ),
        ("fingerprint: DATE_", _fingerprint("DATE_")),
        ("bound: day and month", day),
        ("snapshot: rows", snapshot),
        ("column: mixed case", f'SELECT "Visit Id" FROM {_table("MIXED")}'),
        ("JSON: ARRAY_", f'SELECT TO_JSON("C") FROM {_table("ARRAY_")} ORDER BY "ID"'),
    ]
    for name, sql in asked[-4:]:
        yield Probe(name, sql)
    by_name = dict(asked)
    for setting, assignment in ODD_SETTINGS.items():
        odd = f"ALTER SESSION SET {assignment}"
        for name in CHANGED_BY.get(setting, ()):
            yield Probe(f"{setting}, not pinned: {name}", by_name[name], odd)
        for name, sql in asked:
            yield Probe(f"{setting}, pinned: {name}", sql, odd, pinned=True)


def _time_travel() -> Iterator[Probe]:
    past = _table("PAST")
    yield Probe(
        "snapshot: between two changes", f'SELECT "ID" FROM {build_source(past, _BETWEEN)} ORDER BY "ID"'
    )
    yield Probe(
        "snapshot: before the table",
        f"SELECT COUNT(*) FROM {build_source(past, '2001-01-01 00:00:00.000000000 +0000')}",
    )
    yield Probe(
        "snapshot: an hour ahead",
        f"SELECT COUNT(*) FROM {past} AT(TIMESTAMP => DATEADD('hour', 1, CURRENT_TIMESTAMP()))",
    )
    yield Probe("snapshot: a day ahead", f"SELECT COUNT(*) FROM {build_source(past, _TOMORROW)}")
    yield Probe(
        "snapshot: before it was re-created",
        f"SELECT COUNT(*) FROM {build_source(_table('AGAIN'), _BETWEEN)}",
    )
    yield Probe(
        "snapshot: through a view", f"SELECT COUNT(*) FROM {build_source(_table('PAST_VIEW'), _BETWEEN)}"
    )
    yield Probe(
        "snapshot: Snowflake's clock",
        "SELECT LENGTH(TO_VARCHAR(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()), 'YYYY-MM-DD HH24:MI:SS.FF9'))",
    )
    window = "CHANGES(INFORMATION => DEFAULT) AT(TIMESTAMP => '<<between>>'::TIMESTAMP_TZ)"
    yield Probe(
        "changes: since a snapshot",
        f'SELECT "ID", "METADATA$ACTION", "METADATA$ISUPDATE" FROM {past} {window} ORDER BY 1, 2',
    )
    yield Probe("changes: tracking is off", f"SELECT COUNT(*) FROM {_table('UNTRACKED')} {window}")


def _collations() -> Iterator[Probe]:
    table = _table("COLLATED")
    columns = _plan(("A", "VARCHAR(10) COLLATE 'en-ci'"), ("B", "VARCHAR(10) COLLATE 'fr'"))
    yield Probe("collation: fingerprint of two collations", build_source_fingerprint(columns, table))
    yield Probe("collation: concatenation", f'SELECT "A" || "B" FROM {table}')
    type_ = parse_snowflake_type("VARCHAR(10) COLLATE 'en-ci'")
    yield Probe("collation: bound", f"SELECT COUNT(*) FROM {table} WHERE \"A\" >= 'a'")
    yield Probe(
        "collation: bound by bytes",
        f"SELECT COUNT(*) FROM {table} WHERE {build_ordered(type_, snowflake_identifier('A'))} >= 'a'",
    )
    yield Probe("collation: smallest", f'SELECT MIN("A"), MAX("A") FROM {table}')
    yield Probe("collation: highest by bytes", f"SELECT {build_highest('A', type_)} FROM {table}")
    yield Probe(
        "collation: chunk bounds by bytes",
        build_bounds_query(table, ChunkKey("A", type_), where="", chunk_rows=1, table_rows=2),
    )
    yield Probe("collation: DESCRIBE", f"DESCRIBE TABLE {table}")


def _metadata() -> Iterator[Probe]:
    keyed = _table("KEYED")
    yield Probe("metadata: DESCRIBE TABLE", f"DESCRIBE TABLE {keyed}")
    yield Probe("metadata: SHOW PRIMARY KEYS", f"SHOW PRIMARY KEYS IN TABLE {keyed}")
    yield Probe("metadata: retention", f"SHOW PARAMETERS LIKE 'DATA_RETENTION_TIME_IN_DAYS' IN TABLE {keyed}")
    yield Probe("metadata: DESC STAGE", f"DESC STAGE {_table('ST')}")
    yield Probe("metadata: DESC INTEGRATION", f"DESC INTEGRATION {snowflake_identifier('LAKE')}")
    yield Probe("metadata: warehouse", CURRENT_WAREHOUSE)
    yield Probe("metadata: SHOW WAREHOUSES", build_show_warehouse("WH"))
    yield Probe("metadata: resize of a warehouse", build_resize("WH", "SMALL"))
    yield Probe("metadata: computed column", f"DESCRIBE TABLE {_table('COMPUTED')}")
    computed = build_select(
        [(column.source, column.select) for column in _plan(("A", "NUMBER(9,0)"), ("TWICE", "NUMBER(9,0)"))],
        _table("COMPUTED"),
        "",
    )
    yield Probe("staged parquet: computed column", computed)
    yield Probe("metadata: parameters of the session", "SHOW PARAMETERS IN SESSION")
    yield Probe(
        "metadata: a parameter of the account",
        "SHOW PARAMETERS LIKE 'PREVENT_UNLOAD_TO_INLINE_URL' IN ACCOUNT",
    )
    yield Probe(
        "metadata: SHOW OBJECTS", f"SHOW OBJECTS LIKE 'KEYED' IN SCHEMA {snowflake_identifier('SECOND', 'S')}"
    )
    yield Probe("metadata: SHOW DATABASES", "SHOW DATABASES LIKE 'SECOND'")
    yield Probe("metadata: running queries", build_query_history("SECOND", 24))


def _unload(select: str, path: str, file_format: str = "parquet", compression: str = "snappy") -> str:
    return build_unload(
        _STAGE, path, select, file_format=file_format, compression=compression, max_file_bytes=16_000_000
    )


def _unloads() -> Iterator[Probe]:
    number = build_select([("C", _C)], _table("NUMBER_4"), "")
    yield Probe("unload: columns of the result", _unload(number, "result/"))
    yield Probe("unload: no rows", _unload(build_select([("C", _C)], _table("NUMBER_4"), "1 = 0"), "none/"))
    columns = _plan(*STAGED_TYPES.items())
    rows = build_select([(column.source, column.select) for column in columns], build_staged_source(), "")
    yield Probe("unload: the doctor's rows", _unload(rows, "doctor/"))
    texts = build_select(
        [("ID", '"ID"'), ("C", select_expression(parse_snowflake_type("VARCHAR(100)"), _C, FileFormat.CSV))],
        f'(SELECT * FROM {_table("VARCHAR_")} ORDER BY "ID")',
        "",
    )
    yield Probe("unload: CSV, NULL and texts", _unload(texts, "csv/", "csv", "none"), file="csv/")
    with_offset = build_select([("C", _C)], _table("TZ_9"), "")
    yield Probe("unload: TIMESTAMP_TZ into Parquet", _unload(with_offset, "tz/"))
    yield Probe(
        "unload: manifest",
        build_write_document(_STAGE, "m/manifest.json", {"rows": 1, "text": "it's \\N"}),
        file="m/",
    )
    yield Probe("unload: stage that is missing", _unload(number, "x/").replace('"ST"', '"NO_STAGE"'))
    outside = Location(bucket="elsewhere", base="", stage="", integration="LAKE")
    yield Probe(
        "unload: outside the allowed locations",
        build_unload(
            outside, "x/", number, file_format="parquet", compression="snappy", max_file_bytes=16_000_000
        ),
    )
    missing = Location(bucket=BUCKET, base="", stage="", integration="NO_INTEGRATION")
    yield Probe(
        "unload: integration that is missing",
        build_unload(
            missing, "x/", number, file_format="parquet", compression="snappy", max_file_bytes=16_000_000
        ),
    )
    yield Probe("unload: REMOVE", build_remove(_STAGE, "result/"))


def _errors() -> Iterator[Probe]:
    table = _table("NUMBER_4")
    yield Probe("error: table that is missing", f"SELECT COUNT(*) FROM {_table('NO_TABLE')}")
    yield Probe("error: DESCRIBE of a table that is missing", f"DESCRIBE TABLE {_table('NO_TABLE')}")
    yield Probe("error: schema that is missing", 'SELECT COUNT(*) FROM "SECOND"."NO_SCHEMA"."T"')
    yield Probe("error: database that is missing", 'SELECT COUNT(*) FROM "NO_DATABASE"."S"."T"')
    yield Probe("error: column that is missing", f'SELECT "NO_COLUMN" FROM {table}')
    yield Probe("error: filter that is no SQL", f"SELECT COUNT(*) FROM {table} WHERE (AND)")
    yield Probe("error: function that is missing", f'SELECT NO_FUNCTION("C") FROM {table}')
    yield Probe("error: text that is no number", "SELECT CAST('abc' AS NUMBER(38,0))")
    yield Probe("error: text that is no date", "SELECT 'abc'::DATE")
    yield Probe("error: text that is no timestamp", "SELECT 'abc'::TIMESTAMP_TZ")
    yield Probe("error: text that is no boolean", "SELECT 'abc'::BOOLEAN")
    yield Probe("error: text that is no JSON", "SELECT PARSE_JSON('{a')")
    yield Probe("error: division by zero", f'SELECT 1 / ("C" - "C") FROM {table}')
    yield Probe("error: number too large", f'SELECT SUM("C" * 10) FROM {_table("NUMBER_38")} WHERE "C" > 0')
    yield Probe(
        "error: cancel of no query", "SELECT SYSTEM$CANCEL_QUERY('01b2c3d4-0000-0000-0000-000000000000')"
    )
    columns = _plan(("C", "VARCHAR(100)"), mask=MaskRule('SHA2("C")', "VARCHAR(64)"))
    yield Probe(
        "mask: SHA2",
        build_select([("C", columns[0].select)], f'(SELECT * FROM {_table("VARCHAR_")} WHERE "ID" = 1)', ""),
    )
