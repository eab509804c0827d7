"""Names in a query: every table becomes a relation DuckDB knows, every column gets its Snowflake type.

Snowflake tells "a" from A where DuckDB does not, so a column's case is checked here. A TIMESTAMP_TZ's offset travels
in a hidden column (see `store.OFFSET_SUFFIX`): stars leave it out at the top, subqueries hand it on.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from sandbox.snowflake import errors, infer
from sandbox.snowflake.names import show
from sandbox.snowflake.scopes import (
    Output,
    Resolver,
    Scope,
    ancestors,
    as_declared,
    rename,
    star_of,
    title,
    united,
    values_outputs,
)
from sandbox.snowflake.store import offset_column


class Binder:
    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def bind(self, query: exp.Expression, ctes: dict[str, list[Output] | None] | None = None,
             parent: Scope | None = None, *, derived: bool = False) -> list[Output] | None:  # fmt: skip
        """Bind a query in place; its columns. `derived`: it may carry hidden columns for whoever reads it."""
        ctes = dict(ctes or {})
        if isinstance(query, exp.Subquery):
            self._with(query, ctes, parent)
            outputs = self.bind(query.this, ctes, parent, derived=derived)
        elif isinstance(query, exp.SetOperation):
            self._with(query, ctes, parent)
            left = self.bind(query.left, ctes, parent)
            right = self.bind(query.right, ctes, parent)
            outputs = united(left, right)
            self._expressions(
                query, Scope({"": outputs}, parent=parent), ctes, skip={"this", "expression", "with_"}
            )
        elif isinstance(query, exp.Select):
            self._with(query, ctes, parent)
            outputs = self._select(query, ctes, parent, derived=derived)
        elif isinstance(query, exp.Values):
            self._expressions(query, Scope(parent=parent), ctes)
            outputs = values_outputs(query, derived=derived)
        else:
            raise errors.NotImplementedHere(type(query).__name__)
        query.meta["outputs"] = outputs
        return outputs

    def _with(
        self, query: exp.Expression, ctes: dict[str, list[Output] | None], parent: Scope | None
    ) -> None:
        with_ = query.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            recursive = isinstance(cte.this, exp.SetOperation) and any(
                t.name == cte.alias for t in cte.this.find_all(exp.Table)
            )
            if recursive:
                ctes[cte.alias] = None
            outputs = self.bind(cte.this, ctes, parent, derived=not recursive)
            ctes[cte.alias] = rename(outputs, cte.args.get("alias"))

    # -- SELECT

    def _select(
        self, query: exp.Select, ctes: dict, parent: Scope | None, *, derived: bool
    ) -> list[Output] | None:
        scope = Scope(parent=parent)
        if (from_ := query.args.get("from_")) is not None:
            self.source(from_.this, scope, ctes)
        for join in query.args.get("joins") or ():
            self.source(join.this, scope, ctes)
            self._expressions(join, scope, ctes, skip={"this"})
        for lateral in query.args.get("laterals") or ():
            self.source(lateral, scope, ctes)
        for projection in query.expressions:
            if isinstance(projection, exp.Alias):
                scope.aliases[projection.alias] = projection.this
        for projection in query.expressions:
            self.expression(projection, scope, ctes)
        self._expressions(query, scope, ctes, skip={"with_", "from_", "joins", "laterals", "expressions"})
        return self._outputs(query, scope, derived=derived)

    def _outputs(self, query: exp.Select, scope: Scope, *, derived: bool) -> list[Output] | None:
        plain = not (
            query.args.get("group") or query.args.get("distinct") or query.args.get("having")
        ) and not any(p.find(exp.AggFunc) for p in query.expressions if not p.find(exp.Query))
        outputs: list[Output] = []
        known = True
        projections: list[exp.Expression] = []
        for projection in query.expressions:
            star = star_of(projection)
            if star is not None:
                found, expanded = self._expand(projection, star, scope, carry=derived and plain)
                projections.extend(expanded)
                known = known and found is not None
                outputs.extend(found or ())
                continue
            name = projection.alias if isinstance(projection, exp.Alias) else title(projection)
            inner = projection.this if isinstance(projection, exp.Alias) else projection
            if not isinstance(projection, exp.Alias):
                projection = exp.alias_(projection, name, quoted=True)
            carried = derived and (plain or isinstance(inner, (exp.Max, exp.Min)))
            offset = infer.offset_of(inner) if carried else None
            projections.append(projection)
            if offset is not None:
                projections.append(exp.alias_(offset.copy(), offset_column(name), quoted=True))
            outputs.append(Output(name, infer.type_of(inner), offset is not None))
        query.set("expressions", projections)
        return outputs if known else None

    def _expand(self, projection: exp.Expression, star: exp.Star, scope: Scope, *, carry: bool):
        """A star's columns; hidden ones are left out, or named behind it when they are to be carried on."""
        table = projection.table if isinstance(projection, exp.Column) else ""
        sources = [scope.sources.get(table)] if table else list(scope.sources.values())
        if any(s is None for s in sources):
            return None, [projection]
        visible = [o for outputs in sources for o in outputs or ()]
        hidden = [offset_column(o.name) for o in visible if o.offset]
        dropped = {c.name for c in star.args.get("except_") or ()}
        renamed = star.args.get("rename") or []
        outputs = [Output(o.name, o.type, o.offset and carry) for o in visible if o.name not in dropped]
        modified = dropped or renamed or star.args.get("replace") or star.args.get("ilike")
        if modified or len(set(hidden)) != len(hidden):
            outputs = [Output(o.name, o.type) for o in outputs]
            carry = False
        if hidden and not carry:
            excluded = [
                *(star.args.get("except_") or ()),
                *(exp.column(exp.to_identifier(h, quoted=True)) for h in dict.fromkeys(hidden)),
            ]
            star.set("except_", excluded)
        return (None if renamed or star.args.get("ilike") else outputs), [projection]

    # -- FROM

    def source(self, source: exp.Expression, scope: Scope, ctes: dict) -> None:
        if isinstance(source, exp.Subquery):
            outputs = self.bind(source.this, ctes, scope.parent, derived=True)
            scope.sources[source.alias or f"\x00{len(scope.sources)}"] = rename(
                outputs, source.args.get("alias")
            )
        elif isinstance(source, exp.Values):
            outputs = self.bind(source, ctes, scope.parent, derived=True) or []
            alias = source.args.get("alias")
            this = alias.this if alias is not None else exp.to_identifier("VALUES", quoted=True)
            names = [c.name for c in alias.columns] if alias is not None else []
            outputs = [
                Output(n, o.type, o.offset)
                for n, o in zip(names or [o.name for o in outputs], outputs, strict=True)
            ]
            physical = [o.name for o in outputs] + [offset_column(o.name) for o in outputs if o.offset]
            columns = [exp.to_identifier(n, quoted=True) for n in physical]
            source.set("alias", exp.TableAlias(this=this, columns=columns))
            scope.sources[source.alias] = outputs
        elif isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
            self._table(source, scope, ctes)
        elif isinstance(source, exp.Paren):
            self.source(source.this, scope, ctes)
        else:
            self._expressions(source, scope, ctes)
            relation = self.resolver.function_relation(source)
            alias = source.args.get("alias")
            if alias is not None:
                relation.node.set("alias", exp.TableAlias(this=alias.this.copy()))
            scope.sources[source.alias or f"\x00{len(scope.sources)}"] = relation.outputs
            source.replace(relation.node)
        for join in source.args.get("joins") or ():
            self.source(join.this, scope, ctes)
            self._expressions(join, scope, ctes, skip={"this"})

    def _table(self, source: exp.Table, scope: Scope, ctes: dict) -> None:
        alias = source.alias or source.name
        if not source.db and source.name in ctes:
            scope.sources[alias] = rename(ctes[source.name], source.args.get("alias"))
            return
        relation = self.resolver.relation(source)
        outputs = relation.outputs
        if relation.view is not None and relation.home is not None:
            outputs = Binder(self.resolver.at_home(relation.home)).bind(relation.view, derived=True)
            outputs = as_declared(outputs, relation.outputs)
        node = relation.node
        columns = source.args["alias"].columns if source.args.get("alias") is not None else []
        node.set(
            "alias",
            exp.TableAlias(this=exp.to_identifier(alias, quoted=True), columns=[c.copy() for c in columns]),
        )
        for kept in ("joins", "sample", "laterals"):
            if source.args.get(kept):
                node.set(kept, source.args[kept])
        source.replace(node)
        scope.sources[alias] = rename(outputs, node.args.get("alias"))

    # -- expressions

    def _expressions(self, node: exp.Expression, scope: Scope, ctes: dict, skip: Iterable[str] = ()) -> None:
        for key, value in list(node.args.items()):
            if key in skip:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, exp.Expression):
                    self.expression(child, scope, ctes)

    def expression(self, node: exp.Expression, scope: Scope, ctes: dict) -> None:
        self._bind_below(node, scope, ctes)
        infer.annotate(node)

    def _bind_below(self, node: exp.Expression, scope: Scope, ctes: dict) -> None:
        if isinstance(node, exp.Query):
            self.bind(node, ctes, scope)
            infer.annotate(node) if isinstance(node, exp.Subquery) else None
            return
        if isinstance(node, exp.Parameter) or (
            isinstance(node, exp.Column) and isinstance(node.this, exp.Parameter)
        ):
            node = _by_position(node, scope)
        if isinstance(node, exp.Column):
            self._column(node, scope)
            return
        for child in list(node.iter_expressions()):
            self._bind_below(child, scope, ctes)

    def _column(self, column: exp.Column, scope: Scope) -> None:
        for qualifier in ("catalog", "db"):
            column.set(qualifier, None)
        if isinstance(column.this, exp.Star) or not isinstance(column.this, exp.Identifier):
            return
        name, table = column.name, column.table
        at: Scope | None = scope
        near = False
        while at is not None:
            for source, outputs in at.sources.items():
                if outputs is None or (table and source != table):
                    continue
                for output in outputs:
                    if output.name == name:
                        self._mark(column, output, source)
                        return
                    near = near or output.name.lower() == name.lower()
            if not table and name in at.aliases:
                inner = at.aliases[name]
                if not any(inner is ancestor for ancestor in ancestors(column)):
                    infer.annotate(inner)
                    if (kind := infer.type_of(inner)) is not None:
                        column.meta[infer.TYPE] = kind
                    return
            at = at.parent
        if near or not scope.open:
            identifier = column.this
            written = identifier.meta.get("written")
            text = name if written is not None else show(name)
            text = f"{show(table)}.{text}" if table else text
            meta = identifier.meta
            position = max(int(meta.get("col", 1)) - len(str(written or text)), 0)
            raise errors.invalid_identifier(text, int(meta.get("line", 1)), position)

    @staticmethod
    def _mark(column: exp.Column, output: Output, source: str) -> None:
        if output.type is not None:
            column.meta[infer.TYPE] = output.type
        if output.offset:
            hidden = exp.column(exp.to_identifier(offset_column(output.name), quoted=True))
            if source and not source.startswith("\x00"):
                hidden.set("table", exp.to_identifier(source, quoted=True))
            column.meta[infer.OFFSET] = hidden


def _by_position(node: exp.Expression, scope: Scope) -> exp.Expression:
    """$2 or t.$2: the second column of what is read."""
    table = node.args["table"].name if isinstance(node, exp.Column) else None
    parameter = node.this if isinstance(node, exp.Column) else node
    number = parameter.name
    found = [
        (source, output)
        for source, outputs in scope.sources.items()
        if table in {None, source}
        for output in outputs or ()
    ]
    if not number.isdigit() or not 0 < int(number) <= len(found):
        raise errors.compilation(904, "42000", f"invalid identifier '${number}'")
    source, output = found[int(number) - 1]
    column = exp.column(exp.to_identifier(output.name, quoted=True))
    if not source.startswith("\x00"):
        column.set("table", exp.to_identifier(source, quoted=True))
    node.replace(column)
    return column
