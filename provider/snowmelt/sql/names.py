"""Names in both databases: how a table is named in Snowflake, what its name becomes in PostgreSQL, and their quoting.

Nothing else in Snowmelt puts quotes around an identifier or a literal. Sources: Snowflake "Identifier requirements" (an unquoted name starts
with a letter or underscore, goes on with letters, digits, underscores and dollar signs, and is stored in upper case) and "String & binary
data types" (backslash is an escape inside '…'); PostgreSQL "Lexical structure" (standard_conforming_strings, 63 bytes).

Sessions have names as well (application_name). Tasks connect as `snowmelt`. A session that loads a file takes a name made of the run and
the file: another try finds its rival by it, the run page finds the running COPY, and the doctor finds a transaction that was left open.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from snowmelt.errors import ConfigurationError

#: application_name of a task's session, and of a page's.
TASK_SESSION = "snowmelt"
PAGE_SESSION = "snowmelt-page"

#: What a name of a task's session matches as a POSIX regular expression: a page's does not.
TASK_SESSION_PATTERN = f"^{TASK_SESSION}( |$)"

#: PostgreSQL cuts application_name at NAMEDATALEN - 1 bytes.
_NAME_BYTES = 63


def load_session_name(run_id: str, key: str) -> str:
    """application_name of a session while it loads a file: the same for each try, unique by a hash, readable by its end."""
    digest = hashlib.sha256(f"{run_id}\0{key}".encode()).hexdigest()[:12]
    tail = key.rsplit("/", 1)[-1].encode("ascii", "replace").decode()
    return f"{TASK_SESSION} {digest} {tail}"[:_NAME_BYTES]


#: The schema of the ledger, in the target database.
LEDGER_SCHEMA = "snowmelt"
#: Snowflake's longest identifier, in characters; PostgreSQL's is NAMEDATALEN - 1, in bytes.
SNOWFLAKE_IDENTIFIER_CHARACTERS = 255
POSTGRES_IDENTIFIER_BYTES = 63


def _identifier(name: str, dialect: str) -> str:
    if not name:
        raise ConfigurationError(f"A {dialect} identifier is empty. Give the table or column a name.")
    if "\x00" in name:
        raise ConfigurationError(
            f"The {dialect} identifier {name!r} holds a NUL character, which no name can hold."
        )
    return '"' + name.replace('"', '""') + '"'


def snowflake_identifier(*parts: str) -> str:
    """`("ANALYTICS", "BI", "My Table")` → `"ANALYTICS"."BI"."My Table"`; each part is taken to the letter."""
    for part in parts:
        if len(part) > SNOWFLAKE_IDENTIFIER_CHARACTERS:
            raise ConfigurationError(
                f"The Snowflake identifier {part[:40]!r}… has {len(part)} characters; Snowflake takes at most {SNOWFLAKE_IDENTIFIER_CHARACTERS}."
            )
    return ".".join(_identifier(part, "Snowflake") for part in parts)


def postgres_identifier(*parts: str) -> str:
    """`("public", "Visit")` → `"public"."Visit"`; each part is taken to the letter.

    :raises ConfigurationError: PostgreSQL would truncate the name without a message.
    """
    for part in parts:
        if len(part.encode()) > POSTGRES_IDENTIFIER_BYTES:
            raise ConfigurationError(
                f"The PostgreSQL identifier {part[:40]!r}… has {len(part.encode())} bytes; PostgreSQL takes at most {POSTGRES_IDENTIFIER_BYTES}."
            )
    return ".".join(_identifier(part, "PostgreSQL") for part in parts)


def join_predicates(*predicates: str) -> str:
    """All predicates that are not empty, each in its own parentheses; empty without any."""
    return " AND ".join(f"({predicate})" for predicate in predicates if predicate)


def snowflake_literal(text: str) -> str:
    """A string literal of Snowflake, in which backslash and quote are escaped."""
    if "\x00" in text:
        raise ConfigurationError(
            f"The text {text[:40]!r} contains a NUL character, which a Snowflake statement cannot contain."
        )
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def postgres_literal(text: str) -> str:
    """A string literal of PostgreSQL; one with a backslash takes the E form, whatever standard_conforming_strings says."""
    if "\x00" in text:
        raise ConfigurationError(
            f"The text {text[:40]!r} holds a NUL character, which PostgreSQL cannot hold."
        )
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    return f"E{quoted}" if "\\" in text else quoted


def postgres_block(body: str) -> str:
    """A text in dollar quotes, for the body of a DO; the tag is one that is not in the text."""
    if "\x00" in body:
        raise ConfigurationError(
            "The body of a DO block holds a NUL character, which PostgreSQL cannot hold."
        )
    tag, number = "snowmelt", 0
    while f"${tag}" in body:
        number += 1
        tag = f"snowmelt{number}"
    return f"${tag}$\n{body}\n${tag}$"


_UNQUOTED = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_PRINTED_UNQUOTED = re.compile(r"[A-Z_][A-Z0-9_$]*")
_PART = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<bare>[^".\s]+))\s*(?P<end>\.|$)')
_HASH_DIGITS = 8


@dataclass(frozen=True, slots=True)
class TableName:
    """A table of Snowflake; each part to the letter, as Snowflake stores it."""

    database: str
    schema: str
    table: str

    @property
    def sql(self) -> str:
        """The name as it is written in a statement, every part quoted."""
        return snowflake_identifier(self.database, self.schema, self.table)

    def __str__(self) -> str:
        return ".".join(
            part if _PRINTED_UNQUOTED.fullmatch(part) else snowflake_identifier(part)
            for part in (self.database, self.schema, self.table)
        )


def parse_identifier(text: str) -> str:
    """One name as Snowflake reads it: `dimpayer` and `DIMPAYER` are DIMPAYER, `"Visit Id"` is Visit Id.

    :raises ConfigurationError: when the text is not exactly one name.
    """
    parts = parse_identifiers(text)
    if len(parts) != 1:
        raise ConfigurationError(f"{text!r} is not one name. A name with a dot in it needs double quotes.")
    return parts[0]


def parse_table_name(text: str, *, database: str | None = None, schema: str | None = None) -> TableName:
    """`ANALYTICS.BI."My Table"`, or less of it where the defaults fill in.

    :param database: taken where the text names none, to the letter.
    :param schema: likewise.
    :raises ConfigurationError: the text is not a table's name, or a part is missing.
    """
    parts: list[str | None] = list(parse_identifiers(text))
    given = 3 - len(parts)
    if given < 0:
        raise ConfigurationError(f"{text!r} has more than three parts. Write DATABASE.SCHEMA.TABLE.")
    found = [*[database, schema][:given], *parts]
    if None in found:
        raise ConfigurationError(
            f"{text!r} does not say in which database and schema. Write DATABASE.SCHEMA.TABLE."
        )
    return TableName(*(part for part in found if part is not None))


def parse_identifiers(text: str) -> list[str]:
    """Names with dots between them as Snowflake reads them: `UTIL."My Stage"` is [UTIL, My Stage].

    :raises ConfigurationError: when the text is not one name or several.
    """
    parts: list[str] = []
    position = 0
    while True:
        match = _PART.match(text, position)
        if match is None or (match["bare"] and not _UNQUOTED.fullmatch(match["bare"])):
            raise ConfigurationError(
                f"{text!r} is not a name that Snowflake reads: letters, digits, _ and $ only, not starting with a digit. "
                'Put a name with other characters in double quotes, such as "My Table".'
            )
        parts.append(match["quoted"].replace('""', '"') if match["quoted"] else match["bare"].upper())
        position = match.end()
        if match["end"] == "":
            return parts


def fold_name(source_name: str) -> str:
    """The name in PostgreSQL: one that Snowflake prints unquoted in lower case, any other (`Visit Id`) to the letter."""
    return source_name.lower() if _PRINTED_UNQUOTED.fullmatch(source_name) else source_name


def fits_postgres(name: str) -> bool:
    """Whether PostgreSQL takes the name whole (a longer one it cuts off without a word)."""
    return len(name.encode()) <= POSTGRES_IDENTIFIER_BYTES


def shorten_name(name: str, taken: Collection[str], most_bytes: int = POSTGRES_IDENTIFIER_BYTES) -> str:
    """The name itself where it fits and is free, else its head, an underscore and 8 hexadecimal digits of its SHA-256.

    :param taken: names that the result must not equal.
    :param most_bytes: bytes of UTF-8, 63 for PostgreSQL. The head ends at a character's boundary.
    """
    if len(name.encode()) <= most_bytes and name not in taken:
        return name
    head = name.encode()[: most_bytes - _HASH_DIGITS - 1].decode(errors="ignore")
    attempt = 0
    while True:
        text = name if attempt == 0 else f"{name}\x00{attempt}"
        short = f"{head}_{hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]}"
        if short not in taken:
            return short
        attempt += 1


def match_name(written: str, names: Collection[str]) -> str | None:
    """The name that a rule means: to the letter first, then as Snowflake reads it (`visit_id`, `"Visit Id"`), else None."""
    if written in names:
        return written
    try:
        read = parse_identifier(written)
    except ConfigurationError:
        return None
    return read if read in names else None


def near_misses(written: str, names: Iterable[str]) -> str:
    """` Did you mean "VISIT_ID"?`, or nothing."""
    by_fold = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(written.casefold(), by_fold, n=1, cutoff=0.7)
    return f' Did you mean "{by_fold[found[0]]}"?' if found else ""
