"""A record of what the doctor asked and what was answered, to be attached to a report of a problem: `doctor --record FILE`.

It holds no value, name or secret of the user's. The doctor's own questions, and the rows that it unloads itself, are of constants
alone: these are recorded whole, with the bytes of their files, so that a test can ask the stand-in the same. Of any other statement
the form is recorded: every quoted name and text is replaced by a placeholder, every configured expression too, and of its answer the
columns of SHOW and DESCRIBE, the number of rows, or the error's number.
"""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any, Self

from snowmelt.doctor.findings import Finding
from snowmelt.doctor.questions import QUESTIONS

#: Raised when a reader of an older record would misunderstand a newer one.
RECORD_VERSION = 1

#: Texts in statements that are the product's own.
_OWN_TEXTS = frozenset(
    {"AUTO_RESUME", "DATA_RETENTION_TIME_IN_DAYS", "PREVENT_UNLOAD_TO_INLINE_URL", "TABLE", "UTC", "VIEW", "YYYY-MM-DD HH24:MI:SS.FF3", '"', ",", r"\n"}
)  # fmt: skip
_QUOTED = re.compile(r"\"(?:[^\"]|\"\")*\"|'(?:[^'\\]|''|\\.)*'")
#: Where the doctor's own rows are unloaded to: the first text of the statement.
_TARGET = re.compile(
    r"(?s)COPY INTO ('(?:[^']|'')*') FROM \((?!SELECT PARSE_JSON)(.*)\)(?: STORAGE_INTEGRATION = (\"(?:[^\"]|\"\")*\"))?( FILE_FORMAT = .*)"
)
#: Shorter names would stand in words that are nobody's.
_SHORTEST = 4
_QUESTIONS = {question.sql: question.name for question in QUESTIONS}


class Recorder:
    """Collects what passes the doctor's sessions.

    :param names: of the user: databases, schemas, tables, the bucket, roles, hosts …
    :param expressions: of the user: masks and filters, as the configuration has them.
    """

    def __init__(self, names: Iterable[str], expressions: Iterable[str]) -> None:
        known = sorted({name for name in names if len(name) >= _SHORTEST}, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, known)), re.IGNORECASE) if known else None
        self._expressions = sorted(set(expressions), key=len, reverse=True)
        self._asked: list[dict[str, Any]] = []
        self._files: list[dict[str, Any]] = []
        self._placeholders: dict[str, str] = {}
        self.by_query: dict[str, dict[str, Any]] = {}

    def connection(self, connection: Any) -> Any:
        """A session of Snowflake whose statements are recorded."""
        return _RecordedConnection(connection, self)

    def client(self, client: Any) -> Any:
        """An S3 client whose reading of the doctor's own data files is recorded."""
        return _RecordedClient(client, self)

    def ask(self, sql: str) -> dict[str, Any]:
        """The entry of a statement; its answer follows."""
        unload = _TARGET.fullmatch(sql)
        entry: dict[str, Any]
        if sql in _QUESTIONS:
            entry = {"kind": "question", "name": _QUESTIONS[sql], "statement": sql}
        elif unload is not None:
            integration = ' STORAGE_INTEGRATION = "<integration>"' if unload[3] else ""
            entry = {
                "kind": "unload",
                "statement": f"COPY INTO '<location>' FROM ({unload[2]}){integration}{unload[4]}",
            }
        else:
            entry = {"kind": "other", "statement": self._hide(sql)}
        self._asked.append(entry)
        return entry

    def answer(
        self, entry: dict[str, Any], columns: Sequence[Any], rows: Sequence[Sequence[Any]], query_id: str
    ) -> None:
        """The rows of a statement."""
        entry["row_count"] = len(rows)
        shown = entry["statement"].startswith(("SHOW", "DESC"))
        if entry["kind"] != "other" or shown:
            entry["columns"] = [str(column[0]) for column in columns]
        if entry["kind"] == "question":
            entry["rows"] = [[None if value is None else str(value) for value in row] for row in rows]
        elif entry["kind"] == "unload":
            # The folder is the user's, the name Snowflake's.
            entry["rows"] = [
                [str(row[0]).rsplit("/", 1)[-1].replace(query_id, "<query>"), *map(str, row[1:])]
                for row in rows
            ]

    def fail(self, entry: dict[str, Any], error: BaseException) -> None:
        """The error of a statement: its message quotes names, unless the statement has none."""
        entry["error"] = {
            "number": getattr(error, "errno", None),
            "sqlstate": getattr(error, "sqlstate", None),
        }
        if entry["kind"] == "question":
            entry["error"]["message"] = self.clean(str(getattr(error, "raw_msg", None) or error))

    def add_file(self, key: str, content: bytes, encoding: str) -> None:
        """A data file that the doctor unloaded itself."""
        name = re.sub(
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<query>", key.rsplit("/", 1)[-1]
        )
        self._files.append(
            {"name": name, "encoding": encoding, "content": base64.b64encode(content).decode()}
        )

    def clean(self, text: str) -> str:
        """A text without the user's names."""
        return text if self._names is None else self._names.sub("<name>", text)

    def build(self, findings: Iterable[Finding], about: dict[str, str]) -> dict[str, Any]:
        """The record, as plain JSON values.

        :param about: versions, and the account's region.
        """
        return {
            "snowmelt_record": RECORD_VERSION,
            "about": about,
            "findings": [self._describe(finding) for finding in findings],
            "asked": self._asked,
            "files": self._files,
        }

    def _describe(self, finding: Finding) -> dict[str, str]:
        described = {"check": finding.check, "status": finding.status.value}
        if finding.check == "Assumption":
            described |= {"name": self.clean(finding.subject), "found": self.clean(finding.found)}
        return described

    def _hide(self, sql: str) -> str:
        """A statement with placeholders for the user's expressions, names and texts; the same one for the same text."""
        for expression in self._expressions:
            sql = sql.replace(expression, "<expression>")
        return self.clean(_QUOTED.sub(lambda match: self._placeholder(match[0]), sql))

    def _placeholder(self, quoted: str) -> str:
        if quoted[1:-1] in _OWN_TEXTS:
            return quoted
        mark, kind = quoted[0], "name" if quoted[0] == '"' else "text"
        if quoted not in self._placeholders:
            number = 1 + sum(each.startswith(f"{mark}<{kind} ") for each in self._placeholders.values())
            self._placeholders[quoted] = f"{mark}<{kind} {number}>{mark}"
        return self._placeholders[quoted]


