"""What the copy relies on and only a live account can tell, each with the question that tells it and what follows if not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snowmelt.core.doctor.findings import Finding, Remedy, Status, found


@dataclass(frozen=True, slots=True)
class Assumption:
    """One belief about an account."""

    name: str
    #: What is believed.
    claim: str
    #: What it means, and what to do, where it does not hold.
    then: str
    #: Whether a copy could be wrong without it; else it is only told.
    critical: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """One query that returns one row, and the row that is expected, each value as text (None: NULL)."""

    name: str
    sql: str
    expected: tuple[str | None, ...]


_REPORT = "Do not copy tables with such a column; report it with this page."
_STOPS = "The verification would stop runs that are right; set a mask or report it."

ASSUMPTIONS: Mapping[str, Assumption] = {
    one.name: one
    for one in (
        Assumption(
            "epoch microseconds",
            "DATE_PART(EPOCH_MICROSECOND, …) is exact from year 1 to 9999, negative before 1970, and the UTC instant of a TIMESTAMP_TZ",
            _REPORT,
        ),
        Assumption(
            "float text",
            "TO_VARCHAR(<FLOAT>, 'TME') gives 17 significant digits, which read back as the same float",
            "Copy floats by Parquet, not by CSV.",
        ),
        Assumption("minus zero", "a FLOAT -0 stays -0", "-0 arrives as 0, which equals it.", critical=False),
        Assumption(
            "float fingerprint",
            "TRUNC, POWER of 2 and CAST AS NUMBER(38,0) of a FLOAT below 2^49 are exact",
            _STOPS,
        ),
        Assumption("hash", "MD5_NUMBER_LOWER64 is the lower half of the MD5, unsigned", _STOPS),
        Assumption(
            "text measures", "OCTET_LENGTH counts UTF-8 bytes and HEX_ENCODE(…, 0) is lower case", _STOPS
        ),
        Assumption(
            "timestamp in Parquet",
            "a plain TIMESTAMP_NTZ is written in milliseconds, or in microseconds: never relied on, since timestamps travel as whole numbers",
            "Nothing: it is told for the record.",
            critical=False,
        ),
        Assumption(
            "number types",
            "with ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION off, NUMBER(38,0) is DECIMAL(38,0) and NUMBER(10,2) DECIMAL(10,2) in every file",
            "Narrower types are read too; an unknown one is refused by name before a row is loaded.",
            critical=False,
        ),
        Assumption("numbers in Parquet", "38 digits and a scale of 2 come back to the digit", _REPORT),
        Assumption("floats in Parquet", "a FLOAT is a 64-bit double, all bits of it", _REPORT),
        Assumption("binary in Parquet", "BINARY is raw bytes, not hexadecimal digits", _REPORT),
        Assumption("dates in Parquet", "dates before 1582 are proleptic Gregorian, as PostgreSQL's are", _REPORT),
        Assumption("texts in Parquet", "quotes, line ends, an empty text and NULL stay apart", _REPORT),
        Assumption("times in Parquet", "instants and times come back to the microsecond", _REPORT),
        Assumption(
            "CSV quoting",
            'every text is enclosed in quotes and NULL is a bare \\N: "" is empty, "\\N" a text',
            "Copy by Parquet, not by CSV.",
        ),
        Assumption("CSV values", "numbers, floats, dates, instants and bytes are written as COPY reads them", _REPORT),
        Assumption(
            "gzip header",
            "Content-Encoding is not set on gzip files, which aws_s3 would need: CSV for aws_s3 is not compressed",
            "Nothing: it is told for the record.",
            critical=False,
        ),
        Assumption(
            "unload result", "DETAILED_OUTPUT returns file name, bytes and rows, in that order", "No run can be planned."
        ),
        Assumption(
            "file names",
            "INCLUDE_QUERY_ID puts the query's id into each name",
            "A repeated unload could meet its own names: report it.",
        ),
        Assumption("no rows", "an unload of no rows returns no file and writes none", "Report it: an empty chunk would be loaded."),
        Assumption(
            "time travel",
            "SELECT … AT(TIMESTAMP => …) reads a configured table at Snowflake's own present",
            "Runs have no snapshot: copy while nobody writes.",
        ),
    )
}  # fmt: skip

QUESTIONS: tuple[Question, ...] = (
    Question(
        "epoch microseconds",
        "SELECT DATE_PART(EPOCH_MICROSECOND, '1969-12-31 23:59:59.999999'::TIMESTAMP_NTZ), "
        "DATE_PART(EPOCH_MICROSECOND, '0001-01-01 00:00:00'::TIMESTAMP_NTZ), "
        "DATE_PART(EPOCH_MICROSECOND, '9999-12-31 23:59:59.999999'::TIMESTAMP_NTZ), "
        "DATE_PART(EPOCH_MICROSECOND, '1969-12-31 23:59:59.500000 -0500'::TIMESTAMP_TZ)",
        ("-1", "-62135596800000000", "253402300799999999", "17999500000"),
    ),
    Question(
        "float fingerprint",
        "SELECT CAST(TRUNC(562949953421311::FLOAT + 0.5::FLOAT) AS NUMBER(38,0)), "
        "CAST(TRUNC(-562949953421311::FLOAT - 0.5::FLOAT) AS NUMBER(38,0)), "
        "IFF(POWER(2, -1074) * POWER(2, 537) * POWER(2, 537) = 1, 1, 0), "
        "CAST((0.1::FLOAT - TRUNC(0.1::FLOAT)) * 562949953421312 * 64 AS NUMBER(38,0))",
        ("562949953421311", "-562949953421311", "1", "3602879701896397"),
    ),
    Question("hash", "SELECT MD5_NUMBER_LOWER64('abc')", ("15462616177412505458",)),
    Question(
        "text measures",
        "SELECT OCTET_LENGTH('Ü€😀'), HEX_ENCODE(TO_BINARY('00FFAB', 'HEX'), 0)",
        ("9", "00ffab"),
    ),
)

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


def judge(name: str, expected: object, got: object) -> Finding:
    """Whether an assumption holds.

    :param expected: what was expected; compared with `got` by its text.
    """
    assumption = ASSUMPTIONS[name]
    if str(expected) == str(got):
        return found("Assumption", name, Status.OK, assumption.claim)
    status = Status.WRONG if assumption.critical else Status.ATTENTION
    told = f"expected {expected}, found {got}" if expected != "" else str(got)
    text = f"does not hold here: {assumption.claim}. Asked: {told}."
    return found("Assumption", name, status, text, Remedy("the configuration file", (assumption.then,)))


def tell(name: str, told: str) -> Finding:
    """An assumption that is only told."""
    return found("Assumption", name, Status.OK, told)


def compare_cells(expected: Mapping[str, tuple[str, str, str]], cells: Mapping[str, tuple[str, ...]]) -> str:
    """The first cells that differ, or an empty text. `*` stands for any value."""
    wrong = [
        f"{column} in row {place}: expected {want}, found {got}"
        for column, wanted in expected.items()
        for place, (want, got) in enumerate(zip(wanted, cells.get(column, ("missing",) * 3), strict=True))
        if want not in {"*", got}
    ]
    return "; ".join(wrong[:5])
