"""How one value of the configuration file or of the trigger form is read: text in, value out, or what was expected.

Each function here makes a pydantic validator. What it refuses becomes a `snowmelt` error that carries the words of a
fault (see `readings.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

from snowmelt.config.faults import suggest
from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import (
    POSTGRES_IDENTIFIER_BYTES,
    SNOWFLAKE_IDENTIFIER_CHARACTERS,
    fold_name,
    parse_identifier,
    snowflake_identifier,
)

ERROR_TYPE = "snowmelt"

#: MB are 1,048,576 bytes here, as in Snowflake's own default (16777216 bytes are 16 MB).
BYTES_PER_MB = 1024 * 1024
#: Snowflake's MAX_FILE_SIZE ends at 5 GB, read as 5,000,000,000 bytes.
MOST_FILE_MB = 5_000_000_000 // BYTES_PER_MB

Reader = Callable[[Any], Any]

_PRINTED_UNQUOTED = re.compile(r"[A-Z_][A-Z0-9_$]*")
#: Airflow's own rule for connection ids, without the slash and colon of an address.
_CONNECTION_ID = re.compile(r"[\w#!().-]{1,250}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
#: Airflow's `allowed_run_id_pattern`, and its longest run id.
MOST_RUN_ID_CHARACTERS = 250
RUN_ID_PATTERN = r"^[A-Za-z0-9_.~:+-]+$"
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
#: Airflow's own presets; @once and @continuous make no sense for a table.
SCHEDULE_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_CRON_FIELDS = 5
#: Snowflake's names of sizes, as ALTER WAREHOUSE takes them, and how people write them.
WAREHOUSE_SIZES = (
    "XSMALL",
    "SMALL",
    "MEDIUM",
    "LARGE",
    "XLARGE",
    "XXLARGE",
    "XXXLARGE",
    "X4LARGE",
    "X5LARGE",
    "X6LARGE",
)
_OTHER_SIZES = {
    "2XLARGE": "XXLARGE",
    "3XLARGE": "XXXLARGE",
    "4XLARGE": "X4LARGE",
    "5XLARGE": "X5LARGE",
    "6XLARGE": "X6LARGE",
    "X2LARGE": "XXLARGE",
    "X3LARGE": "XXXLARGE",
}


def refuse(expected: str, advice: str = "") -> PydanticCustomError:
    """The error of a value that is not what was expected."""
    return PydanticCustomError(ERROR_TYPE, "expected {expected}", {"expected": expected, "advice": advice})


def optional(reader: Reader) -> Reader:
    """The same reader, for a value that may be null."""

    def read(value: Any) -> Any:
        return None if value is None else reader(value)

    return read


def whole_number(low: int, high: int) -> Reader:
    """A whole number between two bounds; digits in a text are taken too, since `${VAR}` can only fill a text."""
    expected = f"a whole number from {low:,} to {high:,}"

    def read(value: Any) -> int:
        if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise refuse(expected)
        return value

    return read


def file_size_mb(value: Any) -> int:
    """The upper bound of a file, in MB."""
    return int(whole_number(1, MOST_FILE_MB)(value))


def flag(value: Any) -> bool:
    """True or false; the two words in a text are taken too, since `${VAR}` can only fill a text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise refuse("true or false")


def one_of(words: Sequence[str]) -> Reader:
    """One of a few words, to the letter."""
    expected = f"one of {', '.join(words)}"

    def read(value: Any) -> str:
        if isinstance(value, str) and value.strip() in words:
            return value.strip()
        raise refuse(expected, suggest(value, words) if isinstance(value, str) else "")

    return read


def plain_text(value: Any) -> str:
    """A text that is not blank; spaces around it are left out."""
    return _one_text(value, "a text that is not empty")


def snowflake_name(value: Any) -> str:
    """One name of Snowflake, as Snowflake stores it: `dimpayer` → DIMPAYER, `"My Table"` → My Table.

    A text that Snowflake would not read without quotes, such as `My Table`, can only mean itself and is taken to the
    letter; one with a dot or a quote in it has to be quoted.
    """
    expected = f"one name of Snowflake, of at most {SNOWFLAKE_IDENTIFIER_CHARACTERS} characters"
    text = _one_text(value, expected)
    try:
        name = parse_identifier(text)
    except ConfigurationError:
        if '"' in text:
            raise refuse(expected, 'A quote inside a quoted name is doubled: "My ""own"" table".') from None
        if "." in text:
            raise refuse(
                expected,
                "Database, schema and table are given apart; a name with a dot in it stands in double quotes.",
            ) from None
        name = text
    if len(name) > SNOWFLAKE_IDENTIFIER_CHARACTERS:
        raise refuse(expected)
    return name


