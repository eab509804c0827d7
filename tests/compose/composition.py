"""docker-compose.yaml as a value: parsed, and filled from an environment by Compose's own rules, as far as the file uses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.conftest import ROOT

TEXT = (ROOT / "docker-compose.yaml").read_text()
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>[A-Z0-9_]+)(?P<kind>:[-?])(?P<text>[^}]*)\}")


@dataclass(frozen=True)
class Variable:
    """A `${NAME:-default}` or `${NAME:?message}`."""

    name: str
    required: bool
    text: str


def variables() -> list[Variable]:
    found = [match for match in _VARIABLE.finditer(TEXT) if match["name"]]
    return [Variable(match["name"], match["kind"] == ":?", match["text"]) for match in found]


def fill(value: Any, environment: Mapping[str, str]) -> Any:
    """The value with its variables filled in; KeyError for a required one that is missing or empty."""
    if isinstance(value, dict):
        return {key: fill(one, environment) for key, one in value.items()}
    if isinstance(value, list):
        return [fill(one, environment) for one in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if not match["name"]:
            return "$"
        if environment.get(match["name"]):
            return environment[match["name"]]
        if match["kind"] == ":?":
            raise KeyError(f"{match['name']}: {match['text']}")
        return match["text"]

    return _VARIABLE.sub(replace, value)


def read(environment: Mapping[str, str]) -> dict[str, Any]:
    return fill(yaml.safe_load(TEXT), environment)


#: Every required variable, with a value that a person might give.
GIVEN = {
    name: "x" + name.lower().replace("_", "")
    for name in dict.fromkeys(one.name for one in variables() if one.required)
}
