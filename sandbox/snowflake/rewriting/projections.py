"""What a query gives: its visible columns, and behind all of these the companions that it hands on.

A star names the visible columns alone, and each companion follows by name: so the visible ones keep their positions,
which ORDER BY 2, UNION and INSERT count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlglot import exp

from sandbox.snowflake.catalog.companions import (
    COMPANIONS,
    NANOS,
    OFFSET,
    Companion,
    companions_of,
    free_name,
    hidden_column,
)
from sandbox.snowflake.catalog.sftypes import NTZ, SfType
from sandbox.snowflake.rewriting.companion_values import nanos_as, zero
from sandbox.snowflake.rewriting.expressions import annotated, companions_in, number, reference, type_of
from sandbox.snowflake.rewriting.joins import companions
from sandbox.snowflake.rewriting.scopes import Output, Scope, star_of, title

Carried = Collection[Companion]
#: meta key of a column without an alias: its name, from how it was written
TITLE = "title"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A visible column: `companions` are expressions, valid beside it."""

    name: str
    type: SfType | None
    companions: Mapping[Companion, exp.Expression]
    #: Whether it is MIN or MAX, whose offset is known in an aggregating query too.
    extreme: bool = False


def project(query: exp.Select, scope: Scope, carried: Carried) -> list[Output] | None:
    """Name a SELECT's columns and append the requested companions; None when its columns are not known."""
    shown: list[_Shown] | None = []
    projections: list[exp.Expression] = []
    plain = _is_plain(query)
    for projection in query.expressions:
        star = star_of(projection)
        if star is not None:
            found = _expand(projection, star, scope)
        else:
            name = (
                projection.alias
                if isinstance(projection, exp.Alias)
                else projection.meta.get(TITLE) or title(projection)
            )
            inner = projection.this if isinstance(projection, exp.Alias) else projection
            if not isinstance(projection, exp.Alias):
                projection = exp.alias_(projection, name, quoted=True)
            extreme = isinstance(inner, (exp.Max, exp.Min))
            found = [_Shown(name, type_of(inner), companions_in(inner), extreme)]
        projections.append(projection)
        shown = shown + found if shown is not None and found is not None else None
    if shown is None:
        query.set("expressions", projections)
        return None
    _mark_positions(query, [s.companions for s in shown])
    outputs, taken = [], set[str]()
    for column in shown:
        names = {}
        for companion, expression in column.companions.items():
            if companion in carried and (companion is not OFFSET or plain or column.extreme):
                names[companion] = free_name(column.name, companion, taken)
                projections.append(exp.alias_(expression.copy(), names[companion], quoted=True))
        outputs.append(Output(column.name, column.type, names))
    query.set("expressions", projections)
    if query.args.get("distinct") and NANOS not in carried:
        _forget_order(query)
    return outputs


def _is_plain(query: exp.Select) -> bool:
    """Whether each row comes from one row: then every expression's offset is known."""
    if any(query.args.get(key) for key in ("group", "distinct", "having")):
        return False
    return not any(p.find(exp.AggFunc) for p in query.expressions if not p.find(exp.Query))


def _expand(projection: exp.Expression, star: exp.Star, scope: Scope) -> list[_Shown] | None:
    """A star's columns. The hidden ones are taken out of it."""
    table = projection.table if isinstance(projection, exp.Column) else ""
    sources = {table: scope.sources.get(table)} if table else scope.sources
    dropped = {c.name for c in star.args.get("except_") or ()}
    replaced = {r.alias for r in star.args.get("replace") or ()}
    renamed = {r.this.name: r.alias for r in star.args.get("rename") or ()}
    like = _like(star)
    hidden: dict[str, None] = {}
    unlike: dict[str, None] = {}
    shown: list[_Shown] = []
    for source, outputs in sources.items():
        for output in outputs or ():
            hidden |= dict.fromkeys(output.hidden.values())
            if output.name in dropped or not like(output.name):
                unlike |= {output.name: None} if output.name not in dropped else {}
                continue
            name = renamed.get(output.name, output.name)
            if not table and source in scope.merged.get(output.name, [])[1:]:
                continue
            beside = companions(scope, output, source, qualified=bool(table))
            known = output.name not in replaced
            shown.append(_Shown(name, output.type if known else None, beside if known else {}))
    if hidden or unlike:
        left_out = [reference(name) for name in (*unlike, *hidden)]
        star.set("except_", [*(star.args.get("except_") or ()), *left_out])
    return None if any(outputs is None for outputs in sources.values()) else shown


def _like(star: exp.Star) -> Callable[[str], bool]:
    """Whether `* ILIKE 'model'` takes a column. DuckDB does not know it beside EXCLUDE."""
    model = star.args.get("ilike")
    if model is None:
        return lambda name: True
    star.set("ilike", None)
    pieces = [{"%": ".*", "_": "."}.get(c, re.escape(c)) for c in model.name]
    return lambda name: re.fullmatch("".join(pieces), name, re.IGNORECASE | re.DOTALL) is not None


