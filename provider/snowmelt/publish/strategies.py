"""The ways of publishing: one strategy for each member of PublishMethod. Pure: planning, the doctor, setup-sql and the docs read it.

A strategy says what a method does, which lock it holds, which rights it needs on a target that exists already, and of which kind
its staging table is. Sources: PostgreSQL "Explicit Locking", "LOCK" (rights), "ALTER TABLE" (renaming and dropping need ownership).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from snowmelt.publish.staging_table import StagingKind
from snowmelt.rights.postgres import TargetRights
from snowmelt.vocabulary import PublishMethod

#: A row event of PostgreSQL's, and the right that it takes.
Event = Literal["INSERT", "UPDATE", "DELETE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way of publishing."""

    method: PublishMethod
    #: One line, as the form and the docs show it.
    title: str
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
    #: Whether the role must own the target.
    owner: bool = False

    def events(self, *, deletes: bool = False, inserts_only: bool = False) -> tuple[Event, ...]:
        """What it does to the rows of an existing target.

        :param deletes: a merge removes the rows that the source no longer has (reconcile_deletes).
        :param inserts_only: a merge leaves the rows that are there as they are.
        """
        found = [event for event in self.row_events if not (inserts_only and event == "UPDATE")]
        if deletes and self.method is PublishMethod.MERGE:
            found.append("DELETE")
        return tuple(found)

    def rights(self, *, deletes: bool = False) -> TargetRights:
        """What the role needs on an existing target.

        A merge that only inserts needs UPDATE all the same: its lock does.

        :param deletes: a merge removes the rows that the source no longer has (reconcile_deletes).
        """
        events = self.events(deletes=deletes)
        return TargetRights(table=("SELECT", *events) if events else (), owner=self.owner)


STRATEGIES: Mapping[PublishMethod, Strategy] = {
    strategy.method: strategy
    for strategy in (
        Strategy(
            method=PublishMethod.SWAP,
            title="swap: a new table, with all that the catalog knows of the old one, takes its name",
            lock="ACCESS EXCLUSIVE",
            waits="all wait for the renames: some milliseconds, whatever the table's size",
            staging_kind="copy",
            owner=True,
        ),
        Strategy(
            method=PublishMethod.REPLACE,
            title="replace: DELETE of all rows and INSERT, in one transaction",
            lock="SHARE ROW EXCLUSIVE",
            waits="readers never wait; other writers wait for the whole publish",
            staging_kind="rows",
            row_events=("INSERT", "DELETE"),
        ),
        Strategy(
            method=PublishMethod.APPEND,
            title="append: INSERT of all rows",
            lock="ROW EXCLUSIVE",
            waits="nobody waits",
            staging_kind="rows",
            row_events=("INSERT",),
        ),
        Strategy(
            method=PublishMethod.MERGE,
            title="merge: by the unique key, UPDATE of the rows that differ and INSERT of those that are new",
            lock="SHARE ROW EXCLUSIVE",
            waits="readers never wait; other writers wait for the whole publish",
            staging_kind="rows",
            needs=(
                "a unique key (uniqueness_columns)",
                "with duplicates = last: a watermark column among the copied columns",
            ),
            row_events=("INSERT", "UPDATE"),
        ),
    )
}