def written_snowflake_name(name: str) -> str:
    """The text that `snowflake_name` reads as this name: DIMPAYER → `DIMPAYER`, My Table → `"My Table"`."""
    return name if _PRINTED_UNQUOTED.fullmatch(name) else snowflake_identifier(name)


def column_name(value: Any) -> str:
    """A source column as it was typed; which column it is, is settled with the table at hand (`match_name`)."""
    expected = f"a column of the source, of at most {SNOWFLAKE_IDENTIFIER_CHARACTERS} characters"
    text = _one_text(value, expected)
    if len(text) > 2 * SNOWFLAKE_IDENTIFIER_CHARACTERS + len('""') or text == '""':
        raise refuse(expected)
    return text


def target_name(value: Any) -> str:
    """One name of PostgreSQL by Snowmelt's rule: all upper case folds to lower, any other stays; quoted is exact."""
    expected = f"one name of PostgreSQL, of at most {POSTGRES_IDENTIFIER_BYTES} bytes"
    text = _one_text(value, expected)
    if text.startswith('"'):
        if not re.fullmatch(r'"(?:[^"]|"")+"', text):
            raise refuse(expected, "A quote inside a quoted name is doubled.")
        name = text[1:-1].replace('""', '"')
    elif "." in text or '"' in text:
        raise refuse(
            expected,
            "Schema and table are given apart; a name with a dot or quote in it stands in double quotes.",
        )
    else:
        name = fold_name(text)
    if len(name.encode()) > POSTGRES_IDENTIFIER_BYTES:
        raise refuse(expected, "PostgreSQL would cut it off without a word.")
    return name


def written_target_name(name: str) -> str:
    """The text that `target_name` reads as this name."""
    if "." in name or '"' in name or fold_name(name) != name or name != name.strip():
        return '"' + name.replace('"', '""') + '"'
    return name


def connection_id(value: Any) -> str:
    """The id of an Airflow connection; the connection itself never stands in the file."""
    if isinstance(value, str) and _CONNECTION_ID.fullmatch(value.strip()):
        return value.strip()
    raise refuse("the id of an Airflow connection", "Create the connection in Airflow and give its id here.")


def bucket_name(value: Any) -> str:
    """An S3 bucket's name."""
    if isinstance(value, str) and value.strip().startswith(("s3://", "arn:", "http")):
        raise refuse("the name of an S3 bucket", "Give the name alone, without s3://, path or ARN.")
    if isinstance(value, str) and _BUCKET.fullmatch(value.strip()) and ".." not in value:
        return value.strip()
    raise refuse("the name of an S3 bucket: 3 to 63 of a-z, 0-9, dot and hyphen")


def warehouse_size(value: Any) -> str:
    """A warehouse's size: `XSMALL`, `X-Small`, `2X-Large` …, as ALTER WAREHOUSE takes it."""
    if isinstance(value, str):
        bare = re.sub(r"[\s_-]", "", value).upper()
        size = _OTHER_SIZES.get(bare, bare)
        if size in WAREHOUSE_SIZES:
            return size
    raise refuse(f"one of {', '.join(WAREHOUSE_SIZES)}")


def run_id(value: Any) -> str:
    """The id of a run."""
    if (
        isinstance(value, str)
        and len(value) <= MOST_RUN_ID_CHARACTERS
        and re.fullmatch(RUN_ID_PATTERN, value.strip())
        and ".." not in value
    ):
        return value.strip()
    raise refuse("the id of an earlier run: letters, digits and any of _.~:+-", "The runs page lists them.")


def schedule(value: Any) -> str:
    """A cron expression of five fields, or one of Airflow's presets; in UTC."""
    expected = (
        f"five cron fields (minute hour day month weekday), one of {', '.join(SCHEDULE_PRESETS)}, or null"
    )
    if not isinstance(value, str):
        raise refuse(expected)
    text = " ".join(value.split())
    if text in SCHEDULE_PRESETS:
        return text
    if text.startswith("@") or len(text.split()) != _CRON_FIELDS:
        raise refuse(expected, suggest(text, SCHEDULE_PRESETS) if text.startswith("@") else "")
    from datetime import UTC, datetime

    from croniter import (  # type: ignore[import-untyped]
        CroniterBadCronError,
        CroniterBadDateError,
        croniter,
    )

    try:
        croniter(text, datetime(2024, 1, 1, tzinfo=UTC)).get_next()
    except CroniterBadCronError:
        raise refuse(expected) from None
    except CroniterBadDateError:
        raise refuse(expected, "This one names a date that never comes.") from None
    return text


def _one_text(value: Any, expected: str) -> str:
    if not isinstance(value, str) or not value.strip() or "\x00" in value:
        raise refuse(expected)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refuse(expected, "It holds half of a surrogate pair, which is no character.") from None
    return value.strip()
