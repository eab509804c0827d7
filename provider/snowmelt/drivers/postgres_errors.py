"""Errors of psycopg, judged by their SQLSTATE; only where the server gave none is its text read.

Sources: PostgreSQL, "PostgreSQL Error Codes" and "Error and Notice Message Fields"; Amazon RDS, "Importing data from Amazon S3".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from snowmelt.drivers.failures import Known, build_failure, hide_quoted, one_line
from snowmelt.drivers.sqlstates import (
    COLLISION,
    LOGIN,
    NO_CONNECTION_LEFT,
    NO_DATABASE,
    NO_SESSION,
    UNKNOWN,
    judge,
)
from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    SnowmeltError,
    TargetError,
    TargetUnavailable,
    Topic,
)
from snowmelt.rights.iam import BUCKET_RIGHTS, Principal
from snowmelt.rights.postgres import CREATE_AWS_S3

_IMPORT = BUCKET_RIGHTS[Principal.DATABASE]
_UNREACHABLE = Known(
    TargetUnavailable,
    "Is it running, and its address in the Airflow connection right?",
    Topic.POSTGRES_UNAVAILABLE,
)
_TLS = Known(
    ConfigurationError,
    "Server and client do not agree on TLS: correct sslmode and sslrootcert in the connection's extra.",
    Topic.POSTGRES_LOGIN,
)
_STARTUP_OPTIONS = Known(
    ConfigurationError,
    "Snowmelt sends no options when it connects: remove `options` from the extra of the Airflow connection, and PGOPTIONS from the "
    "workers' environment.",
    Topic.POOLER,
)
_UNQUALIFIED_ROUTINE = Known(
    TargetError,
    "A function that the target calls (of a trigger, a default, a check or a policy) names an object without its schema. Snowmelt's "
    "sessions search pg_catalog alone: ALTER FUNCTION … SET search_path = its schema, pg_temp.",
    Topic.ROUTINE_FAILED,
)
_NO_ROLE = Known(
    AccessError,
    "The database has no IAM role for S3: add one to the instance under the feature s3Import.",
    Topic.RDS_ROLE,
)

_TextTable = tuple[tuple[tuple[str, ...], Known], ...]
#: Words of the text → what is known, where no code says it: a session that was refused has none.
_REFUSED_SESSIONS: _TextTable = (
    (("password authentication failed",), LOGIN),
    (("no password supplied",), LOGIN),
    (("no pg_hba.conf entry",), LOGIN),
    (("is not permitted to log in",), LOGIN),
    (("role", "does not exist"), LOGIN),
    (("database", "does not exist"), NO_DATABASE),
    (("too many clients already",), NO_CONNECTION_LEFT),
    (("remaining connection slots",), NO_CONNECTION_LEFT),
    (("too many connections for",), NO_CONNECTION_LEFT),
    (("does not support ssl",), _TLS),
    (("certificate verify failed",), _TLS),
    (("server certificate",), _TLS),
    (("unsupported startup parameter",), _STARTUP_OPTIONS),
    (("fatal:",), NO_SESSION),
)
#: The same for XX000, PostgreSQL's code for what it did not foresee: two sessions changed one object.
_COLLISIONS: _TextTable = (
    (("tuple concurrently",), COLLISION),
    (("cache lookup failed for",), COLLISION),
    (("could not open relation with oid",), COLLISION),
)
#: The same for aws_s3, which gives XX000, or the code of a COPY, for whatever S3 answered.
_AWS_S3: _TextTable = (
    (
        ("invalid byte sequence", "0x8b"),
        Known(
            TargetError,
            "That is gzip which aws_s3 did not unpack: the object has no Content-Encoding: gzip. Unload with compression none, or load with load_method copy.",
            Topic.GZIP_CONTENT_ENCODING,
        ),
    ),
    (("temporary credentials",), _NO_ROLE),
    (("s3import",), _NO_ROLE),
    (
        ("http 403",),
        Known(
            AccessError,
            "The database's own IAM role may not read the object: give it rds-aws_s3-policy.json of `airflow snowmelt setup-sql` "
            f"({', '.join((*_IMPORT.objects, *_IMPORT.bucket))}, and {', '.join(_IMPORT.key)} where it is encrypted by a KMS key).",
            Topic.RDS_ROLE,
        ),
    ),
    (
        ("http 404",),
        Known(ConfigurationError, "The object or the bucket does not exist.", Topic.OBJECT_GONE),
    ),
    (
        ("aws_s3", "does not exist"),
        Known(
            ConfigurationError,
            f"The extension is not installed: {CREATE_AWS_S3}, or load with load_method copy.",
            Topic.AWS_S3_MISSING,
        ),
    ),
    (("aws_s3", "connection to s3"), Known(TargetUnavailable, "", Topic.S3_UNAVAILABLE)),
    (("aws_s3", "http 5"), Known(TargetUnavailable, "", Topic.S3_UNAVAILABLE)),
)
#: `COPY orders, line 7, column amount: "x"`, in any language of lc_messages, without the text of the line.
_COPY_LINE = re.compile(
    r"^COPY (?P<table>[^,:]+), \S+ (?P<line>\d+)(?:, \S+ (?P<column>[^,:\"]+))?", re.MULTILINE
)
#: Codes of a name that is not found, where a statement of a function's own looked for it.
_NOT_FOUND = frozenset({"42P01", "42883", "42704", "3F000"})
#: The C function of PostgreSQL that raises what PL/pgSQL's RAISE was given.
_RAISE = "exec_stmt_raise"
#: Codes of class 22 whose text quotes a setting or an encoding, and no value of a row.
_WITHOUT_VALUES = frozenset({"22021", "22023", "22P03", "22P04", "22P05"})
#: Classes whose text is written by a function's author, who may have put a row's values into it.
_BY_AUTHORS = frozenset({"38", "39", "P0"})


@contextmanager
def postgres_failures(doing: str, **facts: Any) -> Iterator[None]:
    """Turn psycopg's errors into Snowmelt's.

    :param doing: what was under way, with table and file.
    :param facts: attributes of `SnowmeltError` that the server does not know: file, run_id.
    """
    try:
        yield
    except psycopg.Error as error:
        raise postgres_failure(error, doing, **facts).with_traceback(error.__traceback__) from None


def postgres_failure(error: psycopg.Error, doing: str, **facts: Any) -> SnowmeltError:
    """Snowmelt's error for one of psycopg."""
    known = _find(error)
    if known is None:
        return build_failure(_UNREACHABLE, doing, f"PostgreSQL could not be reached: {one_line(error)}")
    return build_failure(known, doing, describe_answer(error), **(read_facts(error) | facts))


