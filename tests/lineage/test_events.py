"""What OpenLineage's provider writes about real DAG runs, by its file transport."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.conftest import ROOT
from tests.dags.conftest import demo, environment

__all__ = ["demo"]

DAGS = Path(__file__).with_name("dags")
#: The table's columns as they were made, for the operators that fill an existing table.
ALONE = """
CREATE TABLE public.lineage_alone (payer_key numeric(38,0), payer_code varchar(20), "Payer Name" varchar(200), payer_type varchar(30),
  state_code varchar(2), contract_start date, contract_end date, rate numeric(19,3), is_active boolean, settings jsonb,
  created_at timestamp, last_modified timestamptz)
"""
SNOWFLAKE = ("snowflake://sandbox.us-west-1.aws", "ANALYTICS.BI.DIMPAYER")


@pytest.fixture(scope="module")
def told(demo, tmp_path_factory):
    """The last START and the COMPLETE event of each task."""
    folder = tmp_path_factory.mktemp("lineage")
    config = json.loads((ROOT / "include/config/s3copyconfig.json").read_text())
    (source,) = config["sources"]
    (table,) = (table for table in source["tables"] if table["source"] == "DIMPAYER")
    source["tables"] = [table]
    table["target"] = "lineage_payers"
    table["columns"] = {
        "include": ["PAYER_KEY", "PAYER_CODE", "Payer Name"],
        "rename": {"PAYER_CODE": "code"},
        "mask": {"Payer Name": {"expression": 'SHA2("Payer Name")', "type": "VARCHAR(64)"}},
    }
    (folder / "config.json").write_text(json.dumps(config))
    log = folder / "events.jsonl"
    with psycopg.connect(demo.env["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS public.lineage_alone, public.lineage_payers")
        connection.execute(ALONE)
    done = subprocess.run(
        [sys.executable, str(DAGS / "copies.py")],
        env=environment(
            demo,
            SNOWMELT_CONFIG=str(folder / "config.json"),
            AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps(
                {"type": "file", "log_file_path": str(log), "append": True}
            ),
            AIRFLOW__OPENLINEAGE__NAMESPACE="tests",
            AIRFLOW__OPENLINEAGE__EXECUTION_TIMEOUT="60",
            # dag.test() has no supervisor: a forked process could ask it nothing.
            AIRFLOW__OPENLINEAGE__EXECUTE_IN_THREAD="True",
            AIRFLOW__CORE__DAGS_FOLDER=str(DAGS),
        ),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ends = [line for line in done.stdout.splitlines() if line.startswith("@@@")]
    assert ends == [
        "@@@ migrate__analytics__lineage_payers success",
        "@@@ alone success",
        "@@@ waiting success",
    ], done.stdout[-5000:]
    found = {"START": {}, "COMPLETE": {}}
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if event["eventType"] in found:
            found[event["eventType"]][event["job"]["name"].removeprefix("migrate__analytics__")] = event
    yield found
    with psycopg.connect(demo.env["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        connection.execute("DROP TABLE public.lineage_alone, public.lineage_payers")


@pytest.fixture
def events(told):
    return told["COMPLETE"]


def named(datasets):
    return [(dataset["namespace"], dataset["name"]) for dataset in datasets]


def lineage(dataset):
    """Column → (the columns it is made of, whether it is masked)."""
    return {
        name: (
            [one["field"] for one in field["inputFields"]],
            any(t["masking"] for one in field["inputFields"] for t in one["transformations"]),
        )
        for name, field in dataset["facets"]["columnLineage"]["fields"].items()
    }


def statistics(dataset, kind="output"):
    facet = dataset[f"{kind}Facets"][f"{kind}Statistics"]
    return facet["rowCount"], facet.get("fileCount"), facet.get("size")


def postgres(demo, table):
    port = demo.env["SNOWMELT_SANDBOX_PG_PORT"]
    return f"postgres://127.0.0.1:{port}", f"app.public.{table}"


def test_the_unload_reads_the_table_and_writes_its_folder(events, demo):
    event = events["lineage_payers.unload"]
    assert named(event["inputs"]) == [SNOWFLAKE]
    (staged,) = event["outputs"]
    assert named([staged]) == [(f"s3://{demo.bucket}", "ANALYTICS/BI/DIMPAYER")]
    rows, files, size = statistics(staged)
    assert (rows, files) == (500, 1)
    assert size > 1000
    assert [field["name"] for field in staged["facets"]["schema"]["fields"]] == [
        "PAYER_KEY",
        "PAYER_CODE",
        "Payer Name",
    ]
    assert lineage(staged)["PAYER_CODE"] == (["PAYER_CODE"], False)
    assert event["run"]["facets"]["externalQuery"]["source"] == "snowflake"


def test_the_load_of_a_run_reads_the_same_folder_and_writes_no_table_that_readers_see(events, demo):
    event = events["lineage_payers.load"]
    (staged,) = event["inputs"]
    assert named([staged]) == [(f"s3://{demo.bucket}", "ANALYTICS/BI/DIMPAYER")]
    assert statistics(staged, "input")[:2] == (500, 1)
    assert event["outputs"] == []


def test_the_publish_writes_the_target_and_tells_renamed_and_masked_columns(events, demo):
    event = events["lineage_payers.publish"]
    assert named(event["inputs"]) == [SNOWFLAKE, (f"s3://{demo.bucket}", "ANALYTICS/BI/DIMPAYER")]
    (target,) = event["outputs"]
    assert named([target]) == [postgres(demo, "lineage_payers")]
    assert statistics(target)[0] == 500
    assert [(field["name"], field["type"]) for field in target["facets"]["schema"]["fields"]] == [
        ("payer_key", "numeric(38,0)"),
        ("code", "character varying(20)"),
        ("Payer Name", "character varying(64)"),
    ]
    assert lineage(target) == {
        "payer_key": (["PAYER_KEY"], False),
        "code": (["PAYER_CODE"], False),
        "Payer Name": (["Payer Name"], True),
    }
    origin = target["facets"]["columnLineage"]["fields"]["code"]["inputFields"][0]
    assert (origin["namespace"], origin["name"]) == SNOWFLAKE


def test_the_operators_by_themselves_tell_the_table_that_the_load_fills(events, demo):
    unload, load = events["alone.unload"], events["alone.load"]
    assert named(unload["inputs"]) == [SNOWFLAKE]
    assert named(unload["outputs"]) == named(load["inputs"])
    assert unload["outputs"][0]["name"].startswith("mine/payers/")
    assert len(lineage(unload["outputs"][0])) == 12
    (target,) = load["outputs"]
    assert named([target]) == [postgres(demo, "lineage_alone")]
    assert statistics(target)[0] == 500
    assert lineage(target)["Payer Name"] == (["Payer Name"], False)


def test_the_sensor_reads_the_folder_and_writes_nothing(events, demo):
    event = events["lineage_payers.manifest"]
    (staged,) = event["inputs"]
    assert named([staged]) == [(f"s3://{demo.bucket}", "ANALYTICS/BI/DIMPAYER")]
    assert statistics(staged, "input") == statistics(events["lineage_payers.unload"]["outputs"][0])
    assert event["outputs"] == []
    alone = events["alone.staged"]["inputs"]
    assert named(alone) == named(events["alone.unload"]["outputs"])
    assert len(alone[0]["facets"]["schema"]["fields"]) == 12


def test_the_sensor_tells_what_a_whole_manifest_names(events, demo):
    (staged,) = events["waiting.whole"]["inputs"]
    assert named([staged]) == [(f"s3://{demo.bucket}", "ANALYTICS/BI/DIMPAYER")]
    assert statistics(staged, "input")[:2] == (500, 1)
    fields = [field["name"] for field in staged["facets"]["schema"]["fields"]]
    assert fields == ["PAYER_KEY", "PAYER_CODE", "Payer Name"]


@pytest.mark.parametrize(
    "task",
    "lineage_payers.unload lineage_payers.manifest lineage_payers.load lineage_payers.publish "
    "alone.unload alone.staged alone.load waiting.whole".split(),
)
def test_a_start_names_what_will_be_read_and_counts_nothing(told, task):
    start, end = told["START"][task], told["COMPLETE"][task]
    assert named(start["inputs"]) == named(end["inputs"]) != []
    assert not any(dataset.get("inputFacets") for dataset in start["inputs"])
    assert start["outputs"] == []


def test_no_secret_is_in_any_event(told, demo):
    text = json.dumps(told)
    for name, value in demo.env.items():
        if name.endswith("SECRET_ACCESS_KEY"):
            assert value not in text, name
    assert psycopg.conninfo.conninfo_to_dict(demo.env["SNOWMELT_SANDBOX_PG_DSN"])["password"] not in text
