"""What Snowflake answers, as its documentation or somebody's run on an account has it, for each probe that one tells about.

Pages are named as below docs.snowflake.com/en/. A test of another project is named by its repository and class: the authors of
mlorek/frostlake, an independent engine, ran theirs on a live account too. Nothing here was made by an engine or by the product.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date

from tests.second_engine.probes import Error, Reading
from tests.second_engine.rows import MICROS_MAX, MICROS_MIN, TYPES, UNDEFINED
from tests.second_engine.statements import CHANGED_BY, ODD_SETTINGS

_MD5 = "sql-reference/functions/md5_number_lower64; docs/verification.md (the canonical text)"
_AT = "sql-reference/constructs/at-before; mlorek/frostlake TimeTravelTest"
_CHANGES = "sql-reference/constructs/changes; mlorek/frostlake ChangeTrackingTest"
_COLLATION = "sql-reference/collation (002322, incompatible collations)"
_INPUT = (
    "sql-reference/parameters (DATE_INPUT_FORMAT, TIMESTAMP_INPUT_FORMAT); sql-reference/data-type-conversion"
)
_IDENTIFIERS = "sql-reference/identifiers-syntax (QUOTED_IDENTIFIERS_IGNORE_CASE)"
_BOUNDS = "sql-reference/functions/to_char; sql-reference/sql-format-models (FF9)"

#: Days from 1970-01-01 to 1582-10-10, by the proleptic Gregorian calendar.
_1582 = (date(1582, 10, 10) - date(1970, 1, 1)).days
#: Table → the tokens of its rows, and count, low, high and total; from docs/verification.md.
_FINGERPRINTS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "NUMBER_4": (("9999|", "-1|", "|"), ("2", "-1", "9999", "9998")),
    "NUMBER_18": (("9" * 18 + "|", "-" + "9" * 18 + "|", "|"), ("2", "-" + "9" * 18, "9" * 18, "0")),
    "NUMBER_12_2": (
        ("9999999999.99|", "-1.05|", "1.50|", "|"),
        ("3", "-1.05", "9999999999.99", "10000000000.44"),
    ),
    "BOOLEAN_": (("t", "f", "n"), ("2", "0", "1", "1")),
    "DATE_": (
        ("-719162|", f"{_1582}|", "-1|", "2932896|", "|"),
        ("4", "-719162", "2932896", str(-719162 + _1582 - 1 + 2932896)),
    ),
    "TIME_9": (("0|", "86399999999|", "|"), ("2", "0", "86399999999", "86399999999")),
    "NTZ_9": (
        (f"{MICROS_MIN}|", "-876544|", f"{MICROS_MAX}|", "|"),
        ("3", MICROS_MIN, MICROS_MAX, str(int(MICROS_MIN) - 876544 + int(MICROS_MAX))),
    ),
    "NTZ_6": (("1709210096123456|", "|"), ("1", *("1709210096123456",) * 3)),
    "LTZ_9": (("17999500000|", "|"), ("1", *("17999500000",) * 3)),
    "TZ_9": (
        ("1704047400123456|", "12599500000|", "|"),
        ("2", "12599500000", "1704047400123456", "1704059999623456"),
    ),
    "VARCHAR_": (("0:", r"7:it's \N", "9:Ü€😀", "10:trailing  ", ":"), ("4", "0", "10", "26")),
    "BINARY_": (("3:00ffab", "0:", ":"), ("2", "0", "3", "3")),
    "UUID_": (("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|", "|"), ("1",)),
}
#: Table → its smallest and largest bound, by the type's text; what a bound's text and the highest watermark are.
_ENDS: Mapping[str, tuple[str, str]] = {
    "NUMBER_18": ("-" + "9" * 18, "9" * 18),
    "NUMBER_12_2": ("-1.05", "9999999999.99"),
    "DATE_": ("0001-01-01", "9999-12-31"),
    "TIME_9": ("00:00:00.000000000", "23:59:59.999999999"),
    "NTZ_9": ("0001-01-01 00:00:00.000000000", "9999-12-31 23:59:59.999999999"),
    "LTZ_9": ("1970-01-01 04:59:59.500000001", "1970-01-01 04:59:59.500000001"),
    "TZ_9": ("1970-01-01 03:29:59.500000000", "2023-12-31 18:30:00.123456789"),
    "VARCHAR_": ("", "Ü€😀"),
}
#: Table → the keys between its ends, in order, as text.
_BETWEEN_ENDS: Mapping[str, tuple[str, ...]] = {
    "NUMBER_12_2": ("1.50",),
    "DATE_": ("1582-10-10", "1969-12-31"),
    "NTZ_9": ("1969-12-31 23:59:59.123456789",),
    "VARCHAR_": (r"it's \N", "trailing  "),
}
_RANGED = frozenset(
    {"NUMBER_4", "NUMBER_18", "NUMBER_12_2", "DATE_", "TIME_9", "NTZ_9", "NTZ_6", "LTZ_9", "TZ_9"}
)
#: Table → its highest bound before the year 2000; each has one value from 1969-12-31 to 1970-01-01.
_BEFORE_2000 = {
    "DATE_": "1969-12-31",
    "NTZ_9": "1969-12-31 23:59:59.123456789",
    "LTZ_9": "1970-01-01 04:59:59.500000001",
    "TZ_9": "1970-01-01 03:29:59.500000000",
}
#: Table → rows at and above the bound of statements.py; then with the overlap of a catch-up, and NULL.
_COUNTS = {
    "NUMBER_18": ("1", "2"),
    "NUMBER_12_2": ("3", "4"),
    "DATE_": ("2", "3"),
    "TIME_9": ("1", "2"),
    "NTZ_9": ("2", "3"),
    "LTZ_9": ("1", "2"),
    "TZ_9": ("1", "2"),
    "VARCHAR_": ("3", "4"),
}


#: What is asked again under each odd setting.
_ODDLY_ASKED = (
    *("bound literal: DATE_", "bound literal: NTZ_9", "bound literal: TZ_9"),
    *("staged parquet: VARIANT_", "staged parquet: LTZ_9", "staged parquet: TZ_9", "staged parquet: TIME_9"),
    *("fingerprint: DATE_", "bound: day and month", "snapshot: rows", "column: mixed case", "JSON: ARRAY_"),
)


def _one(source: str, *values: str | None) -> Reading:
    return Reading(source, (values,))


def _error(source: str, number: int | None, text: str = "") -> Reading:
    return Reading(source, error=Error(number, text))


def _lower64(text: str) -> int:
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[16:], 16)


def _of_types() -> dict[str, Reading]:
    found: dict[str, Reading] = {}
    for typed in TYPES:
        for form in ("parquet", "csv"):
            forms = [getattr(value, form) for value in typed.values]
            if None not in forms:
                found[f"staged {form}: {typed.name}"] = Reading(
                    typed.source, (*((text,) for text in forms), (None,)), types=(typed.staged_type(form),)
                )
    for name, (tokens, measures) in _FINGERPRINTS.items():
        total = str(sum(_lower64(token) for token in tokens))
        found[f"fingerprint: {name}"] = _one(_MD5, str(len(tokens)), total, *measures, total)
        if name in _RANGED:
            low, high = _ENDS[name] if name == "DATE_" else measures[1:3]
            found[f"range: {name}"] = _one("sql-reference/functions/min", str(len(tokens)), None, low, high)
    for name, (low, high) in _ENDS.items():
        found[f"bound text: {name}"] = Reading(_BOUNDS, ((low,),), types=("TEXT",))
        found[f"highest: {name}"] = Reading(_BOUNDS, ((high,),), types=("TEXT",))
        keys = dict.fromkeys((low, *_BETWEEN_ENDS.get(name, ()), high))
        found[f"chunk bounds: {name}"] = Reading(
            _BOUNDS, ((None, None, "1"), *((key, key, "1") for key in keys))
        )
        at, since = _COUNTS[name]
        rows = next(len(typed.values) + 1 for typed in TYPES if typed.name == name)
        found[f"chunks: {name}"] = _one("sql-reference/functions/count_if", str(rows - int(at)), at)
        found[f"bound literal: {name}"] = _one("sql-reference/data-type-conversion", at)
        found[f"since: {name}"] = _one("sql-reference/functions/dateadd", since)
    for name, highest in _BEFORE_2000.items():
        found[f"highest until: {name}"] = Reading(_BOUNDS, ((highest,),), types=("TEXT",))
        found[f"backfill: {name}"] = _one("sql-reference/data-type-conversion", "1")
    return found


def _under_odd_settings(ordinary: Mapping[str, Reading]) -> dict[str, Reading]:
    """What each setting makes of a statement: of one whose session leaves it as it is, and nothing of the product's."""
    unread = _error(_INPUT, None)
    printed = "sql-reference/parameters (TIMESTAMP_NTZ_OUTPUT_FORMAT, TIME_OUTPUT_FORMAT); snowflakedb/snowpark-python test_to_json"
    variants = ordinary["staged parquet: VARIANT_"].values or ()

    def reprinted(long: str, short: str) -> Reading:
        return Reading(
            printed, tuple((short,) if row == (long,) else row for row in variants), types=("TEXT",)
        )

    changed: dict[str, dict[str, Reading]] = {
        "dates as DD-MON-YYYY": {"bound literal: DATE_": unread, "fingerprint: DATE_": unread},
        "timestamps as YYYY-DD-MM": {
            "bound literal: NTZ_9": unread,
            "bound: day and month": _one(_INPUT, "2024-03-02"),
        },
        "timestamps as DD-MON-YYYY": dict.fromkeys(CHANGED_BY["timestamps as DD-MON-YYYY"], unread),
        "times as HH12:MI:SS AM": {"staged parquet: TIME_9": unread},
        "identifiers without case": {"column: mixed case": _error(_IDENTIFIERS, 904, "invalid identifier")},
        "timestamps with three digits": {
            "staged parquet: VARIANT_": reprinted('"2024-01-01 12:34:56.123456789"', '"2024-01-01 12:34:56.123"')
        },
        "times without a fraction": {
            "staged parquet: VARIANT_": reprinted('"12:34:56.123456789"', '"12:34:56"')
        },
        "one row": {"staged parquet: TZ_9": Reading("sql-reference/parameters (ROWS_PER_RESULTSET)", (("1704047400123456",),))},
        "NULL in place of undefined": {"JSON: ARRAY_": Reading(UNDEFINED, (("[]",), ('[1,"x"]',), ("[1,null]",), ("[null]",), (None,)))},
    }  # fmt: skip
    found: dict[str, Reading] = {}
    for setting in ODD_SETTINGS:
        for name in CHANGED_BY.get(setting, ()):
            found[f"{setting}, not pinned: {name}"] = changed[setting][name]
        for name in _ODDLY_ASKED:
            found[f"{setting}, pinned: {name}"] = ordinary[name]
    return found


