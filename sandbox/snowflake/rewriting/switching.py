"""Expressions that give one of several values: IFF, CASE, COALESCE, NVL2, DECODE, and the same choice among companions."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from sandbox.snowflake.rewriting.expressions import is_null

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
