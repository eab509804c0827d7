"""What the copy relies on and only a live account can answer, and what follows where it does not hold.

The account is asked by the queries and by the three rows of questions.py, unloaded as Parquet, CSV and gzip.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snowmelt.doctor.findings import Finding, Remedy, Status, found
from snowmelt.doctor.questions import (
    CSV_EXPECTED,
    PARQUET_EXPECTED,
    QUESTIONS,
    STAGED_TYPES,
    Question,
    build_staged_source,
    compare_cells,
)
from snowmelt.doctor.staging import remove_probe, unload_probe
from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.drivers.snowflake import (
    SESSION_PARAMETERS,
    Connection,
    read_named_rows,
    read_result,
    read_rows,
    submit_query,
)
from snowmelt.errors import SnowmeltError
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import ColumnRules, SourceColumn
from snowmelt.types.type_names import describe_snowflake_type
from snowmelt.unload.manifest import StagedFile
from snowmelt.unload.statements import Location, build_select, build_unload
from snowmelt.vocabulary import FileFormat


@dataclass(frozen=True, slots=True)
class Assumption:
    """One belief about an account."""

    name: str
    #: What is believed.
    claim: str
    #: What it means, and what to do, where it does not hold.
    then: str
    #: Whether a copy could be wrong without it; else it is only reported.
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
            "JSON NULL",
            "TO_JSON prints a SQL NULL inside an ARRAY as `undefined`",
            "Nothing: both forms are loaded as a JSON null.",
            critical=False,
        ),
        Assumption(
            "JSON times",
            "TO_JSON prints times inside a VARIANT by the session's output formats, with all nine digits",
            _REPORT,
        ),
        Assumption("literals", "dates and times are read from ISO texts, day and month in their order", _REPORT),
        Assumption(
            "JSON floats",
            "TO_JSON prints a FLOAT inside a VARIANT with 16 significant digits",
            "Such floats arrive with the digits that TO_JSON prints; docs/types.md says how to copy them to the last bit.",
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
            "Nothing: it is reported for the record.",
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
            'every text is enclosed in quotes and NULL is nothing between the delimiters: "" is an empty text',
            "Copy by Parquet, not by CSV.",
        ),
        Assumption("CSV values", "numbers, floats, dates, instants and bytes are written as COPY reads them", _REPORT),
        Assumption(
            "gzip header",
            "Content-Encoding is not set on gzip files, which aws_s3 would need: CSV for aws_s3 is not compressed",
            "Nothing: it is reported for the record.",
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
            "session parameters",
            "SHOW PARAMETERS IN SESSION lists every parameter that a session sets",
            "Nothing: what the account does not list is left out of the session, and named.",
            critical=False,
        ),
        Assumption(
            "query history",
            "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY has ROWS_UNLOADED, and the role may read it",
            "A finished unload whose result is lost, and whose rows were not counted at planning, is unloaded again.",
            critical=False,
        ),
        Assumption(
            "metadata columns",
            "DESCRIBE TABLE and SHOW OBJECTS have the columns that planning reads",
            "Policies, or a source that was created again, would go unseen: report it with this page.",
        ),
        Assumption(
            "time travel",
            "SELECT … AT(TIMESTAMP => …) reads a configured table at Snowflake's own present",
            "Runs have no snapshot: copy while the source does not change.",
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
    answer = f"expected {expected}, found {got}" if expected != "" else str(got)
    text = f"does not hold here: {assumption.claim}. Asked: {answer}."
    return found("Assumption", name, status, text, Remedy("the configuration file", (assumption.then,)))


def report(name: str, text: str) -> Finding:
    """An assumption that is only reported."""
    return found("Assumption", name, Status.OK, text)


_CELL = re.compile(r'("(?:[^"]|"")*"|[^,\n]*)([,\n])')
_DETAILS = 3


def ask_questions(session: Connection) -> list[Finding]:
    """The assumptions that a query each answers."""
    return [_ask(session, question) for question in QUESTIONS]


def _ask(session: Connection, question: Question) -> Finding:
    try:
        row = read_rows(session, question.sql, f"Asking for the assumption {question.name!r}")[0]
    except SnowmeltError as error:
        return judge(question.name, question.expected, error)
    try:
        got = tuple(None if value is None else question.read(str(value)) for value in row)
    except ValueError:  # no text of the kind that is expected: it is shown as it is
        got = tuple(None if value is None else str(value) for value in row)
    return judge(question.name, question.expected, got)


def check_parameters(session: Connection) -> Finding:
    """Which of the parameters that a session sets the account does not list; reported alone."""
    rows = read_named_rows(session, "SHOW PARAMETERS IN SESSION", "Reading the session's parameters")
    listed = {str(row["key"]).upper() for row in rows}
    unknown = sorted(SESSION_PARAMETERS.keys() - listed)
    text = "every parameter that a session sets is listed"
    return report(
        "session parameters", f"not listed here, and not set: {', '.join(unknown)}" if unknown else text
    )


def check_history(session: Connection) -> Finding:
    """The assumption that the account's query history may be read."""
    try:
        read_rows(
            session,
            "SELECT ROWS_UNLOADED FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY LIMIT 0",
            "Looking for the query history",
        )
    except SnowmeltError as error:
        return judge("query history", "", error)
    return judge("query history", "", "")


