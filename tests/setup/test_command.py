"""`airflow snowmelt setup-sql`, by Airflow's own command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

CONFIG = ROOT / "include/config/s3copyconfig.json"

SHOWN = ["--storage-aws-iam-user-arn", "arn:aws:iam::999999999999:user/abc1-b-x", "--storage-aws-external-id", "AB1_SFCRole=2_x="]  # fmt: skip


@pytest.fixture
def call(tmp_path):
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "airflow", "snowmelt", "setup-sql", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "AIRFLOW_HOME": str(tmp_path / "home"),
                "PYTHONWARNINGS": "ignore",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.mark.slow
def test_two_steps_and_nothing_written_by_hand_is_lost(call, tmp_path):
    folder = tmp_path / "setup"
    first = call("--output", str(folder), "--aws-account", "123456789012")
    assert first.returncode == 0, first.stderr
    assert f"Go on with {folder / 'STEPS.md'}" in first.stdout
    assert (folder / "airflow-connections.env").stat().st_mode & 0o777 == 0o600
    assert len(list(folder.iterdir())) == 11

    edited = folder / "airflow-connections.env"
    edited.write_text("AIRFLOW_CONN_POSTGRES_DEFAULT='mine'\n")
    second = call("--output", str(folder), "--aws-account", "123456789012", *SHOWN)
    assert second.returncode == 1
    assert "airflow-connections.env" in second.stderr
    assert "snowflake.sql" not in second.stderr
    assert "<STORAGE" in (folder / "iam-trust-policy.json").read_text()

    edited.unlink()
    third = call("--output", str(folder), "--aws-account", "123456789012", *SHOWN)
    assert third.returncode == 0, third.stderr
    trust = json.loads((folder / "iam-trust-policy.json").read_text())
    assert trust["Statement"][0]["Principal"]["AWS"] == SHOWN[1]
    assert third.stdout.splitlines()[:-1] == [
        str(folder / name) for name in ("STEPS.md", "iam-trust-policy.json", "airflow-connections.env")
    ]

    other = call("--output", str(folder), "--aws-account", "210987654321", "--force")
    assert "210987654321" in (folder / "snowflake.sql").read_text(), other.stderr


@pytest.mark.slow
def test_it_prints_and_explains(call, tmp_path):
    printed = call("--stdout", "--aws-account", "123456789012", "--output", str(tmp_path / "none"))
    assert printed.returncode == 0, printed.stderr
    assert "\n==> snowflake.sql <==\n-- Snowmelt in Snowflake" in printed.stdout  # fmt: skip
    assert not (tmp_path / "none").exists()
    wrong = call("--aws-account", "12", "--output", str(tmp_path / "none"))
    assert wrong.returncode == 1
    assert "aws_account: '12'; expected 12 digits" in wrong.stderr
    missing = call(
        "--config", str(tmp_path / "no.json"), "--output", str(tmp_path / "none"), SNOWMELT_CONFIG=str(CONFIG)
    )
    assert missing.returncode == 1
    assert "no.json cannot be read" in missing.stderr
