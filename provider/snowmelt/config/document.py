"""The text of a JSON document → plain values.

Line and column of a slip are named, and every key that is given twice. `${VAR}` and `${VAR:-default}` inside text values are
filled from the environment. A secret in a place that must not hold any is found by the key's name or by the value's looks, never shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snowmelt.config.faults import ACCESS_KEY, PEM, URL_PASSWORD, Fault, Place, suggest


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """What a JSON text holds."""

    #: dict, list, str, int, float, bool or None; None also when the text is not JSON.
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
        fault = Fault((), f"invalid JSON at {where} ({slip.msg})", "JSON", _advice(slip))
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
    return "Check this place and the one just before it: a comma, quote or bracket is missing or too much."


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


#: `$${` stays as `${`; a reference ends at the first brace.
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<body>[^{}]*)\}|\$\{")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FilledDocument:
    """A document whose references are filled."""

    value: Any
    faults: tuple[Fault, ...]
    #: The texts that held a reference, as they are in the file: a message shows these instead of what the
    #: environment gave, which may be a secret.
    written: Mapping[Place, str]


def fill_environment(document: Any, environment: Mapping[str, str]) -> FilledDocument:
    """Fill every text value; keys are left alone.

    As in a shell, the default also replaces a variable that is set and empty. A variable that is not set and has
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


#: Names of keys (letters and digits only, lower case) whose value is a secret whatever it looks like.
_SECRET_NAMES = frozenset(
    """
    accesskey accesskeyid apikey awsaccesskey awsaccesskeyid awskeyid awssecretaccesskey awssecretkey awssessiontoken awstoken
    clientsecret connectionstring connectionuri credential credentials dsn oauthtoken passphrase passwd password privatekey
    privatekeycontent privatekeyfile privatekeypassphrase pwd secret secretaccesskey secretkey sessiontoken snowflakepassword
    token
    """.split()
)
#: Objects whose keys are names of columns: a column may be called PASSWORD, and is masked or left out there.
_KEYED_BY_COLUMN = (("columns", "rename"), ("columns", "type"), ("columns", "mask"))
#: Ends of an environment variable's name that say the same.
_SECRET_ENDS = (
    *("ACCESS_KEY", "ACCESS_KEY_ID", "API_KEY", "PASSPHRASE", "PASSWD"),
    *("PASSWORD", "PRIVATE_KEY", "SECRET", "SECRET_KEY", "TOKEN"),
)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")

_CONNECTIONS = {
    "aws": "connections.aws (aws_default)",
    "snowflake": "connections.snowflake (snowflake_default)",
    "any": "connections",
}


def find_raw_keys(document: Any) -> list[Fault]:
    """Every secret in a JSON document, each with its place; the text of none of them.

    Checked are the names of keys and of the environment variables in `${…}`, and in each text (keys too) access keys
    of AWS (AKIA…, ASIA…), private keys (PEM) and URLs with a password. Run it over the document as it is written and
    again over the filled one.
    """
    faults: list[Fault] = []
    _walk(document, (), faults)
    return faults


def _walk(value: Any, place: Place, faults: list[Fault]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            name = re.sub(r"[^a-z0-9]", "", key.lower())
            kind = _looks_secret(key)
            if kind:
                faults.append(_fault((*place, "a key"), kind))
            elif name in _SECRET_NAMES and item is not None and place[-2:] not in _KEYED_BY_COLUMN:
                faults.append(_fault((*place, key), "a raw key or password (by the key's name)"))
            else:
                _walk(item, (*place, key), faults)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _walk(item, (*place, position), faults)
    elif isinstance(value, str):
        kind = _looks_secret(value)
        if kind:
            faults.append(_fault(place, kind))


def _looks_secret(text: str) -> str:
    access_key = ACCESS_KEY.search(text)
    if access_key and access_key["kind"] == "AKIA":
        return "what looks like an AWS access key (AKIA…)"
    if access_key:
        return "what looks like a temporary AWS access key (ASIA…), which works only with its session token"
    if PEM.search(text):
        return "what looks like a private key (PEM)"
    if URL_PASSWORD.search(text):
        return "an address with a password in it"
    for name in _VARIABLE.findall(text):
        if name.upper().endswith(_SECRET_ENDS):
            return f"${{{name}}}, which by its name is a secret"
    return ""


def _fault(place: Place, kind: str) -> Fault:
    if "AWS" in kind or any("aws" in str(step).lower() or "access" in str(step).lower() for step in place):
        connection = _CONNECTIONS["aws"]
    elif "private key" in kind or any("snowflake" in str(step).lower() for step in place):
        connection = _CONNECTIONS["snowflake"]
    else:
        connection = _CONNECTIONS["any"]
    return Fault(
        place,
        kind,
        "no secret here: this text is stored, shown and logged",
        f"Put it into the Airflow connection that {connection} names, delete it here, "
        "and replace a key that was already shared.",
    )