def try_staging(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    """The assumptions that staged files answer. The folder is removed again.

    :param path: folder below the stage for this alone; ends in a slash.
    """
    findings: list[Finding] = []
    probes = (_try_parquet, _try_csv, _try_gzip, _try_timestamp, _try_empty)
    for place, probe in enumerate(probes):
        try:
            findings += probe(session, client, location, f"{path}{place}/")
        except SnowmeltError as error:
            text = f"the staged files could not be made or read, and their assumptions are not known: {error}"
            findings.append(found("Assumption", "staged files", Status.UNKNOWN, text))
            break
    removal = remove_probe(session, client, location, path)
    return (
        findings if findings and findings[-1].status is Status.UNKNOWN else [*findings, *_only_wrong(removal)]
    )


def _only_wrong(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.fails]


def _select(file_format: FileFormat) -> str:
    """The three rows by the expressions that a copy of such columns would use."""
    source = tuple(
        SourceColumn(
            name=name,
            type=describe_snowflake_type(type_),
            nullable=True,
            primary_key=None,
            comment=None,
        )
        for name, type_ in STAGED_TYPES.items()
    )
    columns = plan_columns(source, None, ColumnRules(), file_format).columns
    return build_select(
        [(column.source, column.select) for column in columns], build_staged_source(), "", None
    )


def _read(client: Any, location: Location, file: StagedFile) -> tuple[bytes, str]:
    with s3_failures(f"Reading s3://{location.bucket}/{file.key}"):
        answer = client.get_object(Bucket=location.bucket, Key=file.key)
        return answer["Body"].read(), str(answer.get("ContentEncoding") or "")


def _try_parquet(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    import pyarrow.parquet

    select = _select(FileFormat.PARQUET)
    sql = build_unload(
        location, path, select, file_format="parquet", compression="snappy", max_file_bytes=2**24
    )
    query_id = submit_query(session, sql, "Unloading three rows as Parquet")
    rows = read_result(session, query_id, "Unloading three rows as Parquet")
    shape = [
        len(row) == _DETAILS and isinstance(row[0], str) and int(row[1]) > 0 and int(row[2]) == _DETAILS
        for row in rows
    ]
    findings = [
        judge("unload result", [True], shape),
        judge("file names", True, all(query_id in str(row[0]) for row in rows)),
    ]
    name = str(rows[0][0]).rsplit("/", 1)[-1]
    file = StagedFile(location.key(path + name), int(rows[0][1]), int(rows[0][2]), 0)
    table = pyarrow.parquet.read_table(pyarrow.BufferReader(_read(client, location, file)[0]))
    types = {field.name: str(field.type) for field in table.schema}
    wanted = {"N": "decimal128(38, 0)", "E": "decimal128(10, 2)"}
    findings.append(judge("number types", wanted, {one: types.get(one) for one in wanted}))
    ordered = sorted(table.to_pylist(), key=lambda row: int(row["I"]))
    cells = {name: tuple(_show(row[name]) for row in ordered) for name in table.column_names}
    return findings + [
        judge(assumption, "", compare_cells(expected, cells))
        for assumption, expected in PARQUET_EXPECTED.items()
    ]


def _show(value: object) -> str:
    return repr(value) if value is None or isinstance(value, (str, bytes, float)) else str(value)


def _try_csv(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    file = unload_probe(session, location, path, _select(FileFormat.CSV), "csv", "none")[0]
    text = _read(client, location, file)[0].decode()
    rows = sorted(_split(text), key=lambda row: int(row[0]))
    cells = {
        name: tuple(row[place] for row in rows) if len(rows) == _DETAILS else ("unreadable",) * _DETAILS
        for place, name in enumerate(STAGED_TYPES)
    }
    cells["F"] = tuple(_float(cell) for cell in cells["F"])
    return [
        judge(assumption, "", compare_cells(expected, cells)) for assumption, expected in CSV_EXPECTED.items()
    ]


def _split(text: str) -> list[list[str]]:
    """Cells as they are written, quotes included: a reader of CSV would remove them."""
    rows: list[list[str]] = [[]]
    for match in _CELL.finditer(text):
        rows[-1].append(match[1])
        if match[2] == "\n":
            rows.append([])
    return [row for row in rows if row]


def _float(cell: str) -> str:
    bare = cell.strip('"')
    try:
        return repr(float(bare))
    except ValueError:
        return cell


def _try_gzip(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    file = unload_probe(session, location, path, 'SELECT 1 AS "ONE"', "csv", "gzip")[0]
    encoding = _read(client, location, file)[1]
    return [report("gzip header", f"Content-Encoding of a gzip file: {encoding or 'not set'}")]


def _try_timestamp(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    import pyarrow.parquet

    select = "SELECT '2024-01-02 03:04:05.123456'::TIMESTAMP_NTZ(9) AS \"TS\""
    file = unload_probe(session, location, path, select, "parquet", "snappy")[0]
    schema = pyarrow.parquet.read_schema(pyarrow.BufferReader(_read(client, location, file)[0]))
    return [
        report(
            "timestamp in Parquet", f"a plain TIMESTAMP_NTZ is written as {schema.field('TS').type}; unused"
        )
    ]


def _try_empty(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    files = unload_probe(
        session, location, path, 'SELECT 1 AS "ONE" FROM (SELECT 1 AS "X") WHERE "X" = 0', "parquet", "snappy"
    )
    with s3_failures(f"Listing s3://{location.bucket}/{location.key(path)}"):
        there = client.list_objects_v2(Bucket=location.bucket, Prefix=location.key(path)).get("KeyCount", 0)
    return [judge("no rows", (0, 0), (len(files), there))]
