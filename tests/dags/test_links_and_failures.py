"""What a run leaves for people: links on its tasks, and in the ledger the reason of each failure."""

from __future__ import annotations

import psycopg
import pytest

from tests.dags.conftest import migrate


@pytest.fixture(scope="module")
def ran(run_dags):
    return run_dags(
        migrate("DIMPAYER", target_table="linked"),
        migrate("NO_SUCH_TABLE_HERE"),
    )


def links(demo, run_id):
    with psycopg.connect(demo.superuser_dsn("airflow")) as connection:
        rows = connection.execute(
            "SELECT task_id, key, value #>> '{}' FROM xcom WHERE run_id = %s AND key LIKE '%%\\_link'",
            (run_id,),
        ).fetchall()
    return {(task, key): value for task, key, value in rows}


def test_links_lead_to_the_tab_and_the_folder(ran, demo, app):
    assert ran[0].state == "success", ran[0].log[-3000:]
    dag_run_id, run_id = app.execute(
        "SELECT dag_run_id, run_id FROM snowmelt.run WHERE target = 'public.linked' ORDER BY started_at DESC LIMIT 1"
    ).fetchone()
    found = links(demo, dag_run_id)
    folder = f"prefix=ANALYTICS%2FBI%2FDIMPAYER%2Frun_{run_id}%2Fchunk_000%2F&showversions=false"
    assert (
        found["unload", "s3_folder_link"]
        == f"https://console.aws.amazon.com/s3/buckets/{demo.bucket}?{folder}"
    )
    assert (
        found["load", "s3_folder_link"]
        == f"https://console.aws.amazon.com/s3/buckets/{demo.bucket}?region=us-east-1&{folder}"
    )
    tab = f"{demo.env['AIRFLOW__API__BASE_URL']}/dags/migrate_table/runs/{dag_run_id.replace(':', '%3A').replace('+', '%2B')}/plugin/migration"
    for task in ("plan", "unload", "manifest", "files", "load", "verify", "publish", "cleanup"):
        assert found[task, "migration_link"] == tab
    assert not found.get(("unload", "snowflake_query_link"))  # the stand-in's account is none of Snowflake's


def test_a_failure_stands_in_the_ledger(ran, app):
    assert ran[1].state == "failed"
    task_id, map_index, try_number, error = app.execute(
        "SELECT task_id, map_index, try_number, error FROM snowmelt.task_failure ORDER BY failed_at DESC LIMIT 1"
    ).fetchone()
    assert (task_id, map_index, try_number) == ("plan", -1, 1)
    assert "NO_SUCH_TABLE_HERE" in error
