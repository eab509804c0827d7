"""What dead runs left: named with the statement that removes it, and removed when that is requested."""

from __future__ import annotations

import json
import time

import psycopg
import pytest

from snowmelt.doctor.findings import Status
from snowmelt.ledger.runs import write_ledger
from snowmelt.sql.names import TASK_SESSION, load_session_name
from snowmelt.unload.statements import build_query_tag
from tests.waiting import wait_until


def mark(run_id: str, table: str, created_at: str) -> str:
    return json.dumps(
        {
            "snowmelt_staging": 1,
            "run_id": run_id,
            "target": ["public", table],
            "kind": "new",
            "created_at": created_at,
        }
    )


@pytest.fixture
def tables(patient):
    """Staging tables of a dead run, a live one, one of a stranger to the ledger, and a table that only looks like one."""
    with patient.as_role(autocommit=True) as connection:
        write_ledger(connection)
        for name, run_id, created in (
            ("snowmelt_aaa_t", "dead", "2026-01-01T00:00:00+00:00"),
            ("snowmelt_bbb_t", "alive", "2026-01-01T00:00:00+00:00"),
            ("snowmelt_ccc_t", "unknown", "2026-01-01T00:00:00+00:00"),
        ):
            connection.execute(f"CREATE TABLE public.{name} (id integer)")
            connection.execute(f"COMMENT ON TABLE public.{name} IS '{mark(run_id, 't', created)}'")
        connection.execute("CREATE TABLE public.snowmelt_own (id integer)")
        for run_id, started in (("dead", "2026-01-01"), ("alive", "2026-01-01")):
            connection.execute(
                "INSERT INTO snowmelt.run (run_id, mode, source, target, request, fingerprint, plan, source_rows, started_at) "
                "VALUES (%s, 'full', 's', 't', '{}', '', '{}', 0, %s)",
                (run_id, started),
            )
        connection.execute(
            "INSERT INTO snowmelt.loaded_file (run_id, s3_key, etag, bytes, rows, load_method) "
            "VALUES ('alive', 'k', 'e', 1, 1, 'copy')"
        )
    return patient


def staging(patient):
    rows = patient.postgres(
        "SELECT relname FROM pg_class WHERE relname LIKE 'snowmelt!_%' ESCAPE '!' AND relkind = 'r'"
    )
    return sorted(name for (name,) in rows)


def test_staging_tables_of_dead_runs_are_named_and_stay(tables):
    findings = [one for one in tables.check("leftovers") if one.check == "Staging tables"]
    assert [(one.subject, one.status) for one in findings] == [
        ('"public"."snowmelt_aaa_t"', Status.WRONG),
        ('"public"."snowmelt_ccc_t"', Status.WRONG),
    ]
    assert (
        "staging table of run dead into public.t (failed, last active 2026-01-01 00:00 UTC)"
        in findings[0].found
    )
    assert "(not in the ledger)" in findings[1].found
    assert findings[0].remedy.steps == ('DROP TABLE "public"."snowmelt_aaa_t"',)
    assert staging(tables) == ["snowmelt_aaa_t", "snowmelt_bbb_t", "snowmelt_ccc_t", "snowmelt_own"]
    tables.run_remedy(findings[0])
    assert staging(tables) == ["snowmelt_bbb_t", "snowmelt_ccc_t", "snowmelt_own"]


def test_they_are_removed_when_that_is_requested_and_no_other(tables):
    findings = [one for one in tables.check("leftovers", remove=True) if one.check == "Staging tables"]
    assert [one.status for one in findings] == [Status.OK, Status.OK]
    assert findings[0].found.startswith("removed: staging table of run dead")
    assert staging(tables) == ["snowmelt_bbb_t", "snowmelt_own"]
    assert tables.statuses("leftovers")["Staging tables"] == "OK"


