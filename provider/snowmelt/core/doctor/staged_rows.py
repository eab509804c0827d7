"""The assumptions about an account that three rows tell, unloaded as Parquet and as CSV by the expressions of a copy."""

from __future__ import annotations

from collections.abc import Mapping

#: The columns of the staged rows: name → Snowflake type. Read by the product's own expressions for each type.
STAGED_TYPES: Mapping[str, str] = {
    "I": "NUMBER(9,0)",
    "N": "NUMBER(38,0)",
    "E": "NUMBER(10,2)",
    "F": "FLOAT",
    "T": "VARCHAR(100)",
    "B": "BINARY(8)",
    "D": "DATE",
    "H": "TIME(9)",
    "TS": "TIMESTAMP_NTZ(9)",
    "TZ": "TIMESTAMP_TZ(9)",
}

#: Three rows: the lowest values, awkward ones, and NULLs.
_STAGED_ROWS: tuple[Mapping[str, str], ...] = (
    {
        "I": "0",
        "N": "'-99999999999999999999999999999999999999'",
        "E": "'-1.05'",
        "F": "'-0'",
        "T": "''",
        "B": "TO_BINARY('00FF', 'HEX')",
        "D": "'0001-01-01'",
        "H": "'00:00:00'",
        "TS": "'0001-01-01 00:00:00'",
        "TZ": "'1969-12-31 23:59:59.999999 -0500'",
    },
    {
        "I": "1",
        "N": "'99999999999999999999999999999999999999'",
        "E": "'99999999.99'",
        "F": "'0.30000000000000004'",
        "T": "'\\\\N, \"q\"\\n'",
        "B": "TO_BINARY('7F', 'HEX')",
        "D": "'1582-10-04'",
        "H": "'23:59:59.999999'",
        "TS": "'1969-12-31 23:59:59.999999'",
        "TZ": "'9999-12-31 23:59:59.999999 +0000'",
    },
    {"I": "2"},
)

#: Assumption → column → the values of rows 0, 1 and 2 as Python's repr of what stands in Parquet.
PARQUET_EXPECTED: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    "numbers in Parquet": {
        "N": ("-99999999999999999999999999999999999999", "99999999999999999999999999999999999999", "None"),
        "E": ("-1.05", "99999999.99", "None"),
    },
    "floats in Parquet": {"F": ("*", "0.30000000000000004", "None")},
    "binary in Parquet": {"B": ("b'\\x00\\xff'", "b'\\x7f'", "None")},
    "dates in Parquet": {"D": ("0001-01-01", "1582-10-04", "None")},
    "texts in Parquet": {"T": ("''", "'\\\\N, \"q\"\\n'", "None")},
    "times in Parquet": {
        "H": ("0", "86399999999", "None"),
        "TS": ("-62135596800000000", "-1", "None"),
        "TZ": ("17999999999", "253402300799999999", "None"),
    },
    "minus zero": {"F": ("-0.0", "*", "*")},
}  # fmt: skip

#: The same rows in CSV, as bytes in the file; a float is compared by value.
CSV_EXPECTED: Mapping[str, Mapping[str, tuple[str, str, str]]] = {
    "CSV quoting": {"T": ('""', '"\\N, ""q""\n"', "\\N")},
    "CSV values": {
        "N": ("-99999999999999999999999999999999999999", "99999999999999999999999999999999999999", "\\N"),
        "E": ("-1.05", "99999999.99", "\\N"),
        "B": ('"\\x00FF"', '"\\x7F"', "\\N"),
        "D": ('"0001-01-01"', '"1582-10-04"', "\\N"),
        "TS": ('"0001-01-01 00:00:00.000000"', '"1969-12-31 23:59:59.999999"', "\\N"),
        "TZ": ('"1970-01-01 04:59:59.999999+00"', '"9999-12-31 23:59:59.999999+00"', "\\N"),
    },
    "float text": {"F": ("*", "0.30000000000000004", "\\N")},
}


def build_staged_source() -> str:
    """The three rows as a query, every column cast to its type."""
    rows = [
        ", ".join(
            f'CAST({row.get(name, "NULL")} AS {type_}) AS "{name}"' for name, type_ in STAGED_TYPES.items()
        )
        for row in _STAGED_ROWS
    ]
    return "(" + " UNION ALL ".join(f"SELECT {row}" for row in rows) + ")"


def compare_cells(expected: Mapping[str, tuple[str, str, str]], cells: Mapping[str, tuple[str, ...]]) -> str:
    """The first cells that differ, or an empty text. `*` stands for any value."""
    wrong = [
        f"{column} in row {place}: expected {want}, found {got}"
        for column, wanted in expected.items()
        for place, (want, got) in enumerate(zip(wanted, cells.get(column, ("missing",) * 3), strict=True))
        if want not in {"*", got}
    ]
    return "; ".join(wrong[:5])
