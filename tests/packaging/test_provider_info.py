"""What Airflow is told about the provider is complete, in Airflow's own form, and true."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import airflow
import jsonschema
import pytest
from airflow.sdk import BaseOperator, BaseSensorOperator
from airflow.triggers.base import BaseTrigger

from snowmelt.get_provider_info import get_provider_info
from tests.conftest import ROOT

INFO = get_provider_info()
PACKAGE = ROOT / "provider" / "snowmelt"


def test_it_has_airflows_form():
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)
    # Airflow's schema lets unknown keys pass: a misspelt one would be ignored without a word.
    assert set(INFO) - {"package-name"} <= set(schema["properties"])


def modules(folder: str, base: type) -> set[str]:
    """The modules of a folder that define a class of this kind."""
    found = set()
    for path in (PACKAGE / folder).glob("*.py"):
        name = f"snowmelt.{folder}.{path.stem}"
        if path.stem != "__init__" and any(
            isinstance(value, type) and issubclass(value, base) and value.__module__ == name
            for value in vars(import_module(name)).values()
        ):
            found.add(name)
    return found


@pytest.mark.parametrize(
    ("key", "folder", "base"),
    [
        ("operators", "operators", BaseOperator),
        ("sensors", "sensors", BaseSensorOperator),
        ("triggers", "airflow", BaseTrigger),
    ],
)
def test_every_module_is_listed(key, folder, base):
    listed = [module for entry in INFO[key] for module in entry["python-modules"]]
    assert sorted(listed) == sorted(modules(folder, base))


def test_everything_that_is_named_is_there():
    for name in [*INFO.get("extra-links", []), *INFO["cli"]]:
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name
    for plugin in INFO.get("plugins", []):
        module, _, attribute = plugin["plugin-class"].rpartition(".")
        assert hasattr(import_module(module), attribute), plugin
    names = {one["integration-name"] for one in INFO["integrations"]}
    for key in ("operators", "sensors", "triggers"):
        assert {entry["integration-name"] for entry in INFO[key]} <= names


def say(home, *command):
    """What the `airflow` command of a fresh home prints."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *command],
        env={"AIRFLOW_HOME": str(home), "PATH": "", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_option_is_airflows(tmp_path):
    shown = say(
        tmp_path, "config", "list", "--section", "snowmelt", "--include-examples", "--include-env-vars"
    )
    assert "[snowmelt]" in shown
    assert "# Variable: AIRFLOW__SNOWMELT__CONFIG_FILE" in shown


def test_the_commands_are_airflows():
    from airflow.cli.cli_config import GroupCommand

    from snowmelt.cli.definition import get_snowmelt_cli_commands

    (group,) = (
        command for command in get_snowmelt_cli_commands() if getattr(command, "name", "") == "snowmelt"
    )
    assert isinstance(group, GroupCommand)
    groups = [group, *(command for command in group.subcommands if isinstance(command, GroupCommand))]
    for command in (command for one in groups for command in one.subcommands):
        assert isinstance(command, GroupCommand) or callable(command.func), command.name


@pytest.mark.slow
def test_airflow_shows_it(tmp_path):
    shown = say(tmp_path, "providers", "get", "airflow-provider-snowmelt", "--full", "--output", "json")
    (provider,) = json.loads(shown)
    assert provider["name"] == "Snowmelt"
