"""A run's report: what was copied from where, counted at four places, compared, how fast, by which queries, how it ended.

Made from the ledger alone, so it can be made at any time, of a run that failed as well. The same values as JSON (the ledger's
snowmelt.run.report, report.json beside the manifest) and as Markdown (the log, notifications).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from snowmelt.progress.verdict import describe_fingerprint
from snowmelt.state import describe_difference

#: Raised when a reader of an older report would misunderstand a newer one.
REPORT_VERSION = 1

#: Queries named in the Markdown; the JSON has all of them.
_SHOWN_QUERIES = 10
#: Chunks that differ, likewise.
_SHOWN_CHUNKS = 20


@dataclass(frozen=True, slots=True)
class Step:
    """How long a step of the run took by the clock, from its first task's start to its last task's end."""

    name: str
    seconds: float
    #: Rows that passed it; None where a rate means nothing.
    rows: int | None

    @property
    def rate(self) -> float | None:
        """Rows a second."""
        return None if self.rows is None or self.seconds <= 0 else self.rows / self.seconds


@dataclass(frozen=True, slots=True)
class Query:
    """An unload: one chunk, one query of Snowflake."""

    chunk: int
    query_id: str
    files: int
    rows: int
    bytes: int
    #: From its submission to the reading of its result.
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """All that a person asks about a run that ended, or did not."""

    run_id: str
    dag_id: str | None
    dag_run_id: str | None
    mode: str
    source: str
    target: str
    #: The instant that was read, in UTC, or None and why not.
    snapshot: str | None
    snapshot_note: str | None
    #: What Snowflake's policies on the source make of the copy; None: nothing, for certain.
    source_policies: str | None
    #: published, tested, unloaded, or how far it came.
    outcome: str
    error: str | None
    #: Of a failed run: the step, and what the target held then.
    failed_step: str | None
    target_check: str | None
    #: Only rows for which this predicate holds were copied; empty: all rows.
    filter: str
    #: Source columns that were replaced by a mask, that were left out, and those that alone were taken (none: all).
    masked_columns: tuple[str, ...]
    excluded_columns: tuple[str, ...]
    included_columns: tuple[str, ...]
    #: Who ran it, by which roles, warehouse, versions and configuration.
    audit: Mapping[str, Any]
    #: SHA-256 of the loaded files' keys, ETags, bytes and rows, a line each, in the order of the keys; the ledger has each of them.
    files_sha256: str | None
    #: Rows counted in Snowflake at the snapshot, in the staged files, taken by COPY (by the ledger; rejected ones
    #: included), and in the staging table. None: it did not come so far.
    snowflake_rows: int | None
    file_rows: int | None
    loaded_rows: int | None
    table_rows: int | None
    #: Rows that PostgreSQL cannot hold, set aside in snowmelt.rejected_row.
    rejected_rows: int
    #: Whether the fingerprints were compared and agreed, in words.
    fingerprint: str
    #: What the comparison of the whole table found; None without one.
    comparison: Mapping[str, Any] | None
    files: int | None
    bytes: int | None
    #: What the publish did: method, rows_before, rows_after, …; None before it.
    publish: Mapping[str, Any] | None
    started_at: str | None
    finished_at: str | None
    steps: tuple[Step, ...]
    queries: tuple[Query, ...]

    @property
    def is_part(self) -> bool:
        """Whether rows or columns of the source were left out, or replaced: such a copy never reads as the whole."""
        return bool(self.filter or self.masked_columns or self.excluded_columns or self.included_columns)

    def summary(self) -> dict[str, Any]:
        """The report without its queries: small, for XComs."""
        values = asdict(self)
        del values["queries"]
        values |= {
            name: list(values[name]) for name in ("masked_columns", "excluded_columns", "included_columns")
        }
        values["steps"] = [
            {"name": step.name, "seconds": round(step.seconds, 3), "rows": step.rows} for step in self.steps
        ]
        return values

    def to_json(self) -> dict[str, Any]:
        """The whole report, as plain JSON values."""
        return {
            "snowmelt_report": REPORT_VERSION,
            **self.summary(),
            "queries": [asdict(query) for query in self.queries],
        }

    def to_markdown(self) -> str:
        """The report as a person reads it."""
        parts = [
            f"# {_text(self.source)} → {_text(self.target)}: {self.outcome}{' (a part of the source)' if self.is_part else ''}",
            *([f"**Error:** {_text(self.error)}"] if self.error else []),
            _table(("", ""), self._facts()),
            "## Rows",
            _table(("counted", "rows"), self._counts()),
            *(["## Comparison", *self._compared()] if self.comparison else []),
            *(["## Time", _table(("step", "seconds", "rows/s"), self._times())] if self.steps else []),
            *(["## Queries", _table(_QUERY_COLUMNS, self._query_rows())] if self.queries else []),
        ]
        more = len(self.queries) - _SHOWN_QUERIES
        return (
            "\n\n".join([*parts, *([f"And {more:,} more, in the JSON report."] if more > 0 else [])]) + "\n"
        )

    def _facts(self) -> list[tuple[str, ...]]:
        facts = [
            ("run", f"`{self.run_id}`"),
            ("DAG run", f"{self.dag_id or '-'}, {self.dag_run_id or '-'}"),
            ("mode", self.mode),
            ("snapshot", self.snapshot or f"none: {self.snapshot_note or 'not planned yet'}"),
            *([("policies on the source", self.source_policies)] if self.source_policies else []),
            *([("only rows where", f"`{self.filter}`")] if self.filter else []),
            *(
                (name, ", ".join(columns))
                for name, columns in (
                    ("masked columns", self.masked_columns),
                    ("excluded columns", self.excluded_columns),
                    ("only columns", self.included_columns),
                )
                if columns
            ),
            *([("failed in", self.failed_step)] if self.failed_step else []),
            *([("target", self.target_check)] if self.target_check else []),
            ("started", self.started_at or "-"),
            ("ended", self.finished_at or "-"),
        ]
        if self.files is not None and self.bytes is not None:
            facts.append(("files", f"{self.files:,}, {self.bytes / 1e6:,.1f} MB"))
        if self.publish is not None:
            facts.append(("publish", _publish(self.publish)))
            facts.append(("whole target", _whole_target(self.publish)))
        facts += [(name.replace("_", " "), str(value)) for name, value in self.audit.items() if value]
        return [(name, _text(value)) for name, value in facts]

    def _counts(self) -> list[tuple[str, ...]]:
        return [
            ("in Snowflake", _number(self.snowflake_rows)),
            ("in the files", _number(self.file_rows)),
            ("loaded", _number(self.loaded_rows)),
            ("set aside", _number(self.rejected_rows)),
            ("in the table before its publish", _number(self.table_rows)),
            ("fingerprints", _text(self.fingerprint)),
        ]

    def _compared(self) -> list[str]:
        found = self.comparison or {}
        keys = [(f"{kind} keys", _text("; ".join(named))) for kind, named in found["keys"].items() if named]
        facts = _table(("", ""), [("whole table", _text(found["text"])), *keys])
        chunks = [
            (_text(one["label"]), f"{one['source_rows']:,}", f"{one['target_rows']:,}")
            for one in found["differences"][:_SHOWN_CHUNKS]
        ]
        return [facts, *([_table(_CHUNK_COLUMNS, chunks)] if chunks else [])]

    def _times(self) -> list[tuple[str, ...]]:
        return [
            (step.name, f"{step.seconds:,.1f}", "-" if step.rate is None else f"{step.rate:,.0f}")
            for step in self.steps
        ]

    def _query_rows(self) -> list[tuple[str, ...]]:
        return [
            (
                f"{query.chunk:03d}",
                f"`{query.query_id}`",
                f"{query.files:,}",
                f"{query.rows:,}",
                f"{query.seconds:,.1f}",
            )
            for query in self.queries[:_SHOWN_QUERIES]
        ]


_CHUNK_COLUMNS = ("chunk", "rows in Snowflake", "rows in the target")
_QUERY_COLUMNS = ("chunk", "query", "files", "rows", "seconds")


def build_report(run: Mapping[str, Any], chunks: Sequence[Mapping[str, Any]]) -> Report:
    """The report of a run.

    :param run: a row of the ledger's READ_REPORT.
    :param chunks: rows of its READ_CHUNKS, in the order of the chunks.
    """
    verification = run["verification"] or {}
    rules = run["column_rules"] or {}
    return Report(
        run_id=run["run_id"],
        dag_id=run["dag_id"],
        dag_run_id=run["dag_run_id"],
        mode=run["mode"],
        source=run["source"],
        target=run["target"],
        snapshot=run["snapshot"],
        snapshot_note=run["snapshot_note"],
        source_policies=run["source_policies"],
        outcome=run["outcome"],
        error=run["error"],
        failed_step=run["failed_step"],
        target_check=run["target_check"],
        filter=run["filter"],
        masked_columns=tuple(sorted(rules.get("mask") or ())),
        excluded_columns=tuple(rules.get("exclude") or ()),
        included_columns=tuple(rules.get("include") or ()),
        audit=run["audit"] or {},
        files_sha256=run["files_sha256"],
        snowflake_rows=None if run["source_rows"] is None else int(run["source_rows"]),
        file_rows=None if run["staged_rows"] is None else int(run["staged_rows"]),
        loaded_rows=None
        if run["load_ended_at"] is None
        else int(run["loaded_rows"]) + int(run["rejected_rows"]),
        table_rows=verification.get("table_rows"),
        rejected_rows=int(run["rejected_rows"]),
        fingerprint=_fingerprint(run, verification),
        comparison=verification.get("comparison"),
        files=run["staged_files"],
        bytes=None if run["staged_bytes"] is None else int(run["staged_bytes"]),
        publish=run["publish_result"],
        started_at=_time(run["started_at"]),
        finished_at=_time(run["finished_at"]),
        steps=_steps(run),
        queries=tuple(
            Query(
                chunk["chunk"],
                chunk["query_id"],
                chunk["files"],
                chunk["rows"],
                chunk["bytes"],
                round(float(chunk["seconds"]), 3),
            )
            for chunk in chunks
        ),
    )


def _steps(run: Mapping[str, Any]) -> tuple[Step, ...]:
    """Each step from the end of the one before it, by the ledger's times."""
    marks = (
        ("unload", run["started_at"], run["staged_at"], run["staged_rows"]),
        ("load", run["load_started_at"], run["load_ended_at"], run["loaded_rows"]),
        ("verify", run["load_ended_at"] or run["staged_at"], run["verified_at"], run["loaded_rows"]),
        ("publish", run["verified_at"], run["published_at"], None),
        ("all", run["started_at"], run["finished_at"], run["loaded_rows"]),
    )
    return tuple(
        Step(name, max((end - start).total_seconds(), 0.0), None if rows is None else int(rows))
        for name, start, end, rows in marks
        if start is not None and end is not None
    )