def _mark_positions(query: exp.Expression, companions: list[Mapping[Companion, exp.Expression]]) -> None:
    """GROUP BY 1 and ORDER BY 1 mean all of the column."""
    group, order = query.args.get("group"), query.args.get("order")
    listed = list(group.expressions) if group is not None else []
    listed += [ordered.this for ordered in order.expressions] if order is not None else []
    for literal in listed:
        if isinstance(literal, exp.Literal) and not literal.is_string and literal.name.isdigit():
            position = int(literal.name) - 1
            if 0 <= position < len(companions) and NANOS in companions[position]:
                literal.meta[NANOS.key] = companions[position][NANOS].copy()


def _forget_order(query: exp.Select) -> None:
    """DISTINCT is ordered by what it gives alone."""
    for ordered in query.args["order"].expressions if query.args.get("order") is not None else ():
        ordered.this.meta.pop(NANOS.key, None)


def values_outputs(values: exp.Values, carried: Carried) -> list[Output]:
    """The columns of VALUES; companions are added as cells behind the others."""
    rows = [r.expressions if isinstance(r, exp.Tuple) else [r] for r in values.expressions]
    outputs = []
    added: list[list[exp.Expression]] = [[] for _ in rows]
    for index, column in enumerate(zip(*rows, strict=False)):
        kind = _common([t for cell in column if (t := type_of(cell)) is not None])
        name = f"COLUMN{index + 1}"
        kept = [c for c in companions_of(kind) if c in carried]
        outputs.append(Output(name, kind, {c: hidden_column(name, c) for c in kept}))
        for companion in kept:
            for cell, more in zip(column, added, strict=True):
                found = companions_in(cell).get(companion)
                empty = zero(cell) if companion is NANOS else number(0)
                more.append(found.copy() if found is not None else empty)
    if any(added):
        tuples = [exp.Tuple(expressions=[*cells, *more]) for cells, more in zip(rows, added, strict=True)]
        values.set("expressions", tuples)
    return outputs


def _common(types: list[SfType]) -> SfType | None:
    """The type of a column whose cells have these; times differ in their digits only."""
    if not types:
        return None
    widest = max(types, key=lambda t: t.digits)
    return widest if all(t == widest or (t.digits and t.name == widest.name) for t in types) else None


def unite(
    query: exp.SetOperation, left: list[Output] | None, right: list[Output] | None
) -> list[Output] | None:
    """The columns of a UNION, INTERSECT or EXCEPT; nanoseconds are on both sides of it where they are on one."""
    known = left is not None and right is not None and len(left) == len(right)
    wanted = (
        [NANOS in a.hidden or NANOS in b.hidden for a, b in zip(left, right, strict=True)]
        if left is not None and right is not None and known
        else [False] * max(len(left or ()), len(right or ()))
    )
    names: dict[int, str] = {}
    for key, outputs in (("this", left), ("expression", right)):
        if outputs is not None:
            side, found = _fitted(query.args[key], outputs, wanted)
            query.set(key, side)
            names = names or found
    if left is None or right is None:
        return left and [Output(o.name, None) for o in left]
    united = [
        Output(a.name, _common([t for t in (a.type, b.type) if t is not None]) or a.type or b.type,
               {NANOS: names[i]} if i in names else {})
        for i, (a, b) in enumerate(zip(left, right, strict=False))
    ]  # fmt: skip
    _mark_positions(query, [{c: reference(h) for c, h in o.hidden.items()} for o in united])
    return united


def _fitted(
    side: exp.Expression, outputs: list[Output], wanted: list[bool]
) -> tuple[exp.Expression, dict[int, str]]:
    """A side that gives the wanted columns' nanoseconds and no other companions; their names by position."""
    if all(set(o.hidden) == ({NANOS} if w else set()) for o, w in zip(outputs, wanted, strict=False)):
        return side, {i: o.hidden[NANOS] for i, o in enumerate(outputs) if o.hidden}
    keys = [f"k{i}" for i in range(len(outputs))]
    alias = exp.TableAlias(
        this=exp.to_identifier("q"), columns=[exp.to_identifier(k, quoted=True) for k in keys]
    )
    columns = [exp.alias_(reference(k), o.name, quoted=True) for k, o in zip(keys, outputs, strict=True)]
    names, taken = {}, set[str]()
    for index, (k, output, wish) in enumerate(zip(keys, outputs, wanted, strict=False)):
        if wish:
            names[index] = free_name(output.name, NANOS, taken)
            companions = {c: reference(h) for c, h in output.hidden.items()}
            given = annotated(reference(k), output.type, companions)
            value = nanos_as(given, NTZ) or zero(given)
            columns.append(exp.alias_(value, names[index], quoted=True))
    return exp.select(*columns).from_(exp.Subquery(this=side, alias=alias)), names


ALL: Carried = COMPANIONS
NONE: Carried = ()
