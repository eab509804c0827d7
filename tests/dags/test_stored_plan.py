"""The plan is the run: a form, a file or a warehouse of a later try changes nothing of what was planned."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

import pytest

from snowmelt.config.file import parse_config
from snowmelt.config.request import parse_request
from snowmelt.plan.facts import RunIdentity
from snowmelt.steps import planning, planning_facts
from tests.conftest import ROOT
from tests.dags.conftest import migrate

MB = 1024 * 1024


def config_with(path: Path, **unload: object) -> Path:
    config = json.loads((ROOT / "include/config/s3copyconfig.json").read_text())
    config["snowflake_unload"] |= unload
    path.write_text(json.dumps(config))
    return path


@pytest.fixture
def warehouses(snowflake, demo):
    """Two warehouses, and a second stage over the same bucket."""
    with snowflake.cursor() as cursor:
        for name in ("PLANNED", "LATER"):
            cursor.execute(f"CREATE OR REPLACE WAREHOUSE {name} WAREHOUSE_SIZE = 'SMALL'")
        cursor.execute("USE WAREHOUSE SNOWMELT_WH")
        cursor.execute(
            f"CREATE OR REPLACE STAGE UTIL.STAGING.LATER URL = 's3://{demo.bucket}/later/' STORAGE_INTEGRATION = SNOWMELT_S3"
        )
        yield
        for statement in ("DROP WAREHOUSE PLANNED", "DROP WAREHOUSE LATER", "DROP STAGE UTIL.STAGING.LATER"):
            cursor.execute(statement)


def unloads(demo, run_id):
    """The unloads of a run by Snowflake's own log: (stage, MAX_FILE_SIZE, warehouse) each."""
    found = []
    for line in (
        Path(demo.env["SNOWMELT_SANDBOX_SNOWFLAKE_STATEMENT_LOG"]).read_text().rstrip("\n").split("\n")
    ):
        entry = json.loads(line)
        unload = re.match(rf"COPY INTO '@(\S+?)/\S*{run_id}/chunk_\d+/' FROM", entry["sql"])
        if unload and entry["status"] == "SUCCESS":
            size = re.search(r"MAX_FILE_SIZE = (\d+)", entry["sql"])
            found.append((unload[1], int(size[1]), entry["warehouse"]))
    return found


def test_a_run_that_is_resumed_under_another_form_and_file_unloads_by_its_plan(
    run_dags, demo, app, snowflake, warehouses, tmp_path
):
    run_id = f"planned_{uuid.uuid4().hex[:8]}"
    planned = config_with(tmp_path / "planned.json", warehouse="PLANNED", statement_timeout_s=3600)
    later = config_with(tmp_path / "later.json", warehouse="LATER", stage_name="LATER", statement_timeout_s=1)
    job = migrate("DIMPAYER", target_table="dim_planned", max_file_size_mb=7)
    request = parse_request(job["conf"], parse_config(planned.read_text(), demo.env))
    sessions = planning_facts.PlanningSessions(snowflake, app, lambda: None)
    planning.plan_run(sessions, request, RunIdentity(run_id, "migrate_table", "died"))

    resumed = migrate("DIMPAYER", target_table="dim_planned", mode="load", run_id=run_id, max_file_size_mb=1)
    (ran,) = run_dags(resumed | {"environment": {"SNOWMELT_CONFIG": str(later)}})
    assert ran.state == "success", ran.log[-3000:]
    assert unloads(demo, run_id) == [('"UTIL"."STAGING"."SNOWMELT_STAGE"', 7 * MB, "PLANNED")]
    assert app.execute("SELECT outcome FROM snowmelt.run WHERE run_id = %s", (run_id,)).fetchone() == (
        "published",
    )