def _fingerprint(run: Mapping[str, Any], verification: Mapping[str, Any]) -> str:
    found = verification.get("fingerprint")
    if found is None and verification.get("comparison"):
        return "of the whole table: see the comparison"
    if found is None:
        return "not compared: the counts differ" if run["error"] and verification else "not compared yet"
    return ("" if found.get("compared") else "not compared: ") + describe_fingerprint(found)


def _publish(result: Mapping[str, Any]) -> str:
    counts = ", ".join(
        f"{result[name]:,} {words}"
        for name, words in (
            ("rows_after", "rows after"),
            ("inserted", "inserted"),
            ("updated", "updated"),
            ("deleted", "deleted"),
        )
        if result.get(name)
    )
    return f"{result.get('method', '-')}{': ' if counts else ''}{counts}"


def _whole_target(result: Mapping[str, Any]) -> str:
    whole = result.get("whole_target") or {}
    if whole.get("source_rows") is None:
        return "not compared with the source: it is not known which rows it must have"
    counted = f"{whole['target_rows']:,} rows, {whole['source_rows']:,} in the source at the snapshot"
    difference = describe_difference(result)
    if difference:
        return f"{counted}; {difference}"
    if whole.get("compared") == "values":
        return f"{counted}; equal in all values"
    if whole.get("compared") == "keys":
        return f"{counted}; the same keys"
    note = f" (keys were not compared: {whole['note']})" if whole.get("note") else ""
    return f"{counted}; equal in number{note}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str | None) -> str:
    """A text within a table's cell: on one line, its bars kept from ending the cell."""
    return " ".join((text or "-").split()).replace("|", "\\|")


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
