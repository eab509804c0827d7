"""Whatever people do between runs, a run that ends well leaves the whole target equal to the source at its snapshot.

A state machine draws what happens to source, target and configuration, and what kind of run comes next. After each run that
ends "published" the target is compared with the source by the test's own queries, not by the product's. `make test-long` draws
many more.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from snowmelt.errors import ConfigurationError, SnowmeltError

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
MACHINES = 400 if LONG else 16
STEPS = 14

TABLE: dict[str, Any] = {"source": "W", "uniqueness_columns": ["ID"], "watermark_column": "AT"}
#: The other table that fills the same target, where it is shared.
OTHER: dict[str, Any] = {
    "source": "O",
    "target": "w",
    "publish": "replace",
    "columns": {"source_tag": {"column": "tag", "value": "o"}},
}
TAG = {"source_tag": {"column": "tag", "value": "w"}}
ROWS = "SELECT * FROM public.w ORDER BY 1, 2, 3, 4"


class Nights(RuleBasedStateMachine):
    """One source, one target that may be shared with another source, and people."""

    world: Any

    @initialize(rows=st.integers(0, 8), shared=st.booleans())
    def create(self, rows, shared):
        self.settings: dict[str, Any] = {"max_delete_percent": 100}
        self.columns: dict[str, Any] = {}
        self.shared = shared
        self.added = False
        self.next_id = 0
        self.day = 1
        self.outcome = ""
        self.tampered = False
        self.filter = ""
        self.world.sql(
            "CREATE OR REPLACE TABLE W (ID NUMBER(9,0) NOT NULL, AT TIMESTAMP_NTZ(6), V VARCHAR, N NUMBER(9,0)) "
            "CHANGE_TRACKING = TRUE",
            "CREATE OR REPLACE TABLE O AS SELECT 1 AS ID, '2026-01-01'::TIMESTAMP_NTZ(6) AS AT, 'o'::VARCHAR AS V, 7 AS N",
        )
        self.world.execute("DROP TABLE IF EXISTS public.w", "DROP SCHEMA IF EXISTS snowmelt CASCADE")
        self.insert(rows, late=False)

    @rule(rows=st.integers(1, 5), late=st.booleans())
    def insert(self, rows, late):
        """New rows; late ones were committed after a run that has passed their watermark."""
        if not late:
            self.day += 1
        for _ in range(rows):
            self.next_id += 1
            at = "2026-01-01 00:00" if late else f"2026-02-01 00:00:{self.day % 60:02d}"
            moment = f"DATEADD('day', {0 if late else self.day}, '{at}'::TIMESTAMP_NTZ)"
            self.world.sql(
                f"INSERT INTO W (ID, AT, V, N) SELECT {self.next_id}, {moment}, 'v{self.next_id}', {self.next_id % 3}"
            )

    @rule(number=st.integers(0, 2))
    def update(self, number):
        """Changed rows, as an application does it: the watermark moves with them."""
        self.day += 1
        self.world.sql(
            f"UPDATE W SET V = V || 'x', AT = DATEADD('day', {self.day}, '2026-02-01'::TIMESTAMP_NTZ) WHERE N = {number}"
        )

    @rule(number=st.integers(0, 2))
    def silent_update(self, number):
        """Changed rows whose watermark stays: no incremental run sees them, and mode changes does."""
        self.world.sql(f"UPDATE W SET V = V || 's' WHERE N = {number}")

    @rule()
    def lose_changes(self):
        """Change tracking was off for a while."""
        self.world.sql(
            "ALTER TABLE W SET CHANGE_TRACKING = FALSE", "ALTER TABLE W SET CHANGE_TRACKING = TRUE"
        )

    @rule(number=st.integers(0, 2))
    def delete(self, number):
        self.world.sql(f"DELETE FROM W WHERE N = {number} AND ID % 2 = 0")

    @rule()
    def future_watermark(self):
        self.next_id += 1
        self.world.sql(
            f"INSERT INTO W (ID, AT, V, N) SELECT {self.next_id}, '9999-12-31'::TIMESTAMP_NTZ, 'far', 0"
        )

    @rule()
    def replace_source(self):
        """As dbt does it every night: the same rows in a new table."""
        self.world.sql("CREATE OR REPLACE TABLE W CHANGE_TRACKING = TRUE AS SELECT * FROM W")

    @rule()
    def truncate_target(self):
        if self.filled():
            self.world.execute("TRUNCATE public.w")

    @rule()
    def drop_target(self):
        self.world.execute("DROP TABLE IF EXISTS public.w")

    @rule(number=st.integers(0, 2))
    def delete_from_target(self, number):
        if self.filled():
            self.world.execute(f"DELETE FROM public.w WHERE n = {number}")

    @rule()
    def row_of_somebody_else(self):
        """Somebody's own row in the target."""
        if self.filled():
            names, values = ("id, tag", "-1, 'w'") if self.shared else ("id", "-1")
            self.world.execute(f"INSERT INTO public.w ({names}) VALUES ({values})")

    @rule()
    def run_another_source(self):
        """Its rows are its own, where both say so; else it is refused where the target is known to be a copy of W."""
        known = "SELECT count(*) FROM snowmelt.target_state WHERE target_oid = to_regclass('public.w')"
        ledger = self.world.query("SELECT to_regclass('snowmelt.target_state') IS NOT NULL") == [(True,)]
        if self.shared:
            mine = self.rows("tag = 'w'")
            with suppress(SnowmeltError):
                self.world.run(OTHER)
            assert self.rows("tag = 'w'") == mine
        elif ledger and self.world.query(known) != [(0,)]:
            before = self.rows()
            with pytest.raises(ConfigurationError, match="rows of other copies"):
                self.world.run({"source": "O", "target": "w"})
            assert self.rows() == before

    @rule(number=st.integers(0, 2))
    def bad_rows(self, number):
        """Rows that PostgreSQL cannot hold."""
        self.day += 1
        moment = f"DATEADD('day', {self.day}, '2026-02-01'::TIMESTAMP_NTZ)"
        self.world.sql(f"UPDATE W SET V = V || CHR(0), AT = {moment} WHERE N = {number} AND ID % 2 = 1")

    @rule()
    def correct_bad_rows(self):
        """As a person does it who forgets the watermark."""
        self.world.sql("UPDATE W SET V = REPLACE(V, CHR(0), '') WHERE CONTAINS(V, CHR(0))")

    @rule(policy=st.sampled_from(["reject", "quarantine"]))
    def change_bad_rows(self, policy):
        self.settings["bad_rows"] = policy

    @rule()
    def add_column(self):
        """A column with values in old rows, whose watermark does not move."""
        if not self.added:
            self.world.sql("ALTER TABLE W ADD COLUMN X NUMBER(9,0)", "UPDATE W SET X = ID * 2")
        self.added = True

    @rule()
    def widen_column(self):
        """And a value that only the wider column takes."""
        self.day += 1
        moment = f"DATEADD('day', {self.day}, '2026-02-01'::TIMESTAMP_NTZ)"
        self.world.sql(
            "ALTER TABLE W ALTER COLUMN N SET DATA TYPE NUMBER(15,0)",
            f"UPDATE W SET N = 5000000000, AT = {moment} WHERE ID % 5 = 1",
        )

    @rule(drift=st.sampled_from(["fail", "add_columns", "widen_columns", "add_and_widen_columns"]))
    def change_drift(self, drift):
        self.settings["schema_drift"] = drift

    @rule(days=st.integers(0, 1))
    def change_retention(self, days):
        self.world.sql(f"ALTER TABLE W SET DATA_RETENTION_TIME_IN_DAYS = {days}")

    @rule(text=st.sampled_from(["", "N < 2", "N < 1", "ID % 2 = 1"]))
    def change_filter(self, text):
        self.filter = text

    @rule(masked=st.booleans())
    def change_mask(self, masked):
        self.columns = {"mask": {"V": {"expression": "LEFT(V, 1)", "type": "VARCHAR(1)"}}} if masked else {}

    @rule(excluded=st.booleans())
    def change_columns(self, excluded):
        self.columns = {"exclude": ["V"]} if excluded else {}

    @rule(deletes=st.sampled_from(["auto", "ignore", "hard", "soft"]))
    def change_deletes(self, deletes):
        self.settings |= {"deletes": deletes, "deleted_column": "gone_at", "max_delete_percent": 100}

    @rule(number=st.integers(0, 2))
    def change_values_in_target(self, number):
        """Somebody changes copied values: neither rows nor keys show it."""
        if self.filled():
            self.tampered = True
            self.world.execute(f"UPDATE public.w SET n = n + 10 WHERE id % 3 = {number}")

    @rule(number=st.integers(0, 2))
    def update_silently(self, number):
        """The watermark does not move with the change."""
        self.tampered = True
        self.world.sql(f"UPDATE W SET V = 'silent' WHERE ID % 3 = {number}")

    @rule(rhythm=st.sampled_from(["never", "every run", "every 2 runs"]))
    def change_rhythm(self, rhythm):
        self.settings["compare"] = rhythm

    @rule(action=st.sampled_from(["fail", "full", "repair"]))
    def change_on_change(self, action):
        self.settings["on_change"] = action

    @rule(publish=st.sampled_from(["swap", "replace"]), changed=st.booleans())
    def run_full(self, publish, changed):
        self.run("full", changed, publish="replace" if self.shared else publish)

    @rule(changed=st.sampled_from([False, False, True]))
    def run_incremental(self, changed):
        self.run("incremental", changed)

    def rows(self, condition: str = "true") -> list[Any]:
        return self.world.query(ROWS.replace("ORDER", f"WHERE {condition} ORDER")) if self.filled() else []

    @rule()
    def run_changes(self):
        self.run("changes", False)

    @rule()
    def run_append(self):
        self.run("incremental", False, publish="append", deletes="ignore")

    @rule(mode=st.sampled_from(["compare", "repair"]))
    def run_comparison(self, mode):
        self.run(mode, False, max_shrink_percent=100)

    def filled(self) -> bool:
        return self.world.query("SELECT to_regclass('public.w') IS NOT NULL") == [(True,)]

    def run(self, mode, changed, **settings):
        """
        :param changed: somebody changes the staging table after it was verified.
        """
        rules = self.columns | (TAG if self.shared else {})
        chosen = {"mode": mode, "columns": rules} | ({"source_filter": self.filter} if self.filter else {})
        table = TABLE | self.settings | settings | chosen
        before, others = self.rows(), self.rows("tag = 'o'") if self.shared else []
        try:
            plan = self.world.plan(table)
            somebody = f"UPDATE public.{plan.staging_table} SET n = n + 1" if changed else ""
            self.world.finish(plan, self.world.unload(plan), before_publish=somebody)
        except SnowmeltError:
            assert self.rows() == before, "a run that failed changed the target"
            self.outcome = "failed"
            return
        ((self.outcome, result),) = self.world.query(
            "SELECT outcome, publish_result FROM snowmelt.run WHERE mode <> 'keys' ORDER BY started_at DESC LIMIT 1"
        )
        if mode == "compare":
            assert self.rows() == before
        assert not self.shared or self.rows("tag = 'o'") == others
        self.compare(result["whole_target"], table)

    def compare(self, whole, table):
        """Published means equal, and a difference that was found, or that a policy allows, is counted exactly."""
        appends = table.get("publish") == "append"
        values = {"mask": "LEFT(V, 1)", "exclude": "NULL"}.get(next(iter(self.columns), ""), "V")
        if appends:  # rows that it has are not looked at
            values = "NULL"
        added = ", X" if self.added else ""
        conditions = [self.filter or "TRUE", "AT < '9000-01-01'" if appends else "TRUE"]
        rows = self.world.sql(f"SELECT ID, N, {values}{added} FROM W WHERE {' AND '.join(conditions)}")
        source = {row[0]: tuple(row) for row in rows}
        own = "tag = 'w'" if self.shared else "true"
        live = "to_jsonb(w) ->> 'gone_at' IS NULL" if table.get("deletes") == "soft" else "true"
        kept = "NULL" if values == "NULL" else "v"
        rows = self.world.query(f"SELECT id, n, {kept}{added} FROM public.w AS w WHERE {live} AND {own}")
        target = {row[0]: row for row in rows}
        assert len(target) == len(rows), "a row came twice"
        missing, extra = len(source.keys() - target.keys()), len(target.keys() - source.keys())
        changed = sum(source[key] != target[key] for key in source.keys() & target.keys())
        found, aside = whole["changed"], whole["set_aside"]
        assert (whole["source_rows"], whole["target_rows"]) == (len(source), len(target))
        assert (whole["missing"], whole["extra"]) == (missing, extra)
        if whole["compared"] == "values":
            assert found == changed
        elif (
            table["mode"] == "changes"
        ):  # a row that was set aside may be corrected by now: it is not looked at
            assert aside >= changed or self.tampered
        else:
            assert found == changed or (self.tampered and table["mode"] == "incremental" and found < changed)
        different = missing or extra or found or aside
        assert self.outcome in ({"differs"} if different else {"published", "agrees"})
        self.tampered = changed > found + aside


@pytest.mark.slow
@pytest.mark.hypothesis
def test_published_means_that_the_whole_target_equals_the_source(run_world):
    Nights.world = run_world
    run_state_machine_as_test(
        Nights,
        settings=settings(
            max_examples=MACHINES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            print_blob=False,
        ),
    )
