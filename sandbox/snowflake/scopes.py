"""What a query's names stand for: sources, their columns, and small facts about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from sqlglot import exp

from sandbox.snowflake import infer, sftypes
from sandbox.snowflake.sftypes import SfType
from sandbox.snowflake.store import OFFSET_SUFFIX


@dataclass(frozen=True, slots=True)
class Output:
    """A column that a query gives. `offset`: a hidden column with its offset stands beside it."""

    name: str
    type: SfType | None
    offset: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """Where bare names in a view belong, and the AT or BEFORE it was read with."""

    database: str
    schema: str
    when: exp.Expression | None = None


@dataclass
class Relation:
    """What a name in FROM stands for. `outputs` None: columns unknown (nothing is checked)."""

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
    renamed = [Output(n, o.type) for n, o in zip(names, outputs, strict=False)]
    return renamed + [Output(o.name, o.type) for o in outputs[len(names) :]]


def united(left: list[Output] | None, right: list[Output] | None) -> list[Output] | None:
    if left is None or right is None:
        return left and [Output(o.name, None) for o in left]
    merged = [
        Output(a.name, a.type if a.type is not None else b.type) for a, b in zip(left, right, strict=False)
    ]
    return merged


def values_outputs(values: exp.Values, *, derived: bool) -> list[Output]:
    """The columns of VALUES; `derived`: a TIMESTAMP_TZ's offsets are added as cells behind the others."""
    rows = [r.expressions if isinstance(r, exp.Tuple) else [r] for r in values.expressions]
    outputs = []
    added: list[list[exp.Expression]] = [[] for _ in rows]
    for index, column in enumerate(zip(*rows, strict=False)):
        types = [t for cell in column if (t := infer.type_of(cell)) is not None]
        kind = types[0] if types and all(t == types[0] for t in types) else None
        zoned = derived and kind is not None and kind.name == "TIMESTAMP_TZ"
        outputs.append(Output(f"COLUMN{index + 1}", kind, zoned))
        for cell, more in zip(column, added, strict=True) if zoned else ():
            offset = infer.offset_of(cell)
            more.append(offset.copy() if offset is not None else exp.Literal.number(0))
    if any(added):
        tuples = [exp.Tuple(expressions=[*cells, *more]) for cells, more in zip(rows, added, strict=True)]
        values.set("expressions", tuples)
    return outputs


def as_declared(outputs: list[Output] | None, declared: list[Output] | None) -> list[Output] | None:
    """A view's columns bear the names of the view."""
    return outputs if outputs is not None else declared


def hidden(name: str) -> bool:
    return name.endswith(OFFSET_SUFFIX)


def result_type(output: Output | None, duckdb_type: str) -> SfType:
    return sftypes.reconcile(output.type if output else None, sftypes.from_duckdb(duckdb_type))
