"""Small pieces of DuckDB expressions that the rules build with."""

from __future__ import annotations

from sqlglot import exp

_BUILT = "built"


def reference(name: str, source: str = "") -> exp.Column:
    """A column by its exact name; `source` is the alias of where it comes from, when that has one."""
    column = exp.column(exp.to_identifier(name, quoted=True))
    if source and not source.startswith("\x00"):
        column.set("table", exp.to_identifier(source, quoted=True))
    return column


def call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=list(arguments))


def call_on_copies(name: str, *arguments: exp.Expression) -> exp.Expression:
    return call(name, *(a.copy() for a in arguments))


def number(value: int) -> exp.Expression:
    return exp.Literal.number(value)


def bare(node: exp.Expression) -> exp.Expression:
    """A copy that is told nothing itself; what is below it keeps what it was told."""
    copy = node.copy()
    copy.meta.clear()
    return copy


def is_null(value: exp.Expression) -> exp.Expression:
    return exp.Is(this=value, expression=exp.Null())


def where_present(value: exp.Expression, then: exp.Expression) -> exp.Expression:
    """`then` where `value` is not NULL, else NULL."""
    return exp.Case(ifs=[exp.If(this=exp.Not(this=is_null(value.copy())), true=then)])


def unit_of(node: exp.Expression) -> str:
    """The unit of DATEADD and its like, in the singular."""
    unit = node.args.get("unit")
    return str(unit.name if unit is not None else "DAY").upper().rstrip("S")


def duck_cast(value: exp.Expression, target: str, *, safe: bool = False) -> exp.Expression:
    """A cast for DuckDB that the rules leave alone."""
    kind = exp.TryCast if safe else exp.Cast
    built = kind(this=value, to=exp.DataType.build(target, dialect="duckdb"))
    built.meta[_BUILT] = True
    return built


def is_built(cast: exp.Expression) -> bool:
    return bool(cast.meta.get(_BUILT))
