"""Session parameters: what is known, what is the default, how a value reads."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass

from sandbox.snowflake import errors


@dataclass(frozen=True, slots=True)
class Parameter:
    kind: type  # bool, int or str
    default: str
    description: str = ""


_TZ_MODEL = "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"

KNOWN: dict[str, Parameter] = {
    "ABORT_DETACHED_QUERY": Parameter(bool, "false", "abort queries whose client is gone"),
    "AUTOCOMMIT": Parameter(bool, "true"),
    "BINARY_INPUT_FORMAT": Parameter(str, "HEX"),
    "BINARY_OUTPUT_FORMAT": Parameter(str, "HEX"),
    "CLIENT_SESSION_KEEP_ALIVE": Parameter(bool, "false"),
    "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": Parameter(int, "3600"),
    "CLIENT_PREFETCH_THREADS": Parameter(int, "4"),
    "CLIENT_RESULT_CHUNK_SIZE": Parameter(int, "160"),
    "CLIENT_TELEMETRY_ENABLED": Parameter(bool, "false"),
    "DATE_INPUT_FORMAT": Parameter(str, "AUTO"),
    "DATE_OUTPUT_FORMAT": Parameter(str, "YYYY-MM-DD"),
    "ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION": Parameter(
        bool, "true", "types of unloaded columns follow the values"
    ),
    "LOCK_TIMEOUT": Parameter(int, "43200"),
    "MULTI_STATEMENT_COUNT": Parameter(int, "1"),
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": Parameter(str, "ARROW"),
    "QUERY_TAG": Parameter(str, ""),
    "QUOTED_IDENTIFIERS_IGNORE_CASE": Parameter(bool, "false"),
    "ROWS_PER_RESULTSET": Parameter(int, "0"),
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": Parameter(int, "0"),
    "STATEMENT_TIMEOUT_IN_SECONDS": Parameter(int, "172800", "0: no limit"),
    "TIMESTAMP_INPUT_FORMAT": Parameter(str, "AUTO"),
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": Parameter(str, ""),
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": Parameter(str, "YYYY-MM-DD HH24:MI:SS.FF3"),
    "TIMESTAMP_OUTPUT_FORMAT": Parameter(str, _TZ_MODEL),
    "TIMESTAMP_TYPE_MAPPING": Parameter(str, "TIMESTAMP_NTZ"),
    "TIMESTAMP_TZ_OUTPUT_FORMAT": Parameter(str, ""),
    "TIMEZONE": Parameter(str, "America/Los_Angeles"),
    "TIME_INPUT_FORMAT": Parameter(str, "AUTO"),
    "TIME_OUTPUT_FORMAT": Parameter(str, "HH24:MI:SS"),
    "TRANSACTION_ABORT_ON_ERROR": Parameter(bool, "false"),
    "TWO_DIGIT_CENTURY_START": Parameter(int, "1970"),
    "UNLOAD_PARQUET_TIME_TIMESTAMP_MILLIS": Parameter(bool, "true", "Parquet times in milliseconds"),
    "USE_CACHED_RESULT": Parameter(bool, "true"),
    "WEEK_START": Parameter(int, "0"),
}


def parse_value(name: str, text: str) -> str:
    """The value as it is kept; raises Snowflake's error for an unknown parameter or a wrong value."""
    known = KNOWN.get(name)
    if known is None:
        raise errors.compilation(1002, "22023", f"invalid property '{name}' for 'SESSION'")
    if known.kind is bool:
        if text.lower() not in {"true", "false"}:
            raise errors.compilation(1008, "22023", f"invalid value [{text}] for parameter '{name}'")
        return text.lower()
    if known.kind is int and not text.lstrip("-").isdigit():
        raise errors.compilation(1008, "22023", f"invalid value [{text}] for parameter '{name}'")
    if name == "TIMEZONE" and text not in zoneinfo.available_timezones():
        raise errors.compilation(1008, "22023", f"invalid value [{text}] for parameter 'TIMEZONE'")
    if name == "TIMESTAMP_TYPE_MAPPING" and text.upper() != "TIMESTAMP_NTZ":
        raise errors.NotImplementedHere(f"TIMESTAMP_TYPE_MAPPING = {text}")
    if name == "QUOTED_IDENTIFIERS_IGNORE_CASE" and text.lower() == "true":
        raise errors.NotImplementedHere("QUOTED_IDENTIFIERS_IGNORE_CASE = TRUE")
    return text


class Parameters:
    """The session's values over the account's defaults."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def set(self, name: str, text: str) -> None:
        self.values[name] = parse_value(name, text)

    def unset(self, name: str) -> None:
        parse_value(name, KNOWN[name].default if name in KNOWN else "")
        self.values.pop(name, None)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, KNOWN[name].default)

    def flag(self, name: str) -> bool:
        return self[name] == "true"

    def number(self, name: str) -> int:
        return int(self[name])
