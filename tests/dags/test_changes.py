"""Mode changes by whole DAG runs: inserts, updates and deletes of a night, by the same tasks as any other mode."""

from __future__ import annotations

import pytest

from tests.dags.conftest import migrate

NIGHT = (
    "INSERT INTO ANALYTICS.BI.TRACKED VALUES (100, 'new')",
    "UPDATE ANALYTICS.BI.TRACKED SET V = 'changed' WHERE ID = 3",
    "DELETE FROM ANALYTICS.BI.TRACKED WHERE ID = 5",
)


@pytest.fixture(scope="module")
def nights(run_dags, snowflake):
    """The first run, one after a night of changes, and one after none."""
    job = migrate("TRACKED", mode="changes", uniqueness_columns=["ID"])

    def sql(*statements):
        with snowflake.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    sql(
        "CREATE OR REPLACE TABLE ANALYTICS.BI.TRACKED (ID NUMBER(9,0) NOT NULL PRIMARY KEY, V VARCHAR) CHANGE_TRACKING = TRUE",
        "INSERT INTO ANALYTICS.BI.TRACKED SELECT SEQ4(), 'old' FROM TABLE(GENERATOR(ROWCOUNT => 20))",
    )
    first = run_dags(job)
    sql(*NIGHT)
    yield (*first, *run_dags(job, job))
    sql("DROP TABLE ANALYTICS.BI.TRACKED")


def test_each_night_copies_what_has_changed(nights, app):
    assert [one.state for one in nights] == ["success"] * 3, nights[-1].log[-3000:]
    runs = app.execute(
        "SELECT outcome, source_rows, publish_result->>'inserted', publish_result->>'updated', publish_result->>'deleted' "
        "FROM snowmelt.run WHERE target = 'public.tracked' AND mode = 'changes' ORDER BY started_at"
    ).fetchall()
    assert runs == [
        ("published", 20, "20", "0", "0"),
        ("published", 2, "1", "1", "1"),
        ("published", 0, "0", "0", "0"),
    ]
    rows = app.execute("SELECT id, v FROM public.tracked WHERE id IN (3, 5, 100) ORDER BY id").fetchall()
    assert rows == [(3, "changed"), (100, "new")]


def test_the_log_says_since_when(nights):
    assert "Copying what has changed since (the beginning: everything)" in nights[0].log
    assert "Copying what has changed since 20" in nights[1].log
