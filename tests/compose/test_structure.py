"""docker-compose.yaml says what Compose and Airflow understand, asks for every secret, and its documentation is complete."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import airflow
import pytest
import yaml

from tests.compose.composition import GIVEN, TEXT, fill, read, variables
from tests.conftest import ROOT

COMPOSE = read(GIVEN)
SERVICES = COMPOSE["services"]
AIRFLOW = ("init", "api-server", "scheduler", "dag-processor", "triggerer", "worker")
#: The keys of a service in the Compose specification that the file may use.
KEYS = {"image", "build", "command", "environment", "volumes", "ports", "depends_on", "healthcheck", "restart", "init", "profiles",
        "stop_grace_period"}  # fmt: skip
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
SECRET = re.compile(r"PASSWORD|SECRET|FERNET|TOKEN")


def specified(document, folder) -> subprocess.CompletedProcess[str]:
    """The document held against the Compose specification's own JSON schema, which check-jsonschema carries."""
    file = folder / "docker-compose.yaml"
    file.write_text(yaml.safe_dump(document))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_specifications_schema_takes_it(tmp_path):
    done = specified(COMPOSE, tmp_path)
    assert done.returncode == 0, done.stdout
    wrong = deepcopy(COMPOSE)
    wrong["services"]["redis"]["helthcheck"] = wrong["services"]["redis"].pop("healthcheck")
    wrong["services"]["worker"]["depends_on"]["init"]["condition"] = "service_done"
    done = specified(wrong, tmp_path)
    assert done.returncode == 1
    assert "helthcheck" in done.stdout
    assert "service_done" in done.stdout


def test_the_services_are_there():
    assert set(SERVICES) == {*AIRFLOW, "metadata", "redis", "sandbox"}
    assert set(COMPOSE) <= {"services", "volumes", "x-airflow"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_well_formed(name):
    service = SERVICES[name]
    assert set(service) <= KEYS
    assert isinstance(service["image"], str)
    assert all(isinstance(word, str) for word in service.get("command", []))
    assert all(isinstance(value, str) for value in service.get("environment", {}).values()), "not a text"
    for target, how in service.get("depends_on", {}).items():
        assert target in SERVICES
        assert how["condition"] in CONDITIONS
        assert set(how) <= {"condition", "required"}
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[target]
        # A service of a profile is not always there.
        assert how.get("required", True) or "profiles" in SERVICES[target]
        assert "profiles" not in SERVICES[target] or how["required"] is False
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source.startswith("./") or source in COMPOSE["volumes"], volume


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "init"])
def test_what_runs_on_is_asked_for_its_health_and_started_again(name):
    health = SERVICES[name]["healthcheck"]
    assert set(health) <= HEALTH_KEYS
    assert health["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_no_secret_has_a_default():
    for variable in variables():
        if SECRET.search(variable.name):
            assert variable.required, variable.name
            assert variable.text, "the message says what to give"
    with pytest.raises(KeyError, match="REDIS_PASSWORD"):
        read({name: value for name, value in GIVEN.items() if name != "REDIS_PASSWORD"})
    raw = yaml.safe_load(TEXT)
    for service in raw["services"].values():
        for name, value in service.get("environment", {}).items():
            if SECRET.search(name) and not name.endswith("_FILE"):
                assert re.match(r"\$\{\w+:\?", value), name
    assert not re.search(r"://\w+:(?!\$)[^@/\s]+@", TEXT)


def test_every_variable_is_documented_and_no_other():
    page = (ROOT / "docs/compose.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))
    assert documented == {variable.name for variable in variables()}
    assert {name for name in GIVEN if f"{name}=" in page} == set(GIVEN)


def test_airflow_knows_every_setting():
    folder = Path(airflow.__file__).parent
    known = yaml.safe_load((folder / "config_templates/config.yml").read_text())
    options = {(section, option) for section, entry in known.items() for option in entry["options"]}
    celery = {"result_backend", "broker_url", "worker_concurrency", "worker_prefetch_multiplier"}
    options |= {("celery", option) for option in celery}
    for name in AIRFLOW:
        for variable in SERVICES[name]["environment"]:
            if variable.startswith("AIRFLOW__"):
                section, _, option = variable.removeprefix("AIRFLOW__").lower().partition("__")
                assert (section, option) in options, variable


def test_all_of_airflow_has_the_same_settings():
    common = SERVICES["worker"]["environment"]
    for name in AIRFLOW:
        assert SERVICES[name]["environment"].items() >= common.items(), name
        assert SERVICES[name]["image"] == SERVICES["worker"]["image"]
    assert common["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_workers_can_be_scaled():
    assert "ports" not in SERVICES["worker"]
    assert "container_name" not in TEXT


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.sandbox"])
def test_what_an_image_copies_is_there_and_passes_dockerignore(name):
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    for line in (ROOT / "docker" / name).read_text().splitlines():
        if line.startswith("COPY"):
            source = next(word for word in line.split()[1:] if not word.startswith("--"))
            kept = {rule.removeprefix("!").split("/")[0] for rule in ignore if rule.startswith("!")}
            assert source.split("/")[0] in kept, source
            if not source.startswith("dist/"):
                assert (ROOT / source).exists(), source
                if source.endswith(".sh"):
                    assert (ROOT / source).stat().st_mode & stat.S_IXUSR


def test_nothing_is_published_beyond_this_machine():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080"]


def test_filling_in():
    assert fill("a ${B:-c} $$(d)", {}) == "a c $(d)"
    assert fill(["${B:-c}"], {"B": "e"}) == ["e"]
