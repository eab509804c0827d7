"""What a publish asks Snowflake about the whole source: its keys at the snapshot, hashed, so that the whole target can be compared with them.

The source's part is read before the publish takes its lock; only where it differs from the target's is Snowflake asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from snowmelt.compare import keys as key_hashes
from snowmelt.compare.keys import KeyDifference, Side, Sums
from snowmelt.compare.measure import find_encoding_obstacle
from snowmelt.drivers.snowflake import Connection, naming_recreation, read_rows
from snowmelt.drivers.snowflake_errors import NO_TIME_TRAVEL
from snowmelt.errors import SourceError
from snowmelt.plan.plan import Plan
from snowmelt.sql.names import postgres_identifier, snowflake_identifier
from snowmelt.unload.statements import build_source, build_where
from snowmelt.vocabulary import Duplicates, Verify, WholeTargetRule

OpenSnowflake = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class SourceKeys:
    """The keys of the whole source, added up."""

    side: Side
    sums: Sums


@dataclass(frozen=True, slots=True)
class NotCompared:
    """Why keys are not compared, in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class WholeSource:
    """The whole source of a run, at its snapshot and under its filter."""

    plan: Plan
    #: None: Snowflake cannot be asked.
    snowflake: OpenSnowflake | None

    def count_keys(self) -> int | None:
        """Its distinct keys; None: they cannot be counted."""
        plan = self.plan
        if self.snowflake is None or plan.scope is None:
            return None
        keys = ", ".join(snowflake_identifier(name) for name in plan.uniqueness_columns)
        where = f" WHERE {self._where}" if self._where else ""
        sql = f"SELECT COUNT(*) FROM (SELECT DISTINCT {keys} FROM {self._table}{where})"
        with self.snowflake() as session, naming_recreation(session, plan.source, plan.snapshot):
            return int(read_rows(session, sql, f"Counting the distinct keys of {plan.source}")[0][0])

    def read_keys(self, postgres: psycopg.Connection[Any]) -> SourceKeys | NotCompared | None:
        """Its keys, for `compare`; or why they are not compared, or None where the count alone is exact."""
        plan = self.plan
        if not plan.hides_differences:
            return None
        reason = _find_reason(plan) or find_encoding_obstacle(postgres)
        if reason or self.snowflake is None:
            return NotCompared(reason or "there is no session of Snowflake")
        side = Side(
            plan.key_columns, self._table, self._where, key_hashes.count_buckets(plan.scope_rows or 0)
        )
        try:
            return SourceKeys(side, self._read_sums(self.snowflake, side, distinct=False))
        except SourceError as error:
            if error.code != NO_TIME_TRAVEL:
                raise
            return NotCompared(f"Snowflake no longer has the snapshot {plan.snapshot}")

    def compare(self, cursor: psycopg.Cursor[Any], keys: SourceKeys) -> KeyDifference:
        """Compare the whole target, as the cursor's transaction sees it, with the keys of the source."""
        plan, source, sums = self.plan, keys.side, keys.sums
        target = replace(
            source,
            table=postgres_identifier(plan.target_schema, plan.target_table),
            where=plan.counted,
        )
        found = key_hashes.parse_sums(cursor.execute(key_hashes.build_target_sums(target)))
        differing = key_hashes.find_differing(sums, found)
        if not differing or self.snowflake is None:
            return KeyDifference()
        once = plan.duplicates is Duplicates.LAST
        if once:
            sums = self._read_sums(self.snowflake, source, distinct=True)
            differing = key_hashes.find_differing(sums, found)
        chosen = key_hashes.choose_buckets(differing, sums, found)
        if not chosen:
            return key_hashes.count_differences((), (), key_hashes.count_keys(differing, sums, found))
        doing = f"Reading the keys of {plan.source} that differ"
        with self.snowflake() as session:
            sql = key_hashes.build_source_hashes(source, chosen, distinct=once)
            theirs = [str(row[0]) for row in read_rows(session, sql, doing)]
        ours = [row[0] for row in cursor.execute(key_hashes.build_target_hashes(target, chosen))]
        left = key_hashes.count_keys(differing[len(chosen) :], sums, found)
        return key_hashes.count_differences(theirs, ours, left)

    @property
    def _table(self) -> str:
        return build_source(self.plan.source.sql, self.plan.snapshot)

    @property
    def _where(self) -> str:
        return build_where(self.plan.scope.source_filter if self.plan.scope else "")

    def _read_sums(self, snowflake: OpenSnowflake, side: Side, *, distinct: bool) -> Sums:
        sql = key_hashes.build_source_sums(side, distinct=distinct)
        with snowflake() as session, naming_recreation(session, self.plan.source, self.plan.snapshot):
            return key_hashes.parse_sums(read_rows(session, sql, f"Adding up the keys of {self.plan.source}"))


def _find_reason(plan: Plan) -> str:
    """Why the plan compares no keys; empty where it does."""
    reasons = (
        (plan.whole_target is WholeTargetRule.COUNTS, "whole_target is counts"),
        (plan.verify is Verify.COUNTS, "verify is counts"),
        (
            (plan.scope_rows or 0) > plan.fingerprint_rows,
            f"it has more than {plan.fingerprint_rows:,} rows (fingerprint_rows)",
        ),
        (not key_hashes.can_compare(plan.key_columns), "a column of the unique key has no exact hash"),
    )
    return next((reason for holds, reason in reasons if holds), "")
