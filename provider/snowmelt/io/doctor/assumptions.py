"""Asking a live account what the copy relies on: queries, and three rows unloaded as Parquet, CSV and gzip."""

from __future__ import annotations

import re
from typing import Any

from snowmelt.core.columns.plan import ColumnRules, SourceColumn, plan_columns
from snowmelt.core.columns.types import FileFormat, describe_snowflake_type
from snowmelt.core.doctor.assumptions import judge, tell
from snowmelt.core.doctor.findings import Finding, Status, found
from snowmelt.core.doctor.questions import QUESTIONS, Question
from snowmelt.core.doctor.staged_rows import (
    CSV_EXPECTED,
    PARQUET_EXPECTED,
    STAGED_TYPES,
    build_staged_source,
    compare_cells,
)
from snowmelt.core.unload.manifest import StagedFile
from snowmelt.core.unload.statements import Location, build_select, build_unload
from snowmelt.errors import SnowmeltError
from snowmelt.io.doctor.staging import remove_probe, unload_probe
from snowmelt.io.failures.s3 import s3_failures
from snowmelt.io.snowflake import Connection, read_result, read_rows, submit_query

_CELL = re.compile(r'("(?:[^"]|"")*"|[^,\n]*)([,\n])')
_DETAILS = 3


def ask_questions(session: Connection) -> list[Finding]:
    """The assumptions that one query tells."""
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


def try_staging(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    """The assumptions that staged files tell. The folder is removed again.

    :param path: folder below the stage for this alone; ends in a slash.
    """
    findings: list[Finding] = []
    probes = (_try_parquet, _try_csv, _try_gzip, _try_timestamp, _try_empty)
    for place, probe in enumerate(probes):
        try:
            findings += probe(session, client, location, f"{path}{place}/")
        except SnowmeltError as error:
            text = f"the staged files could not be made or read, and what they tell is not known: {error}"
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
    """Cells as they stand, quotes included: a reader of CSV would take away what is asked for."""
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
    return [tell("gzip header", f"Content-Encoding of a gzip file: {encoding or 'not set'}")]


def _try_timestamp(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    import pyarrow.parquet

    select = "SELECT '2024-01-02 03:04:05.123456'::TIMESTAMP_NTZ(9) AS \"TS\""
    file = unload_probe(session, location, path, select, "parquet", "snappy")[0]
    schema = pyarrow.parquet.read_schema(pyarrow.BufferReader(_read(client, location, file)[0]))
    return [
        tell("timestamp in Parquet", f"a plain TIMESTAMP_NTZ is written as {schema.field('TS').type}; unused")
    ]


def _try_empty(session: Connection, client: Any, location: Location, path: str) -> list[Finding]:
    files = unload_probe(
        session, location, path, 'SELECT 1 AS "ONE" FROM (SELECT 1 AS "X") WHERE "X" = 0', "parquet", "snappy"
    )
    with s3_failures(f"Listing s3://{location.bucket}/{location.key(path)}"):
        there = client.list_objects_v2(Bucket=location.bucket, Prefix=location.key(path)).get("KeyCount", 0)
    return [judge("no rows", (0, 0), (len(files), there))]
