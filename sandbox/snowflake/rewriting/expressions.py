"""Small pieces of DuckDB expressions that the rules build with, and what is known of an expression.

An expression carries in its `meta` its Snowflake type and the expressions of its companions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from sandbox.snowflake.catalog.companions import COMPANIONS, Companion
from sandbox.snowflake.catalog.sftypes import SfType

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
    """A copy without its own `meta`; what is below it keeps its `meta`."""
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


TYPE = "sf"


def type_of(node: exp.Expression | None) -> SfType | None:
    return node.meta.get(TYPE) if node is not None else None


def type_name(node: exp.Expression | None) -> str:
    """The type's name, empty where it is not known."""
    kind = type_of(node)
    return kind.name if kind is not None else ""


def companion_of(node: exp.Expression | None, companion: Companion) -> exp.Expression | None:
    """The expression of a companion; None where it does not exist or is lost (0 then)."""
    return node.meta.get(companion.key) if node is not None else None


def companions_in(node: exp.Expression) -> dict[Companion, exp.Expression]:
    return {c: found for c in COMPANIONS if (found := companion_of(node, c)) is not None}


def annotated(
    node: exp.Expression, kind: SfType | None, companions: Mapping[Companion, exp.Expression]
) -> exp.Expression:
    """The same node, with its type and companions in its `meta`."""
    if kind is not None:
        node.meta[TYPE] = kind
    for companion, expression in companions.items():
        node.meta[companion.key] = expression.copy()
    return node


#: A branch's replacement; None is the ELSE that was not written.
Swap = Callable[[exp.Expression | None], exp.Expression]


def branches(node: exp.Expression) -> list[exp.Expression]:
    """The values that an expression chooses from."""
    if isinstance(node, exp.Coalesce):
        return [node.this, *node.expressions]
    if isinstance(node, (exp.If, exp.Nvl2)):
        return [e for e in (node.args.get("true"), node.args.get("false")) if e is not None]
    if isinstance(node, exp.Case):
        found = [branch.args["true"] for branch in node.args["ifs"]]
        return found + ([node.args["default"]] if node.args.get("default") is not None else [])
    if isinstance(node, exp.DecodeCase):
        return [e for i, e in enumerate(node.expressions) if _is_result(node, i)]
    return []


def _is_result(node: exp.DecodeCase, index: int) -> bool:
    """DECODE(value, search, result, search, result, …[, default])"""
    last = index == len(node.expressions) - 1
    return index > 0 and (index % 2 == 0 or last)


def switched(node: exp.Expression, swap: Swap) -> exp.Expression | None:
    """The same choice with its values replaced; None for an expression that chooses nothing."""
    if isinstance(node, (exp.If, exp.Nvl2)):
        return type(node)(
            this=node.this.copy(), true=swap(node.args.get("true")), false=swap(node.args.get("false"))
        )
    if isinstance(node, exp.Case):
        ifs = [exp.If(this=b.this.copy(), true=swap(b.args["true"])) for b in node.args["ifs"]]
        this = node.this.copy() if node.this is not None else None
        return exp.Case(this=this, ifs=ifs, default=swap(node.args.get("default")))
    if isinstance(node, exp.DecodeCase):
        swapped = [swap(e) if _is_result(node, i) else e.copy() for i, e in enumerate(node.expressions)]
        return exp.DecodeCase(expressions=swapped)
    if isinstance(node, exp.Coalesce):
        return exp.Case(
            ifs=[exp.If(this=exp.Not(this=is_null(b.copy())), true=swap(b)) for b in branches(node)],
        )
    return None
