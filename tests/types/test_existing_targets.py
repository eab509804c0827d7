"""Existing targets of other types: what fits arrives exactly, what does not is refused as a whole, by every way."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pytest

from snowmelt.errors import ValueRefused
from tests.load.ways import WAYS, column_types
from tests.types.case import Case, exact, text_literal

NINES = "9" * 38
JSON = '{"b":[null,9007199254740993,"\\"🎈"],"a":{"":0.1}}'


def numbers(name: str, kind: str, target: str, *texts: str, number: Any = Decimal) -> Case:
    return Case(name, kind, target, tuple((text, number(text)) for text in texts))


def texts(name: str, kind: str, target: str, *values: str) -> Case:
    return Case(name, kind, target, tuple((text_literal(value), value) for value in values))


def json_texts(name: str, target: str) -> Case:
    values = (JSON, "null", '""', "[]", NINES)
    literals = tuple((f"PARSE_JSON({text_literal(value)})", value) for value in values)
    return Case(name, "VARIANT", target, literals, "{c}::text")


def clocks(name: str, kind: str, target: str, read: Any, *values: str) -> Case:
    return Case(name, kind, target, tuple((f"'{value}'::{kind}", read(value)) for value in values))


#: Source type, the existing column's type, values that fit.
FITTING = (
    numbers("N4_INT", "NUMBER(4,0)", "integer", "-9999", "9999", "0", number=int),
    numbers("N4_BIG", "NUMBER(4,0)", "bigint", "-9999", "9999", "0", number=int),
    numbers("N4_NUM", "NUMBER(4,0)", "numeric(38,0)", "-9999", "9999", "0"),
    numbers("N9_NUM", "NUMBER(9,0)", "numeric", "-999999999", "999999999", "0"),
    numbers("N18_SMALL", "NUMBER(18,0)", "smallint", "-32768", "32767", "0", number=int),
    numbers("N38_SMALL", "NUMBER(38,0)", "smallint", "-32768", "32767", "0", number=int),
    numbers("N38_INT", "NUMBER(38,0)", "integer", "-2147483648", "2147483647", "0", number=int),
    numbers(
        "N38_BIG", "NUMBER(38,0)", "bigint", "-9223372036854775808", "9223372036854775807", "0", number=int
    ),
    numbers("N38_20", "NUMBER(38,0)", "numeric(20,0)", NINES[:20], f"-{NINES[:20]}", "0"),
    numbers("N38_30", "NUMBER(38,0)", "numeric(30,0)", NINES[:30], f"-{NINES[:30]}", "0"),
    numbers(
        "D38_30",
        "NUMBER(38,10)",
        "numeric(30,10)",
        *(f"{sign}{NINES[:20]}.{NINES[:10]}" for sign in ("", "-")),
    ),
    numbers("N38_NUM", "NUMBER(38,0)", "numeric", NINES, f"-{NINES}", "0", "10000000000"),
    Case(
        "D12_14",
        "NUMBER(12,2)",
        "numeric(14,4)",
        tuple((text, Decimal(f"{text}00")) for text in ("9999999999.99", "-9999999999.99", "0.00", "-0.01")),
    ),
    numbers("D12_10", "NUMBER(12,2)", "numeric(10,2)", "99999999.99", "-99999999.99", "0.00", "0.10"),
    numbers("D12_NUM", "NUMBER(12,2)", "numeric", "9999999999.99", "-9999999999.99", "0.00", "1.10"),
    texts("S40_10", "VARCHAR(40)", "character varying(10)", "", " " * 10, "🎈" * 10, "a        ", "\\N", '"'),
    texts("S40_ANY", "VARCHAR(40)", "character varying", "", " " * 40, "🎈" * 40, "\\.", "a\r\n"),
    texts("S40_TEXT", "VARCHAR(40)", "text", "", " " * 40, "🎈" * 40, "\\.", "a\r\n"),
    texts("S_10", "VARCHAR", "character varying(10)", "", " " * 10, "🎈" * 10, "a\r\n "),
    json_texts("V_JSON", "json"),
    json_texts("V_TEXT", "text"),
    Case(
        "U_TEXT",
        "UUID",
        "text",
        (("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::UUID", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),),
    ),
    clocks(
        "NTZ3_3",
        "TIMESTAMP_NTZ(3)",
        "timestamp(3) without time zone",
        dt.datetime.fromisoformat,
        *("0001-01-01 00:00:00.001", "1969-12-31 23:59:59.999", "9999-12-31 23:59:59.999"),
    ),
    clocks(
        "NTZ0_3",
        "TIMESTAMP_NTZ(0)",
        "timestamp(3) without time zone",
        dt.datetime.fromisoformat,
        *("1969-12-31 23:59:59", "9999-12-31 23:59:59"),
    ),
    clocks(
        "TZ3_3",
        "TIMESTAMP_TZ(3)",
        "timestamp(3) with time zone",
        dt.datetime.fromisoformat,
        *("1969-12-31 23:59:59.999+00:00", "2024-02-29 12:34:56.789+05:30"),
    ),
    clocks(
        "T3_3", "TIME(3)", "time(3) without time zone", dt.time.fromisoformat, "00:00:00.001", "23:59:59.999"
    ),
    clocks("T0_0", "TIME(0)", "time(0) without time zone", dt.time.fromisoformat, "00:00:00", "23:59:59"),
)


def test_what_fits_arrives_in_columns_of_other_types(world):
    rows = max(len(case.values) for case in FITTING)
    world.sql(
        "CREATE TABLE SRC (ID NUMBER(9,0)," + ", ".join(f"{case.name} {case.type}" for case in FITTING) + ")"
    )
    for row in range(rows):
        literals = ", ".join(case.values[row % len(case.values)][0] for case in FITTING)
        world.sql(f"INSERT INTO SRC SELECT {row}, {literals}")
    world.sql("INSERT INTO SRC (ID) VALUES (-1)")
    columns = ", ".join(f"{case.name.lower()} {case.target}" for case in reversed(FITTING))
    read = ", ".join(case.read.format(c=case.name.lower()) for case in FITTING)
    for way, params in WAYS.items():
        world.execute(f"CREATE TABLE public.by_{way} ({columns}, id integer NOT NULL)")
        before = column_types(world, f"by_{way}")
        world.run({"source": "SRC", "target": f"by_{way}"}, **params)
        assert column_types(world, f"by_{way}") == before, way
        found = world.query(f"SELECT {read} FROM public.by_{way} ORDER BY id")
        assert found[0] == (None,) * len(FITTING)
        wrong = [
            (row, str(case), mine, case.values[row % len(case.values)][1])
            for row, values in enumerate(found[1:])
            for case, mine in zip(FITTING, values, strict=True)
            if exact(mine) != exact(case.values[row % len(case.values)][1])
        ]
        assert wrong == [], way
        assert len(found) == rows + 1


#: Source type, the existing column's definition, a value that fits, one that does not.
REFUSED = (
    ("NUMBER(38,0)", "smallint", "32767", "32768"),
    ("NUMBER(38,0)", "smallint", "-32768", "-32769"),
    ("NUMBER(9,0)", "smallint", "1", "999999999"),
    ("NUMBER(38,0)", "integer", "2147483647", "2147483648"),
    ("NUMBER(38,0)", "bigint", "9223372036854775807", "9223372036854775808"),
    ("NUMBER(38,0)", "bigint", "0", f"-{NINES}"),
    ("NUMBER(38,0)", "numeric(20,0)", NINES[:20], "1" + "0" * 20),
    ("NUMBER(38,0)", "numeric(30,0)", NINES[:30], "-1" + "0" * 30),
    ("NUMBER(38,10)", "numeric(30,10)", f"{NINES[:20]}.{NINES[:10]}", "1" + "0" * 20),
    ("NUMBER(12,2)", "numeric(10,2)", "99999999.99", "100000000.00"),
    ("VARCHAR(40)", "varchar(10)", "'0123456789'", "'0123456789x'"),
    ("VARCHAR(40)", "varchar(10)", "'012345678 '", "'012345678  '"),
    ("VARCHAR(40)", "varchar(10)", "'          '", "'           '"),
    ("VARCHAR(40)", "varchar(10)", f"'{'🎈' * 10}'", f"'{'🎈' * 11}'"),
    ("VARCHAR(40)", "text", "'ok'", "'a' || CHR(0) || 'b'"),
    ("VARCHAR(40)", "text NOT NULL", "''", "NULL"),
    ("NUMBER(12,2)", "numeric(12,2) NOT NULL", "0.00", "NULL"),
    ("VARIANT", "jsonb", "PARSE_JSON('\"a\"')", "PARSE_JSON('[1,\"\\\\u0000\"]')"),
    ("VARIANT", "jsonb", "PARSE_JSON('null')", "PARSE_JSON('[NaN]')"),
    ("VARIANT", "json", "PARSE_JSON('null')", "PARSE_JSON('[NaN]')"),
)


@pytest.mark.parametrize(
    ("source", "target", "good", "bad"), REFUSED, ids=[f"{row[3]} into {row[1]}" for row in REFUSED]
)
def test_what_does_not_fit_is_refused_and_the_target_stays(world, source, target, good, bad):
    world.sql(f"CREATE TABLE SRC (ID NUMBER(9,0), PRICE {source})")
    for row, literal in enumerate((good, bad, good)):
        world.sql(f"INSERT INTO SRC SELECT {row}, {literal}")
    kept = {"jsonb": "'{}'", "json": "'{}'", "text": "'kept'", "varchar(10)": "'kept'"}.get(
        target.split(" ")[0], "7"
    )
    for way, params in WAYS.items():
        table = f"by_{way}"
        world.execute(
            f"CREATE TABLE public.{table} (id integer, price {target})",
            f"INSERT INTO public.{table} VALUES (77, {kept})",
        )
        before = world.query(f"SELECT ctid, xmin, t::text FROM public.{table} AS t")
        plan = world.plan({"source": "SRC", "target": table}, **params)
        chunks = world.unload(plan)
        (key,) = [file.key for chunk in chunks for file in chunk.files]
        with pytest.raises(ValueRefused) as caught:
            world.finish(plan, chunks)
        said = str(caught.value)
        assert key in said
        assert re.search(r"\bprice\b", said, re.IGNORECASE), said
        assert world.query(f"SELECT ctid, xmin, t::text FROM public.{table} AS t") == before, way
        assert world.query(f'SELECT count(*) FROM public."{plan.staging_table}"') == [(0,)], way
