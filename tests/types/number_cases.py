"""Numbers and truth values."""

from __future__ import annotations

from decimal import Decimal

from tests.types.case import Case, float_bits

NINES = "9" * 38
#: 38 digits, no two neighbours alike.
MIXED = "12345678901234567890123456789012345678"


def _whole(name: str, kind: str, target: str, digits: int) -> Case:
    number = Decimal if target.startswith("numeric") else int
    texts = dict.fromkeys(
        (NINES[:digits], f"-{NINES[:digits]}", "0", "1", "-1", MIXED[:digits], f"-{MIXED[:digits]}")
    ) | dict.fromkeys(f"1{'0' * power}" for power in range(0, digits, 4))
    return Case(name, kind, target, tuple((f"{text}::{kind}", number(text)) for text in texts))


def _decimal(name: str, kind: str, target: str, *texts: str) -> Case:
    return Case(name, kind, target, tuple((f"'{text}'::{kind}", Decimal(text)) for text in texts))


def _floats(name: str, kind: str, *texts: str) -> Case:
    values = tuple((f"'{text}'::FLOAT", float_bits(float(text))) for text in texts)
    return Case(name, kind, "double precision", values, "float8send({c})")


WHOLE = (
    _whole("N1", "NUMBER(1,0)", "smallint", 1),
    _whole("N4", "NUMBER(4,0)", "smallint", 4),
    _whole("N5", "NUMBER(5,0)", "integer", 5),
    _whole("N9", "NUMBER(9,0)", "integer", 9),
    _whole("N10", "NUMBER(10,0)", "bigint", 10),
    _whole("N18", "NUMBER(18,0)", "bigint", 18),
    _whole("N19", "NUMBER(19,0)", "numeric(19,0)", 19),
    _whole("N38", "NUMBER(38,0)", "numeric(38,0)", 38),
    _whole("N_PLAIN", "NUMBER", "numeric(38,0)", 38),
    _whole("N_INT", "INT", "numeric(38,0)", 38),
    _whole("N_BIGINT", "BIGINT", "numeric(38,0)", 38),
    _whole("N_TINYINT", "TINYINT", "numeric(38,0)", 38),
)
DECIMALS = (
    _decimal("D1_1", "NUMBER(1,1)", "numeric(1,1)", "0.9", "-0.9", "0.0", "0.1", "-0.1"),
    _decimal(
        "D10_2",
        "NUMBER(10,2)",
        "numeric(10,2)",
        "99999999.99",
        "-99999999.99",
        "0.00",
        "0.01",
        "-0.01",
        "1.10",
    ),
    _decimal(
        "D18_9",
        "DECIMAL(18,9)",
        "numeric(18,9)",
        "999999999.999999999",
        "-0.000000001",
        "123456789.012345678",
    ),
    _decimal("D19_18", "NUMERIC(19,18)", "numeric(19,18)", "9.999999999999999999", "-1.000000000000000001"),
    _decimal(
        "D38_19",
        "NUMBER(38,19)",
        "numeric(38,19)",
        f"{NINES[:19]}.{NINES[:19]}",
        f"-{NINES[:19]}.{NINES[:19]}",
        f"{MIXED[:19]}.{MIXED[19:]}",
        "-0.0000000000000000001",
        "1000000000000000000.0000000000000000000",
    ),
    _decimal("D37_37", "NUMBER(37,37)", "numeric(37,37)", f"0.{NINES[:37]}", f"-0.{MIXED[:37]}"),
    _decimal(
        "D38_37",
        "NUMBER(38,37)",
        "numeric(38,37)",
        f"9.{NINES[:37]}",
        f"-9.{NINES[:37]}",
        f"{MIXED[0]}.{MIXED[1:]}",
        f"-0.{'0' * 36}1",
        f"0.{'0' * 37}",
    ),
)
FLOATS = tuple(
    _floats(
        name,
        kind,
        *("NaN", "inf", "-inf", "0", "-0", "1", "-1.5", "0.1", "0.3333333333333333", "-123456789.12345679"),
        *("5e-324", "-5e-324", "2.2250738585072014e-308", "2.225073858507201e-308"),
        *("1.7976931348623157e308", "-1.7976931348623157e308", "9007199254740993", "1e23", "1e22"),
        *("1.0000000000000002", "0.99999999999999989", "8.41e21", "9.5367431640625e-07"),
    )
    for name, kind in (("F", "FLOAT"), ("F_DOUBLE", "DOUBLE"), ("F_REAL", "REAL"))
)
BOOLEANS = (Case("B", "BOOLEAN", "boolean", (("TRUE", True), ("FALSE", False))),)

NUMBER_CASES = (*WHOLE, *DECIMALS, *FLOATS, *BOOLEANS)
