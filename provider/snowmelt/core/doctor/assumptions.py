"""What the copy relies on and only a live account can tell, and what follows where it does not hold.

What tells it stands in questions.py (a query each) and staged_rows.py (three rows, unloaded).
"""

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
            "nanoseconds",
            "DATE_PART(NANOSECOND, …) is the whole fraction of a second, before 1970 too, and DATE_TRUNC('MICROSECOND', …) cuts its rest off",
            "Do not rely on the policy `nanoseconds`; report it with this page.",
        ),
        Assumption(
            "JSON numbers",
            "TO_JSON gives every digit of a number of 38 digits inside a VARIANT, and keeps a JSON null apart from NULL",
            _REPORT,
        ),
        Assumption(
            "JSON floats",
            "TO_JSON gives a FLOAT inside a VARIANT with digits that read back as the same float",
            "Such floats arrive with the digits that TO_JSON prints: where the last one matters, copy them as a FLOAT column, from a view.",
            critical=False,
        ),
        Assumption(
            "vector digits",
            "TO_JSON(CAST(<VECTOR(FLOAT, n)> AS ARRAY)) gives digits that read back as the same 32-bit floats",
            "Such elements arrive with the digits that are printed: where the last one matters, report it with this page.",
            critical=False,
        ),
        Assumption(
            "coordinates",
            "ST_ASEWKT gives the SRID, and digits that read back as the same coordinates",
            "Coordinates arrive with the digits that ST_ASEWKT prints; the column can be left out (columns.exclude).",
            critical=False,
        ),
        Assumption(
            "UUID text",
            "a UUID cast to VARCHAR is its 36 characters",
            "Accounts without the type UUID say so here; a table with such a column is refused by name.",
            critical=False,
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
            "text measures",
            "LENGTH counts characters, OCTET_LENGTH UTF-8 bytes, and HEX_ENCODE(…, 0) is lower case",
            _STOPS,
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
