"""Secrets in a place that must not hold any: found by the key's name or by the value's looks, never shown."""

from __future__ import annotations

import re
from typing import Any

from snowmelt.config.faults import ACCESS_KEY, PEM, URL_PASSWORD, Fault, Place

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