class _RecordedConnection:
    """Passes everything on; its cursors record."""

    def __init__(self, connection: Any, recorder: Recorder) -> None:
        self._connection = connection
        self._recorder = recorder

    def cursor(self) -> _RecordedCursor:
        return _RecordedCursor(self._connection.cursor(), self._recorder)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class _RecordedCursor:
    """What `snowmelt.drivers.snowflake` uses of a cursor."""

    def __init__(self, cursor: Any, recorder: Recorder) -> None:
        self._cursor = cursor
        self._recorder = recorder
        self._entry: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str) -> None:
        self._entry = self._recorder.ask(sql)
        self._run(self._cursor.execute, sql)

    def execute_async(self, sql: str) -> None:
        self._entry = self._recorder.ask(sql)
        self._run(self._cursor.execute_async, sql)
        self._recorder.by_query[str(self._cursor.sfqid)] = self._entry

    def get_results_from_sfqid(self, query_id: str) -> None:
        self._entry = self._recorder.by_query.get(query_id, {"kind": "other", "statement": ""})
        self._run(self._cursor.get_results_from_sfqid, query_id)

    def fetchall(self) -> list[Any]:
        rows: list[Any] = self._run(self._cursor.fetchall)
        self._recorder.answer(self._entry, self._cursor.description or (), rows, str(self._cursor.sfqid))
        return rows

    def _run(self, call: Any, *arguments: Any) -> Any:
        began = time.monotonic()
        try:
            return call(*arguments)
        except Exception as error:
            self._recorder.fail(self._entry, error)
            raise
        finally:
            self._entry["seconds"] = round(self._entry.get("seconds", 0.0) + time.monotonic() - began, 3)


class _RecordedClient:
    """Passes everything on, and keeps the content of data files: the doctor reads none but its own."""

    def __init__(self, client: Any, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_object(self, **request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.get_object(**request)
        if not str(request["Key"]).rsplit("/", 1)[-1].startswith("data_"):
            return answer
        content = answer["Body"].read()
        self._recorder.add_file(str(request["Key"]), content, str(answer.get("ContentEncoding") or ""))
        return {**answer, "Body": io.BytesIO(content)}
