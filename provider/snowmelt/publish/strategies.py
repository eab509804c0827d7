"""The ways of publishing: one strategy for each member of PublishMethod. Pure: planning, the doctor, setup-sql and the docs read it.

A strategy says what a method does, which lock it holds, which rights it needs on a target that exists already, of which kind its
staging table is, what stops it, and what it executes: rows.py runs the statements, swap.py the renames.
Sources: PostgreSQL "Explicit Locking", "LOCK" (rights), "ALTER TABLE" (renaming and dropping need ownership).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from snowmelt.publish.advice import (
    ADDS_COLUMNS,
    ANY_METHOD,
    CASCADES,
    DROPS_INDEXES,
    EMPTIED,
    KEYED,
    REWRITTEN,
    ROWS,
    SWAP,
    Advice,
)
from snowmelt.publish.obstacles import Fact, Obstacle, PublishIntent
from snowmelt.publish.request import PublishRequest
from snowmelt.publish.row_statements import (
    build_delete_all,
    build_delete_chunks,
    build_delete_gone,
    build_delete_repeated,
    build_delete_unstaged,
    build_insert,
    build_insert_new,
    build_update,
)
from snowmelt.publish.staging_table import StagingKind
from snowmelt.rights.postgres import TargetRights
from snowmelt.vocabulary import Deletes, PublishMethod

#: A row event of PostgreSQL's, and the right that it takes.
Event = Literal["INSERT", "UPDATE", "DELETE"]


#: What the target must hold after the statements: `exactly` the staged rows; what this transaction wrote is what was staged
#: (`written`); each staged `key` in one row, with the staged values.
#: the rows of the `chunks` are the staged ones.
Arrival = Literal["exactly", "written", "key", "chunks"]

#: Kinds of facts whose description ends in a privilege.
_RIGHTS = frozenset({"right", "schema right"})

#: A statement, and what it does to the target's rows; a row that is marked as deleted counts as deleted.
Statement = tuple[Event, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way of publishing."""

    method: PublishMethod
    #: One line, as the form and the docs show it.
    title: str
    #: The setting that chooses it.
    chosen_by: str
    #: The lock on the target, in PostgreSQL's words.
    lock: str
    #: What readers and writers of the target notice.
    waits: str
    #: Of the staging table, where the target exists already.
    staging_kind: StagingKind
    #: What must be configured for it, in words; empty when nothing.
    needs: tuple[str, ...] = ()
    #: What it does to the rows of an existing target; a swap does nothing to them.
    row_events: tuple[Event, ...] = ()
    #: What is executed under the lock, in order; None: a swap renames instead.
    statements: Callable[[PublishRequest], tuple[Statement, ...]] | None = None
    #: What is checked after the statements; of a swap the rows are those of the staging table, which is locked until its rename.
    arrival: Arrival = "exactly"
    #: Whether it goes by the unique key where there is one.
    keyed: bool = False
    #: Whether the role must own the target.
    owner: bool = False
    #: Whether the target's plain indexes may be dropped for it and built again (defer_indexes).
    defers_indexes: bool = False
    #: Kind of fact → why it stops this method, and what to do.
    stopped_by: Mapping[str, Advice]

    def events(self, *, deletes: Deletes = Deletes.IGNORE, inserts_only: bool = False) -> tuple[Event, ...]:
        """What it does to the rows of an existing target.

        :param deletes: what a merge does with rows that the source no longer has.
        :param inserts_only: a merge leaves the rows that are there as they are.
        """
        found = [event for event in self.row_events if not (inserts_only and event == "UPDATE")]
        if deletes is Deletes.HARD and self.method is PublishMethod.MERGE:
            found.append("DELETE")
        return tuple(found)

    def rights(self, *, deletes: Deletes = Deletes.IGNORE) -> TargetRights:
        """What the role needs on an existing target.

        A merge that only inserts needs UPDATE all the same: its lock does.

        :param deletes: what a merge does with rows that the source no longer has.
        """
        events = self.events(deletes=deletes)
        return TargetRights(table=("SELECT", *events) if events else (), owner=self.owner)

    def obstacles(self, facts: Iterable[Fact], intent: PublishIntent) -> tuple[Obstacle, ...]:
        """Everything that stops this method, each with what to do about it. Another method is named only where nothing stops that.

        :param facts: what `target.read_facts` read for this intent.
        """
        facts = tuple(facts)
        found = []
        for fact, advice in self.stopping(facts, intent):
            open_ways = [STRATEGIES[way] for way in advice.instead if not _is_stopped(way, facts, intent)]
            others = [f"set {way.chosen_by}" for way in open_ways[:1]]
            remedy = "; or ".join([advice.remedy.format(fact.description), *others])
            privilege = fact.description.rpartition(", ")[2] if fact.kind in _RIGHTS else ""
            found.append(Obstacle(fact.kind, advice.what.format(fact.description), remedy, privilege))
        return tuple(found)

    def stopping(self, facts: Iterable[Fact], intent: PublishIntent) -> list[tuple[Fact, Advice]]:
        """Those of the facts that stop this method, and what each means to it."""
        events = set(self.events(deletes=intent.deletes, inserts_only=intent.inserts_only))
        rights = self.rights(deletes=intent.deletes).table
        found = []
        for fact in facts:
            advice = ANY_METHOD.get(fact.kind) or (None if intent.dry else self._advice(fact, intent))
            if advice is None:
                continue
            concerned = not fact.events or not events or bool(events & set(fact.events))
            if fact.kind == "right":
                concerned = fact.description in rights
            if concerned:
                found.append((fact, advice))
        return found

    def _advice(self, fact: Fact, intent: PublishIntent) -> Advice | None:
        if fact.kind == "owner" and not self.owner:
            if intent.added:
                return ADDS_COLUMNS
            return DROPS_INDEXES if intent.defer_indexes and self.defers_indexes else None
        if fact.kind == "foreign key" and self.keyed and intent.key:
            return None  # only rows that the source does not have are deleted
        return self.stopped_by.get(fact.kind)