def test_a_table_that_a_session_works_on_is_alive_however_silent_its_run(tables):
    with tables.as_role() as loading:
        loading.execute("INSERT INTO public.snowmelt_aaa_t VALUES (1)")
        findings = [one for one in tables.check("leftovers", remove=True) if one.check == "Staging tables"]
        assert [one.subject for one in findings] == ['"public"."snowmelt_ccc_t"']
        loading.commit()
    assert staging(tables) == ["snowmelt_aaa_t", "snowmelt_bbb_t", "snowmelt_own"]


def test_one_that_cannot_be_removed_says_why(tables):
    tables.postgres("ALTER TABLE public.snowmelt_aaa_t OWNER TO postgres")
    finding = tables.one("leftovers", "Staging tables", remove=True)
    assert finding.status is Status.WRONG
    assert "must be owner of table snowmelt_aaa_t" in finding.found
    assert staging(tables) == ["snowmelt_aaa_t", "snowmelt_bbb_t", "snowmelt_own"]


@pytest.mark.parametrize("name", [TASK_SESSION, load_session_name("run", "chunk_000/data_0.parquet")])
def test_an_idle_transaction_is_ended(patient, name):
    with (
        patient.as_role(application_name=name) as idle,
        patient.as_role(application_name="psql") as other,
    ):
        pid = idle.info.backend_pid
        idle.execute("SELECT 1")
        other.execute("SELECT 1")
        finding = patient.one("leftovers", "Sessions", hours=0)
        assert finding.subject == f"pid {pid}"
        assert f"{patient.role}, idle in transaction since" in finding.found
        assert finding.remedy.steps == (f"SELECT pg_terminate_backend({pid})",)
        assert patient.statuses("leftovers")["Sessions"] == "OK"  # it is a second old
        assert patient.statuses("leftovers", hours=0, remove=True)["Sessions"] == "OK"
        with pytest.raises(psycopg.OperationalError):
            idle.execute("SELECT 1")
        other.execute("SELECT 1")


def test_a_query_that_nobody_waits_for_is_cancelled(patient):
    patient.snowflake(f"ALTER SESSION SET QUERY_TAG = '{build_query_tag(dag='d', run='r')}'")
    try:
        with patient.session.cursor() as cursor:
            cursor.execute_async("SELECT SYSTEM$WAIT(120)")
            query = cursor.sfqid
        patient.snowflake("ALTER SESSION SET QUERY_TAG = 'else'")
        deadline = time.monotonic() + 60
        while (finding := patient.one("leftovers", "Queries", hours=0)).status is Status.OK:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert finding.subject == query
        assert finding.remedy.steps == (f"SELECT SYSTEM$CANCEL_QUERY('{query}')",)
        assert patient.statuses("leftovers")["Queries"] == "OK"  # it is young
        assert patient.statuses("leftovers", hours=0, remove=True)["Queries"] == "OK"
        status = patient.session.get_query_status
        wait_until(lambda: not patient.session.is_still_running(status(query)), "the end of a query")
    finally:
        patient.snowflake("ALTER SESSION UNSET QUERY_TAG")


def test_files_of_a_doctor_that_died(patient):
    client = patient.sandbox.s3()
    bucket = patient.sandbox.bucket
    client.put_object(Bucket=bucket, Key="doctor_dead/unload/x.parquet", Body=b"x")
    client.put_object(Bucket=bucket, Key="doctor_not_a_folder", Body=b"x")
    client.put_object(Bucket=bucket, Key="other/doctor_dead/x", Body=b"x")
    time.sleep(1.1)
    finding = patient.one("leftovers", "Test files", hours=0)
    assert finding.status is Status.WRONG
    assert finding.subject == f"s3://{bucket}/doctor_dead/"
    assert patient.statuses("leftovers", hours=0, remove=True)["Test files"] == "OK"
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", ())]
    assert "doctor_dead/unload/x.parquet" not in keys
    assert {"doctor_not_a_folder", "other/doctor_dead/x"} <= set(keys)
    client.delete_object(Bucket=bucket, Key="doctor_not_a_folder")
    client.delete_object(Bucket=bucket, Key="other/doctor_dead/x")