def describe_answer(error: psycopg.Error, *, places: bool = True) -> str:
    """`PostgreSQL answered 23505: …`: code, text, table, column, constraint and row, and no value of a row.

    DETAIL is left out where it quotes the row or its key (class 23), CONTEXT always but for the row's number: it quotes the line
    of a COPY. In class 22 what is quoted is left out. Of what a function raised, only its condition and its place are shown.

    :param places: whether table, column, constraint and row are named, where the text does not name them.
    """
    state, diagnosis = error.sqlstate or "", error.diag
    answered = f"PostgreSQL answered {state or type(error).__name__}: "
    facts = read_facts(error)
    if _is_authored(error):
        text = _condition(error)
        frame = next(iter((diagnosis.context or "").splitlines()), "")
        if frame and not _COPY_LINE.match(frame):
            text += f"; raised by {one_line(frame)}"
    else:
        text = one_line(diagnosis.message_primary or error)
        if state.startswith("22") and state not in _WITHOUT_VALUES:
            text = hide_quoted(text)
        elif not state.startswith(("22", "23", "44")):
            parts = [text, diagnosis.message_detail, diagnosis.message_hint]
            text = "; ".join(one_line(part).rstrip(".") for part in parts if part)
    names = [
        f"{kind} {name}"
        for kind in ("table", "column", "constraint")
        if (name := facts.get(kind)) and f'"{name}"' not in text
    ]
    if "row" in facts:
        names.append(f"row {facts['row']:,} of the COPY")
    where = f"; {', '.join(names)}" if names and places else ""
    return answered + text.rstrip(". ") + where


def read_facts(error: psycopg.Error) -> dict[str, Any]:
    """What the server named: code, table, column, constraint; and the row of the COPY that it stopped at."""
    diagnosis = error.diag
    at = _COPY_LINE.search(diagnosis.context or "")
    table = diagnosis.table_name
    if table and diagnosis.schema_name:
        table = f"{diagnosis.schema_name}.{table}"
    facts = {
        "code": error.sqlstate,
        "table": table or (at["table"] if at else None),
        "column": diagnosis.column_name or (at["column"] if at else None),
        "constraint": diagnosis.constraint_name,
        "row": int(at["line"]) if at else None,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _is_authored(error: psycopg.Error) -> bool:
    state = error.sqlstate or ""
    return error.diag.source_function == _RAISE or state[:2] in _BY_AUTHORS


def _condition(error: psycopg.Error) -> str:
    """`UniqueViolation` → `unique violation`."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__.rstrip("_")).lower()


def _find(error: psycopg.Error) -> Known | None:
    """What is known of the error; None where no server answered."""
    state, diagnosis = error.sqlstate or "", error.diag
    parts = (
        diagnosis.message_primary or error,
        diagnosis.message_detail,
        diagnosis.message_hint,
        diagnosis.context,
    )
    text = one_line(" ".join(str(part) for part in parts if part)).lower()
    if any(word in text for word in ("aws_s3", "aws_commons", "s3import")) and (
        known := _find_by_text(_AWS_S3, text)
    ):
        return known
    if state in _NOT_FOUND and diagnosis.internal_query:
        return _UNQUALIFIED_ROUTINE
    if state == "XX000" and (known := _find_by_text(_COLLISIONS, text)):
        return known
    # A pooler answers 08P01, or another code of the class, with the text of the server behind it.
    refused = not state or (state.startswith("08") and diagnosis.severity_nonlocalized == "FATAL")
    if refused and (known := _find_by_text(_REFUSED_SESSIONS, text)):
        return known
    if state:
        return NO_SESSION if refused else judge(state)
    return None if _is_unreached(error, text) else UNKNOWN


def _find_by_text(table: _TextTable, text: str) -> Known | None:
    return next((known for words, known in table if all(word in text for word in words)), None)


def _is_unreached(error: psycopg.Error, text: str) -> bool:
    """No answer of the server's: the connection is refused, lost, or was lost before (an InterfaceError)."""
    if isinstance(error, psycopg.OperationalError):
        return True
    return isinstance(error, psycopg.InterfaceError) and "connection" in text
