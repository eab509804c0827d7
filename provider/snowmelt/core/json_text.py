"""The text of a JSON document → plain values, with line and column of a slip and every key that is given twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from snowmelt.core.settings.faults import Fault, Place


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """What a JSON text holds."""

    #: dict, list, str, int, float, bool or None; None also when the text is no JSON.
    value: Any
    faults: tuple[Fault, ...]


class _Object(dict[str, Any]):
    """A JSON object that remembers the keys that it was given more than once."""

    repeated: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    value = _Object(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        value.repeated = tuple(sorted({key for key in keys if keys.count(key) > 1}))
    return value


def parse_json(text: str) -> JsonDocument:
    """Read a JSON document; nothing is raised, every fault is returned.

    A byte order mark in front is left out. JSON itself allows a key twice and keeps the last one: here it is a fault,
    because the first one was written for a reason.
    """
    if not text.strip():
        return JsonDocument(
            None, (Fault((), "an empty file", "a JSON object", "Write the configuration into it."),)
        )
    try:
        value = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_object)
    except json.JSONDecodeError as slip:
        where = f"line {slip.lineno}, column {slip.colno}"
        fault = Fault((), f"no JSON at {where} ({slip.msg})", "JSON", _advice(slip))
        return JsonDocument(None, (fault,))
    except RecursionError:
        return JsonDocument(None, (Fault((), "thousands of nested brackets", "a JSON object"),))
    faults: list[Fault] = []
    return JsonDocument(_plain(value, (), faults), tuple(faults))


def _advice(slip: json.JSONDecodeError) -> str:
    rest = slip.doc[slip.pos :].lstrip()
    before = slip.doc[: slip.pos].rstrip()
    if rest[:1] in {"}", "]"} or (before.endswith(",") and rest[:1] in {"", "}", "]"}):
        return "JSON allows no comma after the last entry."
    if rest.startswith(("//", "/*", "#")):
        return "JSON has no comments: move it to the documentation."
    if rest.startswith("'"):
        return 'JSON takes double quotes: "…".'
    return "Look at this place and the one just before it: a comma, quote or bracket is missing or too much."


def _plain(value: Any, place: Place, faults: list[Fault]) -> Any:
    if isinstance(value, _Object):
        faults.extend(
            Fault((*place, key), "the key more than once", "each key once", "Keep the one that is meant.")
            for key in value.repeated
        )
        return {key: _plain(item, (*place, key), faults) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, (*place, position), faults) for position, item in enumerate(value)]
    return value
