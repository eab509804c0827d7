"""Whatever people do between runs, a run that ends well leaves the whole target equal to the source at its snapshot.

A state machine draws what happens to source, target and configuration, and what kind of run comes next. After each run that
ends "published" the target is compared with the source by the test's own queries, not by the product's. `make test-long` draws
many more.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from snowmelt.errors import SnowmeltError

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
MACHINES = 400 if LONG else 16
STEPS = 14

TABLE: dict[str, Any] = {"source": "W", "uniqueness_columns": ["ID"], "watermark_column": "AT"}
DAY = st.integers(1, 28)


class Nights(RuleBasedStateMachine):
    """One source, one target, and people."""

    world: Any

    @initialize(rows=st.integers(0, 8))
    def create(self, rows):
        self.settings: dict[str, Any] = {}
        self.next_id = 0
        self.day = 1
        self.outcome = ""
        self.tampered = False
        self.filter = ""
        self.world.sql(
            "CREATE OR REPLACE TABLE W (ID NUMBER(9,0) NOT NULL, AT TIMESTAMP_NTZ(6), V VARCHAR, N NUMBER(9,0)) "
            "CHANGE_TRACKING = TRUE"
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
                f"INSERT INTO W SELECT {self.next_id}, {moment}, 'v{self.next_id}', {self.next_id % 3}"
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
        self.world.sql(f"INSERT INTO W SELECT {self.next_id}, '9999-12-31'::TIMESTAMP_NTZ, 'far', 0")

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
            self.world.execute("INSERT INTO public.w (id) VALUES (-1)")

    @rule(text=st.sampled_from(["", "N < 2", "N < 1", "ID % 2 = 1"]))
    def change_filter(self, text):
        self.filter = text

    @rule(masked=st.booleans())
    def change_mask(self, masked):
        self.settings["columns"] = (
            {"mask": {"V": {"expression": "LEFT(V, 1)", "type": "VARCHAR(1)"}}} if masked else {}
        )

    @rule(excluded=st.booleans())
    def change_columns(self, excluded):
        self.settings["columns"] = {"exclude": ["V"]} if excluded else {}

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

    @rule(publish=st.sampled_from(["swap", "replace"]))
    def run_full(self, publish):
        self.run("full", publish=publish)

    @rule()
    def run_incremental(self):
        self.run("incremental")

    @rule()
    def run_changes(self):
        self.run("changes")

    @rule()
    def run_append(self):
        self.run("incremental", publish="append", deletes="ignore")

    @rule(mode=st.sampled_from(["compare", "repair"]))
    def run_comparison(self, mode):
        self.run(mode, max_shrink_percent=100)

    def filled(self) -> bool:
        return self.world.query("SELECT to_regclass('public.w') IS NOT NULL") == [(True,)]

    def run(self, mode, **settings):
        table = (
            TABLE
            | self.settings
            | settings
            | {"mode": mode}
            | ({"source_filter": self.filter} if self.filter else {})
        )
        before = self.world.query("SELECT * FROM public.w ORDER BY 1") if self.filled() else None
        try:
            self.world.run(table)
        except SnowmeltError:
            after = self.world.query("SELECT * FROM public.w ORDER BY 1") if self.filled() else None
            assert after == before, "a run that failed changed the target"
            self.outcome = "failed"
            return
        ((self.outcome, result),) = self.world.query(
            "SELECT outcome, publish_result FROM snowmelt.run WHERE mode <> 'keys' ORDER BY started_at DESC LIMIT 1"
        )
        if mode == "compare":
            assert self.world.query("SELECT * FROM public.w ORDER BY 1") == before
        self.compare(result, table)

    def compare(self, result, table):
        """Published means equal, and a difference that was found is counted exactly."""
        appends = table.get("publish") == "append"
        conditions = [self.filter or "TRUE", "AT < '9000-01-01'" if appends else "TRUE"]
        columns = table.get("columns") or {}
        ours = "NULL" if "exclude" in columns else "LEFT(V, 1)" if "mask" in columns else "V"
        rows = self.world.sql(f"SELECT ID, N, {ours} FROM W WHERE {' AND '.join(conditions)}")
        source = {row[0]: tuple(row) for row in rows}
        live = "to_jsonb(w) ->> 'gone_at' IS NULL" if table.get("deletes") == "soft" else "true"
        theirs = "NULL" if "exclude" in columns else "v"
        rows = self.world.query(f"SELECT id, n, {theirs} FROM public.w AS w WHERE {live}")
        target = {row[0]: row for row in rows}
        assert len(target) == len(rows), "a row came twice"
        missing, extra = len(source.keys() - target.keys()), len(target.keys() - source.keys())
        changed = sum(source[key] != target[key] for key in source.keys() & target.keys())
        whole = result["whole_target"]
        assert (whole["source_rows"], whole["target_rows"]) == (len(source), len(target))
        if whole["compared"] == "values":
            assert whole["changed"] == changed
        if self.outcome in {"published", "agrees"}:
            assert (missing, extra) == (0, 0), (missing, extra, result)
            assert changed == 0 or (table["mode"] in {"incremental", "changes"} and self.tampered), (
                changed,
                result,
            )
        else:
            assert self.outcome == "differs"
            assert (whole["missing"], whole["extra"]) == (missing, extra)
            assert missing or extra or changed
        self.tampered = changed > 0


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
