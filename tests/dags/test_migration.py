"""Whole runs: what arrives is row by row what was there, and what cannot be ends in an error that names the thing."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from decimal import Decimal

import psycopg
import pytest

from tests.conftest import ROOT
from tests.dags.conftest import FACT, ROWS, migrate


def plain(value, kind):
    """A value of either database as one plain Python value. Knows nothing of the product."""
    if value is None:
        return None
    if kind in {"VARIANT", "OBJECT", "ARRAY"}:
        parsed = (
            json.loads(value, parse_float=Decimal, parse_int=Decimal) if isinstance(value, str) else value
        )
        return json.dumps(parsed, sort_keys=True, default=str)
    if kind in {"TIMESTAMP_TZ", "TIMESTAMP_LTZ"}:
        return value.astimezone(dt.UTC)
    if kind == "FLOAT":
        return "NaN" if math.isnan(value) else value.hex()
    if kind.startswith("NUMBER"):
        return Decimal(value)
    if kind == "BINARY":
        return bytes(value)
    return value


def rows_of(snowflake, table):
    """Every row of the source: (names as PostgreSQL has them, Counter of rows)."""
    with snowflake.cursor() as cursor:
        cursor.execute(f"DESCRIBE TABLE {table}")
        described = [(row[0], row[1].split("(")[0]) for row in cursor.fetchall()]
        cursor.execute(f"SELECT * FROM {table}")
        rows = cursor.fetchall()
    names = [name.lower() if name.isupper() else name for name, _ in described]
    kinds = [kind for _, kind in described]
    return names, kinds, Counter(tuple(plain(v, k) for v, k in zip(row, kinds, strict=True)) for row in rows)


def rows_in(app, table, names, kinds):
    app.adapters.register_loader("jsonb", psycopg.types.string.TextLoader)
    columns = psycopg.sql.SQL(", ").join(psycopg.sql.Identifier(name) for name in names)
    with app.cursor() as cursor:
        cursor.execute(psycopg.sql.SQL("SELECT {} FROM {}").format(columns, psycopg.sql.SQL(table)))
        return Counter(tuple(plain(v, k) for v, k in zip(row, kinds, strict=True)) for row in cursor)


def assert_same(snowflake, app, source, target):
    names, kinds, expected = rows_of(snowflake, source)
    found = rows_in(app, target, names, kinds)
    missing, extra = expected - found, found - expected
    if missing or extra:
        one, other = next(iter(missing), None), next(iter(extra), None)
        differing = [(n, a, b) for n, a, b in zip(names, one or (), other or (), strict=False) if a != b]
        pytest.fail(
            f"{len(missing)} rows missing, {len(extra)} too many; the first differ in {differing[:5]}"
        )
    return sum(expected.values())


def leftovers(app):
    return app.execute(
        "SELECT count(*) FROM pg_class WHERE relname LIKE 'snowmelt\\_%' AND relkind = 'r'"
    ).fetchone()[0]


@pytest.fixture(scope="module")
def copied(run_dags):
    """Both demo tables by their own DAGs, twice the dimension: a new table, then a swap."""
    small = {"SNOWMELT_MAX_FILE_SIZE_MB": "1"}
    return run_dags(
        {"dag": "migrate__analytics__dimpayer"},
        {
            "dag": "migrate__analytics__factvisitcallperformance_cr",
            "conf": {"chunk_rows": ROWS // 4},
            "environment": small,
        },
        {"dag": "migrate__analytics__dimpayer"},
    )


def test_the_configured_tables_arrive_whole(copied, snowflake, app):
    assert [ran.state for ran in copied] == ["success"] * 3, copied[0].log[-3000:]
    assert assert_same(snowflake, app, "ANALYTICS.BI.DIMPAYER", "public.dimpayer") == 500
    assert assert_same(snowflake, app, f"ANALYTICS.BI.{FACT}", f"public.{FACT.lower()}") == ROWS
    assert leftovers(app) == 0


def test_the_fact_was_unloaded_in_chunks_and_loaded_file_by_file(copied, app):
    fact = copied[1]
    assert len(fact.states("unload")) == 4
    assert len(fact.states("manifest")) == 4
    assert len(fact.states("load")) >= 4
    run = app.execute(
        "SELECT source_rows, staged_rows, staged_files, outcome, verified_at < published_at FROM snowmelt.run "
        "WHERE target = %s ORDER BY started_at DESC LIMIT 1",
        (f"public.{FACT.lower()}",),
    ).fetchone()
    assert run == (ROWS, ROWS, len(fact.states("load")), "published", True)


def test_keys_and_not_nulls_came_along(copied, app):
    key = app.execute(
        "SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid "
        "AND a.attnum = ANY(i.indkey) WHERE i.indrelid = %s::regclass AND i.indisprimary",
        (f"public.{FACT.lower()}",),
    ).fetchone()[0]
    assert key == ["Visit Id"]


def test_the_manifest_stands_in_s3_and_was_written_by_snowflake(copied, demo, app):
    run_id, files, rows = app.execute(
        "SELECT run_id, staged_files, staged_rows FROM snowmelt.run WHERE source LIKE %s ORDER BY started_at DESC LIMIT 1",
        ("%DIMPAYER",),
    ).fetchone()
    key = f"ANALYTICS/BI/DIMPAYER/run_{run_id}/manifest.json"
    reader = demo.s3("AIRFLOW_READER")
    document = json.loads(reader.get_object(Bucket=demo.bucket, Key=key)["Body"].read())
    assert (document["rows"], sum(len(chunk["files"]) for chunk in document["chunks"])) == (rows, files)
    with pytest.raises(Exception, match="AccessDenied"):
        reader.put_object(Bucket=demo.bucket, Key=key, Body=b"")


@pytest.fixture(scope="module")
def modes(run_dags):
    return run_dags(
        migrate("DIMPAYER", target_table="dim_test", mode="test", row_limit=7),
        migrate("DIMPAYER", target_table="dim_unloaded", mode="unload"),
        migrate("DIMPAYER", target_table="dim_csv", file_format="csv", load_method="copy"),
        migrate("DIMPAYER", target_table="dim_aws", file_format="csv", load_method="aws_s3"),
        migrate("DIMPAYER", target_table="dim_filter", source_filter="PAYER_KEY <= 10"),
        migrate("DIMPAYER", target_table="dim_empty", source_filter="PAYER_KEY < 0"),
        migrate("DIMPAYER", target_table="dim_filter", source_filter="PAYER_KEY > 490", publish="append"),
        migrate(
            "DIMPAYER",
            target_table="dim_filter",
            source_filter="PAYER_KEY = 3",
            publish="truncate",
            max_shrink_percent=100,
        ),
        migrate("DIMPAYER", target_table="dim_cleaned", cleanup_after_load=True),
    )


def test_every_mode_and_way_of_publishing_ends_well(modes, snowflake, app):
    assert [(ran.state, index) for index, ran in enumerate(modes)] == [
        ("success", index) for index in range(9)
    ]
    assert app.execute("SELECT to_regclass('public.dim_test')").fetchone() == (None,)
    assert app.execute("SELECT to_regclass('public.dim_unloaded')").fetchone() == (None,)
    assert modes[1].states("load") == ["skipped"]
    assert modes[1].states("publish") == ["skipped"]
    assert assert_same(snowflake, app, "ANALYTICS.BI.DIMPAYER", "public.dim_csv") == 500
    assert assert_same(snowflake, app, "ANALYTICS.BI.DIMPAYER", "public.dim_aws") == 500
    assert app.execute("SELECT count(*) FROM dim_empty").fetchone() == (0,)
    assert app.execute("SELECT array_agg(payer_key::int) FROM dim_filter").fetchone() == ([3],)
    methods = app.execute(
        "SELECT r.target, min(l.load_method) FROM snowmelt.run AS r JOIN snowmelt.loaded_file AS l USING (run_id) "
        "WHERE r.target IN ('public.dim_csv', 'public.dim_aws') GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert methods == [("public.dim_aws", "aws_s3"), ("public.dim_csv", "copy")]
    told = app.execute(
        "SELECT (SELECT query_id FROM snowmelt.submitted_query WHERE run_id = s.run_id AND chunk = s.chunk) = s.query_id "
        "FROM snowmelt.staged_chunk AS s JOIN snowmelt.run AS r USING (run_id) WHERE r.target = 'public.dim_csv'"
    ).fetchall()
    assert told == [(True,)], "the query was noted when it was submitted"
    assert leftovers(app) == 0


def test_a_run_that_cleans_up_removes_its_own_files_and_no_others(modes, demo, app):
    (cleaned,) = app.execute("SELECT run_id FROM snowmelt.run WHERE target = 'public.dim_cleaned'").fetchone()
    listed = demo.s3("AIRFLOW_READER").list_objects_v2(Bucket=demo.bucket, Prefix="ANALYTICS/BI/DIMPAYER/")
    runs: dict[str, set[str]] = {}
    for entry in listed["Contents"]:
        folder, _, name = entry["Key"].removeprefix("ANALYTICS/BI/DIMPAYER/").partition("/")
        runs.setdefault(folder, set()).add(name)
    assert runs[f"run_{cleaned}"] == {"manifest.json", "report.json"}
    assert len(runs) >= 5
    assert app.execute("SELECT count(*) FROM dim_cleaned").fetchone() == (500,)


def test_an_earlier_unload_is_loaded_by_its_run_id_several_times(modes, run_dags, snowflake, app):
    (run_id,) = app.execute("SELECT run_id FROM snowmelt.run WHERE target = 'public.dim_unloaded'").fetchone()
    loaded = run_dags(
        migrate("DIMPAYER", target_table="dim_unloaded", mode="load", run_id=run_id),
        migrate("DIMPAYER", target_table="dim_elsewhere", mode="load", run_id=run_id),
    )
    assert [ran.state for ran in loaded] == ["success", "success"], loaded[0].log[-3000:]
    assert all("to S3 failed" not in ran.log for ran in loaded)
    assert loaded[0].states("unload") == ["skipped"]
    assert assert_same(snowflake, app, "ANALYTICS.BI.DIMPAYER", "public.dim_unloaded") == 500
    assert assert_same(snowflake, app, "ANALYTICS.BI.DIMPAYER", "public.dim_elsewhere") == 500


def connection(demo, name, **changes):
    value = json.loads(demo.env[f"AIRFLOW_CONN_{name}"])
    return {f"AIRFLOW_CONN_{name}": json.dumps(value | changes)}


def test_what_cannot_be_ends_in_an_error_that_names_it_and_leaves_the_target_alone(
    run_dags, demo, app, tmp_path
):
    app.execute("DROP TABLE IF EXISTS public.dim_kept")
    app.execute("CREATE TABLE public.dim_kept (payer_key numeric(38,0) PRIMARY KEY)")
    app.execute("INSERT INTO public.dim_kept VALUES (7)")
    config = json.loads((ROOT / "include/config/s3copyconfig.json").read_text())
    config["snowflake_unload"]["stage_name"] = "NO_SUCH_STAGE"
    wrong_stage = tmp_path / "stage.json"
    wrong_stage.write_text(json.dumps(config))
    nobody = connection(
        demo,
        "AWS_DEFAULT",
        login=demo.env["SNOWMELT_SANDBOX_NOBODY_ACCESS_KEY_ID"],
        password=demo.env["SNOWMELT_SANDBOX_NOBODY_SECRET_ACCESS_KEY"],
    )
    jobs = [
        (
            migrate("NO_SUCH_TABLE", target_table="dim_kept"),
            {},
            ["NO_SUCH_TABLE", "does not exist or not authorized", "Check the spelling"],
        ),
        (
            migrate("DIMPAYER", target_table="dim_new"),
            {"SNOWMELT_CONFIG": str(wrong_stage)},
            ["NO_SUCH_STAGE", "does not exist or not authorized"],
        ),
        (
            migrate("DIMPAYER", target_table="dim_new"),
            connection(demo, "POSTGRES_DEFAULT", port=1),
            [
                "Opening a PostgreSQL session by the connection 'postgres_default'",
                "could not be reached",
                "Is it running",
            ],
        ),
        (migrate("DIMPAYER", target_table="dim_new"), nobody, ["AccessDenied", demo.bucket, "s3:ListBucket"]),
        (
            migrate("DIMPAYER", target_table="dim_kept"),
            {},
            ["ANALYTICS.BI.DIMPAYER → public.dim_kept", "PAYER_CODE"],
        ),
        (
            migrate("DIMPAYER", target_table="dim_kept", source_filter="1=1; DROP TABLE x"),
            {},
            ["source_filter"],
        ),
        (
            migrate("DIMPAYER", target_table="dim_new", chunking_column="PAYER_KEI", chunk_rows=100),
            {},
            ["PAYER_KEI", 'Did you mean "PAYER_KEY"?'],
        ),
    ]
    ran = run_dags(*({**job, "environment": environment} for job, environment, _ in jobs))
    for one, (job, _, texts) in zip(ran, jobs, strict=True):
        assert one.state in {"failed", "refused"}, job
        for text in texts:
            assert text in one.log, (job, text, one.log[-3000:])
    assert app.execute("SELECT array_agg(payer_key::int) FROM public.dim_kept").fetchone() == ([7],)
    assert app.execute("SELECT to_regclass('public.dim_new')").fetchone() == (None,)


def test_the_warehouse_is_restored_also_when_the_unload_fails(run_dags, demo, snowflake, app, tmp_path):
    config = json.loads((ROOT / "include/config/s3copyconfig.json").read_text())
    config["snowflake_unload"] |= {"warehouse": "BURST", "warehouse_size": "2X-Large"}
    table = config["sources"][0]["tables"][0]
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(config))
    table["columns"] = {
        "mask": {"PAYER_CODE": {"expression": "TO_NUMBER('no number')", "type": "NUMBER(5,0)"}}
    }
    bad.write_text(json.dumps(config))
    with snowflake.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE WAREHOUSE BURST WAREHOUSE_SIZE = 'SMALL'")
        cursor.execute("USE WAREHOUSE SNOWMELT_WH")
    worked, failed = run_dags(
        *(
            {
                **migrate("DIMPAYER", target_table=f"dim_burst_{path.stem}"),
                "environment": {"SNOWMELT_CONFIG": str(path)},
            }
            for path in (good, bad)
        )
    )
    assert (worked.state, failed.state) == ("success", "failed"), failed.log[-3000:]
    for ran in (worked, failed):
        assert ran.states("resize_warehouse") == ran.states("restore_warehouse") == ["success"]
        assert "BURST: SMALL → XXLARGE for this unload" in ran.log
        assert "BURST: back to SMALL" in ran.log
    assert failed.states("unload") == ["failed"]
    with snowflake.cursor() as cursor:
        cursor.execute("SHOW WAREHOUSES LIKE 'BURST'")
        names = [column.name for column in cursor.description]
        assert dict(zip(names, cursor.fetchone(), strict=True))["size"] == "Small"
        cursor.execute("DROP WAREHOUSE BURST")
    assert app.execute("SELECT count(*) FROM snowmelt.resized_warehouse").fetchone() == (0,)


def test_every_statement_carries_a_tag_that_tells_its_run_and_task(copied, demo, snowflake):
    with snowflake.cursor() as cursor:
        cursor.execute(
            "SELECT QUERY_TAG, QUERY_TEXT FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 10000)) "
            "WHERE QUERY_TEXT ILIKE '%DIMPAYER%' AND QUERY_TEXT NOT ILIKE '%QUERY_HISTORY%'"
        )
        tags = [json.loads(tag) for tag, text in cursor.fetchall() if tag]
    tasks = {tag["task"] for tag in tags if tag.get("dag") == "migrate__analytics__dimpayer"}
    assert tasks >= {"plan", "unload", "verify"}
    assert all({"app", "dag", "run", "task"} <= tag.keys() for tag in tags)
