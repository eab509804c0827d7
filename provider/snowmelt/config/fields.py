"""How one text of the configuration file or of the trigger form is read: text in, value out, or what was expected.

Each kind of text is a type with its reader beside it (`SnowflakeName`, `Column`, `RunId` …).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from snowmelt.config.settings import Written, refuse
from snowmelt.errors import ConfigurationError, SchemaError
from snowmelt.sql.names import (
    POSTGRES_IDENTIFIER_BYTES,
    SNOWFLAKE_IDENTIFIER_CHARACTERS,
    fold_name,
    parse_identifier,
    snowflake_identifier,
)
from snowmelt.sql.owned_rows import EXAMPLE, parse_owned_rows
from snowmelt.sql.text import MAX_CHARACTERS, find_text_faults
from snowmelt.types.type_names import parse_postgres_type, parse_snowflake_type

_PRINTED_UNQUOTED = re.compile(r"[A-Z_][A-Z0-9_$]*")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
#: Airflow's `allowed_run_id_pattern`, and its longest run id.
_MAX_RUN_ID_CHARACTERS = 250
RUN_ID_PATTERN = rf"^[A-Za-z0-9_.~:+-]{{1,{_MAX_RUN_ID_CHARACTERS}}}$"
#: Snowflake's names of sizes, as ALTER WAREHOUSE takes them, and how people write them.
WAREHOUSE_SIZES = (
    *("XSMALL", "SMALL", "MEDIUM", "LARGE", "XLARGE", "XXLARGE", "XXXLARGE"),
    *("X4LARGE", "X5LARGE", "X6LARGE"),
)
_OTHER_SIZES = {
    "2XLARGE": "XXLARGE",
    "X2LARGE": "XXLARGE",
    "3XLARGE": "XXXLARGE",
    "X3LARGE": "XXXLARGE",
    "4XLARGE": "X4LARGE",
    "5XLARGE": "X5LARGE",
    "6XLARGE": "X6LARGE",
}


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
                "Database, schema and table are given separately; a name with a dot in it needs double quotes.",
            ) from None
        name = text
    if len(name) > SNOWFLAKE_IDENTIFIER_CHARACTERS:
        raise refuse(expected)
    return name


def written_snowflake_name(name: str) -> str:
    """The text that `snowflake_name` reads as this name: DIMPAYER → `DIMPAYER`, My Table → `"My Table"`."""
    return name if _PRINTED_UNQUOTED.fullmatch(name) else snowflake_identifier(name)


def column_name(value: Any) -> str:
    """A source column as it was typed; which column it is, is decided with the table at hand (`match_name`)."""
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
            "Schema and table are given separately; a name with a dot or quote in it needs double quotes.",
        )
    else:
        name = fold_name(text)
    if len(name.encode()) > POSTGRES_IDENTIFIER_BYTES:
        raise refuse(expected, "PostgreSQL would truncate it without a message.")
    return name


def written_target_name(name: str) -> str:
    """The text that `target_name` reads as this name."""
    if "." in name or '"' in name or fold_name(name) != name or name != name.strip():
        return '"' + name.replace('"', '""') + '"'
    return name


_NAME_PART = r'"(?:[^"]|"")+"|[^\s".*]+|\*'


def source_patterns(value: Any) -> tuple[tuple[str | None, ...], ...]:
    """Names of tables in Snowflake, in which a part may be `*`, any; None then."""
    return _patterns(value, 3, snowflake_name, "ANALYTICS.BI.DIMPAYER or ANALYTICS.BI.*")


def target_patterns(value: Any) -> tuple[tuple[str | None, ...], ...]:
    """Names of tables in PostgreSQL, in which a part may be `*`, any; None then."""
    return _patterns(value, 2, target_name, "public.dimpayer or staging.*")


def _patterns(
    value: Any, count: int, read: Callable[[Any], str], examples: str
) -> tuple[tuple[str | None, ...], ...]:
    expected = f"a list of names of {count} parts, such as {examples}"
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise refuse(expected)
    found = []
    for item in value:
        if not re.fullmatch(rf"(?:{_NAME_PART})(?:\.(?:{_NAME_PART})){{{count - 1}}}", item.strip()):
            raise refuse(expected, f"It holds {item!r}.")
        parts = re.findall(_NAME_PART, item.strip())
        found.append(tuple(None if part == "*" else read(part) for part in parts))
    return tuple(found)


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


def source_filter(value: Any) -> str | None:
    """One predicate, as far as its characters go: the parser reads it in the task. Blank: none."""
    expected = "one Snowflake predicate, as you would write it after WHERE"
    if not isinstance(value, str):
        raise refuse(expected)
    text = value.strip()
    faults = find_text_faults(text, subqueries=True)  # whether they are allowed is another setting
    if text and faults:
        advice = "Leave the word WHERE out." if text[:5].upper() == "WHERE" else f"It holds {faults[0]}"
        raise refuse(expected, advice)
    return text or None


def owned_rows(value: Any) -> str | None:
    """The predicate for the rows of a shared target, as it is stored. Blank: none."""
    expected = f"a predicate over columns of the target, such as {EXAMPLE}"
    if not isinstance(value, str):
        raise refuse(expected)
    if not value.strip():
        return None
    try:
        return parse_owned_rows(value).text
    except ConfigurationError as error:
        raise refuse(expected, f"What it holds: {error}.") from None


#: How often the whole table is compared → the least days since the last time.
COMPARE_DAYS = {"every run": 0.0, "daily": 1.0, "weekly": 7.0, "monthly": 30.0}
_EVERY = re.compile(r"every (\d{1,4}) runs")


def compare_rhythm(value: Any) -> str:
    """`never`, `every run`, `daily`, `weekly`, `monthly`, or `every 10 runs`."""
    expected = f"never, {', '.join(COMPARE_DAYS)}, or such as every 10 runs"
    text = " ".join(_one_text(value, expected).split())
    every = _EVERY.fullmatch(text)
    if text not in {"never", *COMPARE_DAYS} and (every is None or int(every[1]) < 2):  # noqa: PLR2004
        raise refuse(expected)
    return text


def read_compare_runs(rhythm: str) -> int | None:
    """The n of `every n runs`; None for any other rhythm."""
    every = _EVERY.fullmatch(rhythm)
    return None if every is None else int(every[1])


def expression(value: Any) -> str:
    """One Snowflake expression, as far as its characters go; the parser reads it in the task."""
    expected = 'one Snowflake expression, such as SHA2("Name")'
    if not isinstance(value, str) or not value.strip():
        raise refuse(expected)
    faults = find_text_faults(value.strip())
    if faults:
        raise refuse(expected, f"It holds {faults[0]}")
    return value.strip()


def postgres_type(value: Any) -> str:
    """A type of PostgreSQL, as PostgreSQL writes it."""
    return _type_name(value, parse_postgres_type, "a type of PostgreSQL, such as numeric(18,2)")


def snowflake_type(value: Any) -> str:
    """A type of Snowflake, as Snowflake writes it."""
    return _type_name(
        value,
        parse_snowflake_type,
        "the Snowflake type of the expression's result, such as VARCHAR(64)",
    )


def _type_name(value: Any, parse: Callable[[str], object], expected: str) -> str:
    if not isinstance(value, str):
        raise refuse(expected)
    try:
        return str(parse(value))
    except SchemaError as error:
        raise refuse(expected, str(error)) from None


def column_list(value: Any) -> Any:
    """A list that names each column once."""
    if value is None:
        return ()
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        seen = [item.strip() for item in value]
        twice = next((item for place, item in enumerate(seen) if item in seen[:place]), None)
        if twice is not None:
            raise refuse("each column once", f'"{twice}" is named more than once.')
    return value


def _matching(pattern: str, expected: str, advice: str) -> Callable[[Any], str]:
    """The reader of a text of one line that a pattern matches as a whole."""

    def read(value: Any) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value.strip()):
            return value.strip()
        raise refuse(expected, advice)

    return read


def _one_text(value: Any, expected: str) -> str:
    if not isinstance(value, str) or not value.strip() or "\x00" in value:
        raise refuse(expected)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refuse(expected, "It contains half of a surrogate pair, which is not a character.") from None
    return value.strip()


#: The longest name of 255 characters, each of them a quote, in quotes.
_MAX_WRITTEN_NAME = 520
#: Something that can be seen, and no NUL. (A Param's pattern is searched for, not matched from the start.)
_NAME = {
    "type": "string",
    "minLength": 1,
    "pattern": r"^[^\x00]*[^\s\x00][^\x00]*$",
    "maxLength": _MAX_WRITTEN_NAME,
}

Text = Annotated[str, Written(plain_text, "text")]
SnowflakeName = Annotated[str, Written(snowflake_name, "name", _NAME)]
TargetName = Annotated[str, Written(target_name, "name", _NAME)]
Column = Annotated[str, Written(column_name, "column", _NAME)]
_COLUMNS = {"type": ["array", "null"], "items": {"type": "string", "maxLength": _MAX_WRITTEN_NAME}}
Columns = Annotated[tuple[Column, ...], Written(column_list, "list of columns", _COLUMNS)]
CompareRhythm = Annotated[
    str, Written(compare_rhythm, "`never`, `every run`, `daily`, `weekly`, `monthly`, `every 10 runs`")
]
Filter = Annotated[
    str | None,
    Written(
        lambda value: None if value is None else source_filter(value),
        "predicate",
        {"type": ["string", "null"], "format": "multiline", "maxLength": MAX_CHARACTERS},
    ),
]
OwnedRowsText = Annotated[
    str | None, Written(lambda value: None if value is None else owned_rows(value), "predicate")
]
#: By Airflow's own rule, without the slash and colon of an address. The connection itself is never in the file.
ConnectionId = Annotated[
    str,
    Written(
        _matching(
            r"[\w#!().-]{1,250}",
            "the id of an Airflow connection",
            "Create the connection in Airflow and give its id here.",
        ),
        "id",
    ),
]
BucketName = Annotated[str, Written(bucket_name, "text")]
WarehouseSize = Annotated[str, Written(warehouse_size, "size")]
RunId = Annotated[
    str,
    Written(
        _matching(
            rf"(?!.*\.\.){RUN_ID_PATTERN}",
            "the id of an earlier run: letters, digits and any of _.~:+-",
            "The runs page lists them.",
        ),
        "id",
        {"type": "string", "pattern": RUN_ID_PATTERN},
    ),
]
