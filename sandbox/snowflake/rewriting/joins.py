"""JOIN … USING and NATURAL JOIN by the columns that a statement sees, and groupings that leave companions out."""

from __future__ import annotations

from sqlglot import exp

from sandbox.snowflake.catalog.companions import NANOS, Companion
from sandbox.snowflake.rewriting.companion_values import zero
from sandbox.snowflake.rewriting.expressions import reference
from sandbox.snowflake.rewriting.scopes import Output, Scope


def merge_columns(join: exp.Join, scope: Scope) -> None:
    """What a join makes one column of two; nanoseconds are compared where both sides have them under one name."""
    *earlier, right = scope.sources
    found = {o.name: o for o in scope.sources[right] or ()}
    left = {o.name: (s, o) for s in reversed(earlier) for o in scope.sources[s] or ()}
    if str(join.args.get("method") or "").upper() == "NATURAL" and None not in scope.sources.values():
        both = [name for name in found if name in left]
        join.set("method", None)
        join.set("using", [exp.to_identifier(n, quoted=True) for n in both])
        if not both:
            join.set("kind", "CROSS")
    for name in [i.name for i in join.args.get("using") or ()]:
        if name not in left or name not in found:
            continue
        source, other = left[name]
        scope.merged.setdefault(name, [source]).append(right)
        hidden = found[name].hidden.get(NANOS)
        if hidden is not None and other.hidden.get(NANOS) == hidden:
            join.append("using", exp.to_identifier(hidden, quoted=True))


def companions(
    scope: Scope, output: Output, source: str, *, qualified: bool
) -> dict[Companion, exp.Expression]:
    """What gives a column's companions; a merged column that is named alone takes them from whichever side is there."""
    sources = scope.merged.get(output.name, [])
    if qualified or source not in sources:
        return {companion: reference(name, source) for companion, name in output.hidden.items()}
    sides = [(s, o) for s in sources for o in scope.sources[s] or () if o.name == output.name]
    return {c: exp.Coalesce(this=first, expressions=others)
            for c in output.hidden
            for first, *others in [[_of_side(o, s, c) for s, o in sides]]}  # fmt: skip


def _of_side(output: Output, source: str, companion: Companion) -> exp.Expression:
    name = output.hidden.get(companion)
    return reference(name, source) if name is not None else zero(reference(output.name, source))


def groups_by_sets(query: exp.Select) -> bool:
    """GROUP BY ROLLUP, CUBE or GROUPING SETS."""
    group = query.args.get("group")
    if group is None:
        return False
    sets = (exp.Rollup, exp.Cube, exp.GroupingSets)
    return bool(group.find(*sets)) or any(group.args.get(k) for k in ("rollup", "cube", "grouping_sets"))


def without_nanos(outputs: list[Output] | None) -> list[Output] | None:
    if outputs is None:
        return None
    return [Output(o.name, o.type, {c: h for c, h in o.hidden.items() if c is not NANOS}) for o in outputs]