def find_obstacles(intent: PublishIntent, facts: Iterable[Fact]) -> tuple[Obstacle, ...]:
    """What stops the intended publish."""
    return STRATEGIES[intent.method].obstacles(facts, intent)


def _is_stopped(method: PublishMethod, facts: tuple[Fact, ...], intent: PublishIntent) -> bool:
    return bool(STRATEGIES[method].stopping(facts, replace(intent, method=method)))


def _replace(request: PublishRequest) -> tuple[Statement, ...]:
    return ("DELETE", build_delete_all(request)), ("INSERT", build_insert(request))


def _append(request: PublishRequest) -> tuple[Statement, ...]:
    return (("INSERT", build_insert(request)),)


def _merge(request: PublishRequest) -> tuple[Statement, ...]:
    """Rows that are gone come first: one of them may have a unique value that a new row has now."""
    statements: list[Statement] = []
    if request.keys is not None:
        statements.append(("DELETE", build_delete_gone(request)))
    if not request.inserts_only:
        statements.append(("UPDATE", build_update(request)))
    statements.append(("INSERT", build_insert_new(request)))
    return tuple(statements)


def _repair(request: PublishRequest) -> tuple[Statement, ...]:
    if not request.uniqueness_columns:
        return ("DELETE", build_delete_chunks(request)), ("INSERT", build_insert(request))
    return (
        ("DELETE", build_delete_unstaged(request)),
        ("DELETE", build_delete_repeated(request)),
        ("UPDATE", build_update(request)),
        ("INSERT", build_insert_new(request)),
    )


STRATEGIES: Mapping[PublishMethod, Strategy] = {
    strategy.method: strategy
    for strategy in (
        Strategy(
            method=PublishMethod.SWAP,
            title="a new table, with all that the catalog knows of the old one, takes its name",
            chosen_by="publish to swap",
            lock="ACCESS EXCLUSIVE",
            waits="all wait for the renames: some milliseconds, whatever the table's size",
            staging_kind="copy",
            owner=True,
            stopped_by=SWAP,
        ),
        Strategy(
            method=PublishMethod.REPLACE,
            title="DELETE of all rows and INSERT, in one transaction",
            chosen_by="publish to replace",
            lock="SHARE ROW EXCLUSIVE",
            waits="readers never wait; other writers wait for the whole publish",
            staging_kind="rows",
            row_events=("INSERT", "DELETE"),
            statements=_replace,
            stopped_by={**ROWS, **REWRITTEN, **EMPTIED},
        ),
        Strategy(
            method=PublishMethod.APPEND,
            title="INSERT of all rows",
            chosen_by="publish to append",
            lock="ROW EXCLUSIVE",
            waits="no one waits",
            staging_kind="rows",
            row_events=("INSERT",),
            statements=_append,
            arrival="written",
            defers_indexes=True,
            stopped_by=ROWS,
        ),
        Strategy(
            method=PublishMethod.MERGE,
            title="by the unique key: UPDATE of the rows that differ, INSERT of those that are new",
            chosen_by="mode to incremental",
            lock="SHARE ROW EXCLUSIVE",
            waits="readers never wait; other writers wait for the whole publish",
            staging_kind="rows",
            needs=(
                "a unique key (uniqueness_columns)",
                "with duplicates = last: a watermark column among the copied columns",
            ),
            row_events=("INSERT", "UPDATE"),
            statements=_merge,
            arrival="key",
            keyed=True,
            defers_indexes=True,
            stopped_by={**ROWS, **REWRITTEN, **KEYED},
        ),
        Strategy(
            method=PublishMethod.REPAIR,
            title="in the chunks that differ: DELETE, UPDATE and INSERT of the rows that differ; without a unique key, of all rows",
            chosen_by="mode to repair",
            lock="SHARE ROW EXCLUSIVE",
            waits="readers never wait; other writers wait for the whole publish",
            staging_kind="rows",
            row_events=("INSERT", "UPDATE", "DELETE"),
            statements=_repair,
            arrival="chunks",
            keyed=True,
            stopped_by={**ROWS, **REWRITTEN, **EMPTIED, **CASCADES},
        ),
    )
}
