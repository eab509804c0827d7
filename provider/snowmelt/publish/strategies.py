"""The ways of publishing: one strategy for each member of PublishMethod. Pure: planning, the doctor, setup-sql and the docs read it.

A strategy says what a method does, which lock it holds, which rights it needs on a target that exists already, of which kind its
staging table is, what stops it, and what it executes: rows.py runs the statements, swap.py the renames.
Sources: PostgreSQL "Explicit Locking", "LOCK" (rights), "ALTER TABLE" (renaming and dropping need ownership).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class Advice:
    """What a fact means to a method."""

    #: With `{0}` for the fact's description.
    what: str
    remedy: str
    #: Methods that the fact does not stop: offered only where nothing else stops them.
    instead: tuple[PublishMethod, ...] = ()
    #: What the description may be, for the docs.
    example: str = "…"


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
                return _ADDS_COLUMNS
            return _DROPS_INDEXES if intent.defer_indexes and self.defers_indexes else None
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


_REPLACE = (PublishMethod.REPLACE,)
_MERGE = (PublishMethod.MERGE,)
_RECREATE = "drop it before and create it again after each publish"

#: What stops every method, and a test run too: nothing can be staged there.
ANY_METHOD: Mapping[str, Advice] = {
    "read only": Advice(
        "the session in database {0} is read-only",
        "connect to the primary server, and leave default_transaction_read_only off for the role",
    ),
    "schema": Advice("the schema {0} does not exist", "create it, or correct target_schema"),
    "schema right": Advice(
        "the role may not create in the schema ({0} is missing)",
        "GRANT USAGE, CREATE ON SCHEMA … to the connection's role",
    ),
    "kind": Advice(
        "it is {0}",
        "name a table as the target",
        example="a view, materialized view, foreign table, sequence or index",
    ),
    "temporary": Advice("it is a temporary table", "name a permanent table as the target"),
}

_SWAP: Mapping[str, Advice] = {
    "partitioned": Advice("it is a partitioned table", "name a plain table as the target", _REPLACE),
    "partition": Advice("it is a partition of {0}", "make the partitioned table the target", _REPLACE),
    "parent": Advice("it inherits from {0}", "ALTER TABLE … NO INHERIT {0}", _REPLACE),
    "child": Advice("{0} inherits from it", "end the inheritance by ALTER TABLE {0} NO INHERIT …"),
    "typed": Advice("it is a table OF the type {0}", "ALTER TABLE … NOT OF", _REPLACE),
    "extension": Advice("it belongs to the extension {0}", "name another target", _REPLACE),
    "view": Advice("{0} reads it", _RECREATE, _REPLACE, example="a view, materialized view or rule"),
    "foreign key": Advice("the foreign key {0} references it", "drop that foreign key", _MERGE),
    "dependent": Advice(
        "{0} depends on it",
        _RECREATE,
        _REPLACE,
        example="another object (a function, a column of its row type, a default that uses its sequence)",
    ),
    "trigger": Advice("it has the trigger {0}", "drop the trigger", _REPLACE),
    "rule": Advice("it has the rule {0}", "drop the rule", _REPLACE),
    "policy": Advice("it has the row security policy {0}", "drop the policy", _REPLACE),
    "row security": Advice(
        "row security is enabled on it", "ALTER TABLE … DISABLE ROW LEVEL SECURITY", _REPLACE
    ),
    "publication": Advice(
        "the publication {0} replicates it, and would neither replicate the new table's rows nor drop the old",
        "take it out of the publication",
        _REPLACE,
    ),
    "subscription": Advice(
        "a subscription writes to it", "name another target, or take it out of the subscription"
    ),
    "label": Advice("it has a security label of the provider {0}", "remove the label", _REPLACE),
    "owner": Advice(
        "the role {0} neither owns it nor is a member of the owner", "grant the owner's role to it", _REPLACE
    ),
    "owner's create": Advice(
        "its owner may not create in the schema ({0})", "GRANT CREATE ON SCHEMA … to the owner", _REPLACE
    ),
    "references": Advice(
        "the role has no right to reference {0}", "GRANT REFERENCES ON that table", _REPLACE
    ),
}

_ROWS: Mapping[str, Advice] = {
    "right": Advice("the role has no right to {0}", "GRANT {0} ON the table to the connection's role"),
    "sequence": Advice(
        "the role may not use the sequence {0}, which fills a column that is not copied",
        "GRANT USAGE ON SEQUENCE {0} to the connection's role",
    ),
    "row security applies": Advice(
        "row security applies to the role {0}, which would not see all rows",
        "let the table's owner or a role with BYPASSRLS publish",
    ),
    "forced row security": Advice(
        "row security is forced on its owner too (the role {0}), who would not see all rows",
        "ALTER TABLE … NO FORCE ROW LEVEL SECURITY, or let a role with BYPASSRLS publish",
    ),
    "rule": Advice(
        "it has the rule {0}, which does something else with the rows",
        "drop the rule, or write it as a trigger",
    ),
    "trigger drops rows": Advice(
        "the function of its trigger {0} can drop rows (RETURN NULL)",
        "disable or drop the trigger, or name another target",
    ),
    "trigger changes values": Advice(
        "its trigger {0}, which would differ from the source then",
        "disable or drop the trigger, exclude these columns, or name another target",
    ),
}

_REWRITTEN: Mapping[str, Advice] = {
    "replica identity": Advice(
        "the publication {0} replicates it, and it has no replica identity, so rows cannot be updated or deleted",
        "add a primary key, or ALTER TABLE … REPLICA IDENTITY FULL, or take it out of the publication",
    ),
    "child": Advice(
        "{0} inherits from it, and its rows would be counted with the target's own",
        "end the inheritance by ALTER TABLE {0} NO INHERIT …, or name another target",
    ),
}

_EMPTIED: Mapping[str, Advice] = {
    "foreign key": Advice("the foreign key {0} references it", "drop that foreign key", _MERGE),
}

_KEYED: Mapping[str, Advice] = {
    "cascade": Advice(
        "the foreign key {0} references it and passes a DELETE on to that table",
        "make it ON DELETE NO ACTION, or set deletes to soft or ignore",
    ),
    "repeated key": Advice(
        "its unique key is in several rows: {0}",
        "remove the surplus rows, or name uniqueness_columns that are unique in the target",
    ),
    "null key": Advice(
        "its unique key is NULL in {0}",
        "fill the key or remove these rows, or name uniqueness_columns that are never NULL in the target",
    ),
    "key without equality": Advice(
        "its unique key cannot be compared ({0})",
        "name other uniqueness_columns, or change the column's type",
    ),
}

_CASCADES: Mapping[str, Advice] = {
    "cascade": Advice(
        "the foreign key {0} references it and passes a DELETE on to that table",
        "make it ON DELETE NO ACTION",
    )
}

_ADDS_COLUMNS = Advice(
    "the role {0} neither owns it nor is a member of the owner, so it cannot add columns to it",
    "grant the owner's role to it, or add the columns before (schema_drift = fail names them)",
)
_DROPS_INDEXES = Advice(
    "the role {0} neither owns it nor is a member of the owner, so it cannot drop and build its indexes",
    "grant the owner's role to it, or set defer_indexes to false",
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
            stopped_by=_SWAP,
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
            stopped_by={**_ROWS, **_REWRITTEN, **_EMPTIED},
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
            stopped_by=_ROWS,
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
            stopped_by={**_ROWS, **_REWRITTEN, **_KEYED},
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
            stopped_by={**_ROWS, **_REWRITTEN, **_EMPTIED, **_CASCADES},
        ),
    )
}
