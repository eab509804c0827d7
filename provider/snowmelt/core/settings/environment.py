"""`${VAR}` and `${VAR:-default}` inside the text values of a JSON document, filled from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snowmelt.core.settings.faults import Fault, Place, suggest

#: `$${` stays as `${`; a reference ends at the first brace.
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<body>[^{}]*)\}|\$\{")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FilledDocument:
    """A document whose references are filled."""

    value: Any
    faults: tuple[Fault, ...]
    #: The texts that held a reference, as they stand in the file: a message shows these instead of what the
    #: environment gave, which may be a secret.
    written: Mapping[Place, str]


def fill_environment(document: Any, environment: Mapping[str, str]) -> FilledDocument:
    """Fill every text value; keys are left alone.

    As in a shell, the default also stands in for a variable that is set and empty. A variable that is not set and has
    no default is a fault; the text then stays as it was written.
    """
    faults: list[Fault] = []
    written: dict[Place, str] = {}
    value = _fill(document, (), environment, faults, written)
    return FilledDocument(value, tuple(faults), written)


def _fill(
    value: Any, place: Place, environment: Mapping[str, str], faults: list[Fault], written: dict[Place, str]
) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, (*place, key), environment, faults, written) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, (*place, at), environment, faults, written) for at, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    written[place] = value
    before = len(faults)

    def reference(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        body = _BODY.fullmatch(match["body"] or "")
        if body is None:
            faults.append(
                Fault(
                    place,
                    f'"{match[0]}"',
                    "${NAME} or ${NAME:-default}",
                    "Write $${ where the two characters ${ themselves are meant.",
                )
            )
            return match[0]
        name, default = body["name"], body["default"]
        given = environment.get(name)
        if default is not None:
            return given or default
        if given is None:
            faults.append(_missing(place, name, environment))
            return match[0]
        return given

    filled = _REFERENCE.sub(reference, value)
    return value if len(faults) > before else filled


def _missing(place: Place, name: str, environment: Mapping[str, str]) -> Fault:
    near = suggest(name, environment)
    advice = f"Set {name} where Airflow runs, or write ${{{name}:-a default}}."
    return Fault(
        place,
        f"${{{name}}}",
        f"the environment variable {name} to be set",
        f"{near} {advice}" if near else advice,
    )
