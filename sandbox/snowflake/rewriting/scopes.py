"""What a query's names mean: sources, their columns, and small facts about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sqlglot import exp

from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.catalog import Column
from sandbox.snowflake.catalog.companions import Companion, companions_of, hidden_column
from sandbox.snowflake.catalog.sftypes import SfType


@dataclass(frozen=True, slots=True)
class Output:
    """A column that a query gives. `hidden`: its companions that it gives too, and their columns' names."""

    name: str
    type: SfType | None
    hidden: Mapping[Companion, str] = field(default_factory=dict)


def stored_outputs(columns: Iterable[Column]) -> list[Output]:
    """What a table's storage gives."""
    return [
        Output(c.name, c.type, {k: hidden_column(c.name, k) for k in companions_of(c.type)}) for c in columns
    ]


@dataclass(frozen=True, slots=True)
class Home:
    """Where bare names in a view belong, and the AT or BEFORE it was read with."""

    database: str
    schema: str
    when: exp.Expression | None = None


@dataclass
class Relation:
    """What a name in FROM means. `outputs` None: columns unknown (nothing is checked)."""

    node: exp.Expression
    outputs: list[Output] | None
    view: exp.Query | None = None  # a view's own query, to be bound in its own schema
    home: Home | None = None


class Resolver(Protocol):
    """Who knows the tables: the running statement."""

    def relation(self, table: exp.Table) -> Relation: ...
    def function_relation(self, source: exp.Expression) -> Relation: ...
    def at_home(self, home: Home) -> Resolver: ...


@dataclass
class Scope:
    sources: dict[str, list[Output] | None] = field(default_factory=dict)
    aliases: dict[str, exp.Expression] = field(default_factory=dict)
    parent: Scope | None = None
    #: A column that JOIN … USING made one of several → the sources that have it, in their order.
    merged: dict[str, list[str]] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        return any(outputs is None for outputs in self.sources.values()) or bool(
            self.parent and self.parent.open
        )


def fold(tree: exp.Expression) -> None:
    """Unquoted identifiers to upper case, all of them quoted from here on."""
    for identifier in tree.find_all(exp.Identifier):
        if not identifier.args.get("quoted"):
            identifier.meta["written"] = identifier.name
            identifier.set("this", identifier.name.upper())
            identifier.set("quoted", True)


def title(expression: exp.Expression) -> str:
    """The name Snowflake gives a column without an alias: its text in upper case."""
    if isinstance(expression, exp.Column):
        return expression.name
    return expression.sql(dialect="snowflake", comments=False).upper()


def ancestors(node: exp.Expression) -> Iterable[exp.Expression]:
    at: exp.Expression | None = node
    while at is not None:
        yield at
        at = at.parent


def star_of(projection: exp.Expression) -> exp.Star | None:
    if isinstance(projection, exp.Star):
        return projection
    if isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star):
        return projection.this
    return None


def rename(outputs: list[Output] | None, alias: exp.Expression | None) -> list[Output] | None:
    if outputs is None or alias is None or not alias.args.get("columns"):
        return outputs
    names = [c.name for c in alias.args["columns"]]
    renamed = [Output(n, o.type, o.hidden) for n, o in zip(names, outputs, strict=False)]
    return renamed + outputs[len(names) :]


def as_declared(outputs: list[Output] | None, declared: list[Output] | None) -> list[Output] | None:
    """A view's columns bear the names of the view."""
    return outputs if outputs is not None else declared


def result_type(output: Output | None, duckdb_type: str) -> SfType:
    return sftypes.reconcile(output.type if output else None, sftypes.from_duckdb(duckdb_type))
