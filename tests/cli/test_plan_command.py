"""`airflow snowmelt plan`: what would be done, from the real planning, with nothing stored and nothing unloaded."""

from __future__ import annotations

import argparse
import json

import pytest
from psycopg import conninfo

from snowmelt.cli.plan import run_plan

TABLE = {"source": "T", "chunking_column": "ID", "chunk_rows": 40, "mode": "full"}


@pytest.fixture
def call(run_world, tmp_path, monkeypatch, capfd):
    """The command over a table of 100 rows, whose target is a database of its own."""
    run_world.sql("CREATE TABLE T AS SELECT SEQ4()::NUMBER(9,0) ID FROM TABLE(GENERATOR(ROWCOUNT => 100))")
    parts = conninfo.conninfo_to_dict(run_world.dsn)
    connection = {
        "conn_type": "postgres",
        "host": parts["host"],
        "port": int(parts["port"]),
        "login": parts["user"],
        "password": parts.get("password"),
        "schema": parts["dbname"],
    }
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", json.dumps(connection))
    path = tmp_path / "config.json"
    path.write_text(run_world.config(TABLE))

    def run(*parameters: str, **options):
        capfd.readouterr()
        run_plan(
            argparse.Namespace(
                config=str(path),
                table="T",
                parameter=list(parameters),
                **{"json": True, "sql": False} | options,
            )
        )
        out = capfd.readouterr().out
        return json.loads(out[out.index('{\n "source"') :]) if options.get("json", True) else out

    return run


def test_a_plan_is_described_and_nothing_is_left(call, run_world):
    described = call()
    assert (described["rows"], described["chunks"], described["mode"]) == (100, 3, "full")
    assert described["snapshot"].endswith("000000 +0000")
    assert described["expected_seconds"] is None
    assert len(described["statements"]) == 3
    assert all(
        "/run_preview_" in statement and " AT(TIMESTAMP => " in statement
        for statement in described["statements"]
    )
    assert run_world.query("SELECT to_regnamespace('snowmelt')") == [(None,)]
    listed = run_world.s3.list_objects_v2(Bucket=run_world.bucket, Prefix=f"TESTS/{run_world.schema}/")
    assert listed["KeyCount"] == 0


def test_what_it_will_take_is_told_by_the_last_copy(call, run_world):
    run_world.run(TABLE)
    [(files, size)] = run_world.query("SELECT staged_files, staged_bytes FROM snowmelt.run")
    run_world.execute("UPDATE snowmelt.run SET started_at = published_at - interval '200 s'")
    run_world.sql("INSERT INTO T SELECT SEQ4() + 100 FROM TABLE(GENERATOR(ROWCOUNT => 100))")
    described = call()
    assert described["rows"] == 200
    assert (described["expected_files"], described["expected_bytes"]) == (2 * files, 2 * int(size))
    assert described["expected_seconds"] == 400
    assert run_world.query("SELECT count(*) FROM snowmelt.run") == [(1,)]


def test_parameters_are_those_of_the_form_and_the_lines_are_for_people(call):
    out = call("mode=test", "row_limit=7", json=False, sql=True)
    assert [line.split() for line in out.splitlines() if line.startswith("rows ")] == [["rows", "7"]]
    assert "LIMIT 7" in out
    with pytest.raises(SystemExit, match="'full' is no parameter: write name=value"):
        call("full")
    with pytest.raises(SystemExit, match="chunking_column"):
        call("chunking_column=NOPE")
