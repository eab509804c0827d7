"""Reading table definitions: columns, constraints, table options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.catalog import Column
from sandbox.snowflake.catalog.sftypes import SfType
from sandbox.snowflake.rewriting.scanner import Scanner

_ENDS = {"NOT", "NULL", "DEFAULT", "COMMENT", "PRIMARY", "UNIQUE", "REFERENCES", "CONSTRAINT", "COLLATE", "AUTOINCREMENT",
         "IDENTITY", "WITH", "AS", "FOREIGN", "ENFORCED", "MASKING", "TAG", "RELY", "NORELY"}  # fmt: skip


@dataclass
class Definition:
    columns: list[Column] = field(default_factory=list)
    primary_key: list[str] = field(default_factory=list)
    unique_keys: list[list[str]] = field(default_factory=list)


def read_type(scanner: Scanner) -> SfType:
    start = scanner.peek().start
    end = scanner.next().end
    while not scanner.done and scanner.peek().kind == "word" and scanner.peek().text.upper() not in _ENDS:
        end = scanner.next().end
    if scanner.looking_at("WITH", "TIME") or scanner.looking_at("WITHOUT", "TIME"):
        for _ in range(3):
            end = scanner.next().end
    if scanner.peek().text == "(":
        scanner.parenthesised()
        end = scanner.tokens[scanner.at - 1].end
    text = scanner.text[start:end]
    try:
        return sftypes.from_ast(exp.DataType.build(text, dialect="snowflake"))
    except SqlglotError:
        raise errors.compilation(1003, "42000", f"Unsupported data type '{text}'.") from None


def read_column(scanner: Scanner, into: Definition) -> Column:
    name = scanner.identifier()
    column = Column(name, read_type(scanner))
    while not scanner.done and scanner.peek().text not in {",", ")"}:
        _column_constraint(scanner, column, into)
    into.columns.append(column)
    return column


def _column_constraint(scanner: Scanner, column: Column, into: Definition) -> None:
    if scanner.accept("CONSTRAINT"):
        scanner.identifier()
    if scanner.accept("NOT", "NULL"):
        column.nullable = False
    elif scanner.accept("NULL"):
        column.nullable = True
    elif scanner.accept("DEFAULT"):
        column.default = _expression(scanner)
    elif scanner.accept("COMMENT"):
        column.comment = scanner.string()
    elif scanner.accept("PRIMARY", "KEY"):
        into.primary_key = [column.name]
        column.nullable = False
    elif scanner.accept("UNIQUE"):
        into.unique_keys.append([column.name])
    elif scanner.accept("COLLATE"):
        scanner.string()
    elif scanner.accept("REFERENCES"):
        scanner.name()
        if scanner.peek().text == "(":
            scanner.parenthesised()
    elif (
        scanner.accept("NOT", "ENFORCED")
        or scanner.accept("ENFORCED")
        or scanner.accept("RELY")
        or scanner.accept("NORELY")
    ):
        pass
    elif scanner.looking_at("AUTOINCREMENT") or scanner.looking_at("IDENTITY"):
        raise errors.NotImplementedHere("AUTOINCREMENT and IDENTITY columns")
    else:
        raise scanner.unexpected()


def _expression(scanner: Scanner) -> str:
    """A default's text: up to the next constraint, comma or closing parenthesis."""
    start = scanner.peek().start
    end = start
    while not scanner.done and scanner.peek().text not in {",", ")"}:
        if end > start and scanner.peek().text.upper() in _ENDS:
            break
        if scanner.peek().text == "(":
            scanner.parenthesised()
            end = scanner.tokens[scanner.at - 1].end
        else:
            end = scanner.next().end
    return scanner.text[start:end]


def read_definition(scanner: Scanner) -> Definition:
    """`( column, …, constraint, … )`"""
    found = Definition()
    scanner.expect("(")
    while True:
        if not read_constraint(scanner, found):
            read_column(scanner, found)
        if scanner.accept(","):
            continue
        scanner.expect(")")
        break
    names = [c.name for c in found.columns]
    for name in names:
        if names.count(name) > 1:
            raise errors.compilation(2025, "42S21", f"duplicate column name '{name}'")
    for column in found.columns:
        if column.name in found.primary_key:
            column.nullable = False
    return found


def read_constraint(scanner: Scanner, into: Definition) -> bool:
    """A constraint of the whole table; False when a column comes instead."""
    at = scanner.at
    if scanner.accept("CONSTRAINT"):
        scanner.identifier()
    if scanner.accept("PRIMARY", "KEY"):
        into.primary_key = read_names(scanner)
    elif scanner.looking_at("UNIQUE", "("):
        scanner.next()
        into.unique_keys.append(read_names(scanner))
    elif scanner.accept("FOREIGN", "KEY"):
        read_names(scanner)
        scanner.expect("REFERENCES")
        scanner.name()
        if scanner.peek().text == "(":
            read_names(scanner)
    else:
        scanner.at = at
        return False
    while not scanner.done and scanner.peek().text not in {",", ")"}:
        scanner.next()  # NOT ENFORCED, RELY, …
    return True


def read_names(scanner: Scanner) -> list[str]:
    scanner.expect("(")
    names = [scanner.identifier()]
    while scanner.accept(","):
        names.append(scanner.identifier())
    scanner.expect(")")
    return names


def read_table_options(scanner: Scanner) -> dict[str, Any]:
    """CLUSTER BY (…), KEY = value, COPY GRANTS; stops before AS."""
    found: dict[str, Any] = {}
    while not scanner.done and not scanner.looking_at("AS"):
        if scanner.accept("CLUSTER", "BY"):
            scanner.accept("LINEAR")
            found["CLUSTER BY"] = f"LINEAR({scanner.parenthesised()})"
        elif scanner.accept("COPY", "GRANTS"):
            pass
        elif scanner.peek().kind == "word" and scanner.peek(1).text == "=":
            key = scanner.next().text.upper()
            scanner.next()
            found[key] = scanner.value()
        else:
            raise scanner.unexpected()
        scanner.accept(",")
    return found
