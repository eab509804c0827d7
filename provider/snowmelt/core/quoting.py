"""Quoting of identifiers and literals, for both dialects. Nothing else in Snowmelt puts quotes around anything.

Sources: Snowflake "Identifier requirements" and "String & binary data types" (backslash is an escape inside '…'),
PostgreSQL "Lexical structure" (standard_conforming_strings).
"""

from __future__ import annotations

from snowmelt.errors import ConfigurationError

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

    :raises ConfigurationError: PostgreSQL would cut the name without a word.
    """
    for part in parts:
        if len(part.encode()) > POSTGRES_IDENTIFIER_BYTES:
            raise ConfigurationError(
                f"The PostgreSQL identifier {part[:40]!r}… has {len(part.encode())} bytes; PostgreSQL takes at most {POSTGRES_IDENTIFIER_BYTES}."
            )
    return ".".join(_identifier(part, "PostgreSQL") for part in parts)


def snowflake_literal(text: str) -> str:
    """A string literal of Snowflake, in which backslash and quote are escaped."""
    if "\x00" in text:
        raise ConfigurationError(
            f"The text {text[:40]!r} holds a NUL character, which cannot stand in a Snowflake statement."
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
    """A text in dollar quotes, for the body of a DO; the tag is one that does not stand in the text."""
    if "\x00" in body:
        raise ConfigurationError(
            "The body of a DO block holds a NUL character, which PostgreSQL cannot hold."
        )
    tag, number = "snowmelt", 0
    while f"${tag}" in body:
        number += 1
        tag = f"snowmelt{number}"
    return f"${tag}$\n{body}\n${tag}$"
