"""Whoever can write a manifest does not choose what else Python reads or Snowflake removes."""

from __future__ import annotations

import json

import pytest

from snowmelt.errors import StagingError
from snowmelt.steps.finish import remove_staged
from snowmelt.unload.staged import look_for_staged, read_manifest


@pytest.fixture
def unloaded(world):
    world.sql("CREATE TABLE T (ID INT)", "INSERT INTO T VALUES (1), (2)")
    plan = world.plan({"source": "T"})
    world.finish(plan, world.unload(plan))
    return world, f"{plan.location.key(plan.path)}", plan


CHANGES = {
    "another bucket": lambda document: document.update(bucket="somebody-elses"),
    "another folder": lambda document: document.update(path="payroll/"),
    "a file elsewhere": lambda document: document["chunks"][0].update(folder="payroll/"),
    "a file above": lambda document: document["chunks"][0].update(
        folder=document["path"].rsplit("/", 2)[0] + "/"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_manifest_names_files_of_its_own_folder_alone(unloaded, sandbox, ears, change):
    world, folder, _ = unloaded
    client = sandbox.s3("ADMIN")
    document = json.loads(client.get_object(Bucket=world.bucket, Key=f"{folder}manifest.json")["Body"].read())
    client.put_object(Bucket=world.bucket, Key="payroll/secret.parquet", Body=b"secret")
    CHANGES[change](document)
    key = f"{folder}manifest.json"
    client.put_object(Bucket=world.bucket, Key=key, Body=json.dumps(document).encode())
    heard = ears()
    with pytest.raises(StagingError, match="a manifest names files of its own folder alone"):
        read_manifest(world.s3, world.bucket, key)
    with pytest.raises(StagingError, match="a manifest names files of its own folder alone"):
        look_for_staged(world.s3, f"s3://{world.bucket}/{key}")
    with pytest.raises(StagingError, match="a manifest names files of its own folder alone"):
        world.plan({"source": "T"}, mode="load", run_id=folder.split("run_")[1].rstrip("/"))
    assert {key for _, _, key in heard.s3()} == {key}


def test_clean_up_removes_the_runs_own_files_alone(unloaded, sandbox, ears):
    world, folder, plan = unloaded
    client = sandbox.s3("ADMIN")
    for key in ("payroll/secret.parquet", f"{folder.rstrip('/')}-other/x", f"{folder}../x"):
        client.put_object(Bucket=world.bucket, Key=key, Body=b"x")
    # A ledger that somebody wrote into names a file elsewhere.
    world.execute(
        "INSERT INTO snowmelt.staged_file (run_id, s3_key, chunk, batch, bytes, rows) "
        f"VALUES ('{plan.run_id}', 'payroll/secret.parquet', 0, 0, 1, 1)"
    )
    heard = ears()
    with world.target() as connection:
        remove_staged(connection, plan, snowflake=world.session, s3=lambda: sandbox.s3("AIRFLOW_CLEANUP"))
        remove_staged(connection, plan, snowflake=world.session, s3=None)
    deleted = [key for _, method, key in heard.s3() if method == "DELETE"]
    assert all(key.startswith(folder) for key in deleted)
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=world.bucket
    )  # other tests' files are there, too
    left = {entry["Key"] for page in pages for entry in page.get("Contents", ())}
    assert {"payroll/secret.parquet", f"{folder.rstrip('/')}-other/x"} <= left
    assert {key for key in left if key.startswith(folder)} <= {f"{folder}../x", f"{folder}manifest.json"}