def _of_statements() -> dict[str, Reading]:
    missing = "public run logs: 002003, does not exist or not authorized"
    no_data = "Time travel data is not available"
    rows_of_csv = '1,""\n2,"it\'s \\N"\n3,"Ü€😀"\n4,"trailing  "\n5,\n'
    return {
        "staged offset: TZ_9": Reading("sql-reference/data-types-datetime; sql-reference/functions/datediff", (("330",), ("-210",), (None,))),
        "source statistics: TIME_9": _one("sql-reference/functions/date_part", "3", None, "1"),
        "source statistics: NTZ_9": _one("sql-reference/functions/date_part", "4", None, "2"),
        "source statistics: LTZ_9": _one("sql-reference/functions/date_part", "2", None, "1"),
        "source statistics: TZ_9": _one("sql-reference/functions/date_part", "3", None, "1"),
        "bound: day and month": _one(_INPUT, "2024-02-03"),
        "snapshot: rows": _one(_AT, "2"),
        "column: mixed case": _one("sql-reference/identifiers-syntax", "7"),
        "snapshot: between two changes": Reading(_AT, (("1",), ("2",))),
        "snapshot: through a view": _one("user-guide/data-time-travel (views)", "2"),
        "snapshot: before the table": _error(_AT, 707, no_data),
        "snapshot: before it was re-created": _error(_AT, 707, no_data),
        "snapshot: an hour ahead": _error(_AT, None, "Future data is not yet available for table"),
        "snapshot: a day ahead": _error(_AT, None, "Future data is not yet available for table"),
        "snapshot: Snowflake's clock": _one(_BOUNDS, "29"),
        "changes: since a snapshot": Reading(
            _CHANGES,
            (("1", "DELETE", "false"), ("2", "DELETE", "true"), ("2", "INSERT", "true"), ("3", "INSERT", "false")),
        ),
        "changes: tracking is off": _error(_CHANGES, None, "Change tracking is not enabled or has been missing"),
        "collation: concatenation": _error(_COLLATION, 2322, "Incompatible collations"),
        "collation: fingerprint of two collations": _one(_MD5, "2", str(sum(map(_lower64, ("1:A1:b", "1:a1:B"))))),
        "collation: bound": _one(_COLLATION, "2"),
        "collation: bound by bytes": _one(_COLLATION, "1"),
        "collation: highest by bytes": _one(_COLLATION, "a"),
        "collation: chunk bounds by bytes": Reading(_COLLATION, (("A", "A", "1"), ("a", "a", "1"))),
        "JSON: ARRAY_": Reading(UNDEFINED, (("[]",), ('[1,"x"]',), ("[1,undefined]",), ("[null]",), (None,))),
        "collation: DESCRIBE": Reading("sql-reference/sql/desc-table", names=("name", "type", "kind", "null?", "primary key", "policy name")),
        "metadata: DESCRIBE TABLE": Reading(
            "sql-reference/sql/desc-table",
            cells={
                "name": ("A", "B", "C"),
                "type": ("NUMBER(9,0)", "VARCHAR(10)", "TIMESTAMP_TZ(9)"),
                "kind": ("COLUMN",) * 3,
                "null?": ("N", "N", "Y"),
                "primary key": ("Y", "Y", "N"),
            },
            names=("comment", "policy name"),
        ),
        "metadata: SHOW PRIMARY KEYS": Reading(
            "sql-reference/sql/show-primary-keys", cells={"column_name": ("B", "A"), "key_sequence": ("1", "2")}, names=("constraint_name",)
        ),
        "metadata: retention": Reading("sql-reference/sql/show-parameters", cells={"key": ("DATA_RETENTION_TIME_IN_DAYS",), "value": ("1",)}),
        "metadata: DESC STAGE": Reading("sql-reference/sql/desc-stage", names=("parent_property", "property", "property_type", "property_value", "property_default")),
        "metadata: DESC INTEGRATION": Reading("sql-reference/sql/desc-integration", names=("property", "property_type", "property_value", "property_default")),
        "metadata: warehouse": _one("sql-reference/functions/current_warehouse", "WH"),
        "metadata: SHOW WAREHOUSES": Reading("sql-reference/sql/show-warehouses", cells={"name": ("WH",), "size": ("X-Small",)}, names=("state", "type")),
        "metadata: resize of a warehouse": _one("sql-reference/sql/alter-warehouse", "Statement executed successfully."),
        "staged parquet: computed column": Reading("sql-reference/sql/create-table (AS <expr>)", (("3", "6"),)),
        "metadata: parameters of the session": Reading("sql-reference/sql/show-parameters", names=("key", "value", "default", "level", "description")),
        "metadata: a parameter of the account": Reading("sql-reference/sql/show-parameters", names=("key", "value", "default", "level", "description")),
        "metadata: SHOW OBJECTS": Reading("sql-reference/sql/show-objects", cells={"name": ("KEYED",), "kind": ("TABLE",)}, names=("created_on", "database_name", "schema_name")),
        "metadata: SHOW DATABASES": Reading("sql-reference/sql/show-databases", cells={"name": ("SECOND",), "kind": ("STANDARD",)}, names=("created_on", "origin")),
        "metadata: running queries": Reading("sql-reference/functions/query_history", (), names=("QUERY_ID", "QUERY_TAG", "START_TIME")),
        "chunk bounds: of many rows": Reading(
            "sql-reference/functions/approx_percentile; sql-reference/functions/width_bucket",
            ((None, None, "1"), *((end, end, "1") for end in _ENDS["NUMBER_18"])),
        ),
        "unload: the doctor's rows": Reading("sql-reference/sql/copy-into-location (DETAILED_OUTPUT); mlorek/frostlake", cells={"ROW_COUNT": ("3",)}),
        "metadata: computed column": Reading("sql-reference/sql/desc-table", cells={"name": ("A", "TWICE"), "kind": ("COLUMN", "VIRTUAL")}, names=("expression",)),
        "unload: columns of the result": Reading("sql-reference/sql/copy-into-location (DETAILED_OUTPUT); mlorek/frostlake", names=("FILE_NAME", "FILE_SIZE", "ROW_COUNT")),
        "unload: no rows": Reading("sql-reference/sql/copy-into-location (an unload of no rows writes no file)", ()),
        "unload: CSV, NULL and texts": _one("user-guide/data-unload-considerations (NULL_IF = (): nothing between the delimiters)", rows_of_csv),
        "unload: TIMESTAMP_TZ into Parquet": _error("user-guide/data-unload-considerations", 100171, "TIMESTAMP_TZ and LTZ types are not supported for unloading to Parquet"),
        "unload: manifest": _one("sql-reference/sql/copy-into-location (TYPE = JSON)", '{"rows":1,"text":"it\'s \\\\N"}\n'),
        "unload: stage that is missing": _error(missing, 2003, "Stage 'SECOND.S.NO_STAGE' does not exist or not authorized"),
        "unload: REMOVE": Reading("sql-reference/sql/remove", names=("name", "result")),
        "error: table that is missing": _error(missing, 2003, "does not exist or not authorized"),
        "error: schema that is missing": _error("public run logs: 002003 (02000)", 2003, "Schema 'SECOND.NO_SCHEMA' does not exist or not authorized"),
        "error: column that is missing": _error("public run logs: 000904 (42000), invalid identifier", 904, "invalid identifier"),
        "error: filter that is no SQL": _error("public run logs: 001003 (42000), syntax error", 1003, "syntax error"),
        "error: function that is missing": _error("public run logs: 002140 (42601); mlorek/frostlake CHANGELOG, 0.0.7", 2140, "Unknown function NO_FUNCTION"),
        "error: text that is no number": _error("sql-reference/functions/to_decimal; public run logs: 100038 (22018)", 100038, "Numeric value 'abc' is not recognized"),
        "error: text that is no date": _error("public run logs: 100040 (22007)", 100040, "Date 'abc' is not recognized"),
        "error: text that is no timestamp": _error("public run logs: 100035 (22007)", 100035, "Timestamp 'abc' is not recognized"),
        "error: text that is no boolean": _error("sql-reference/functions/booland_agg (100037)", 100037, "Boolean value 'abc' is not recognized"),
        "error: text that is no JSON": _error("sql-reference/functions/parse_json (100069)", 100069, "Error parsing JSON"),
        "error: division by zero": _error("sql-reference/functions/div0 (100051)", 100051, "Division by zero"),
        "mask: SHA2": _one("sql-reference/functions/sha2", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        "doctor: epoch microseconds": _one("sql-reference/functions/date_part", "-1", MICROS_MIN, MICROS_MAX, "17999500000"),
        "doctor: hash": _one("sql-reference/functions/md5_number_lower64", str(_lower64("abc"))),
        "doctor: text measures": _one("sql-reference/functions/length; sql-reference/functions/octet_length; sql-reference/functions/hex_encode", "3", "9", "00ffab"),
        "doctor: nanoseconds": _one("sql-reference/functions/date_part; sql-reference/functions/date_trunc; sql-reference/functions/datediff", "123456789", "999999999", "-876544", "86399999999", "23:59:59.999999"),
        "doctor: JSON floats": _one("user-guide/data-types-semistructured", "3.000000000000000e-01", "1.000000000000000e-01"),
        "doctor: UUID text": _one("sql-reference/data-types-text", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    }  # fmt: skip


_ORDINARY = {**_of_types(), **_of_statements()}
READINGS: Mapping[str, Reading] = {**_ORDINARY, **_under_odd_settings(_ORDINARY)}
