"""Names in a query: every table becomes a relation DuckDB knows, every column gets its Snowflake type.

"a" and A differ in Snowflake and not in DuckDB, so a column's case is checked here. What DuckDB's values leave out
travels in hidden columns (see `companions`), which subqueries hand on.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.companions import NANOS, companions_of
from sandbox.snowflake.catalog.names import show
from sandbox.snowflake.rewriting import infer
from sandbox.snowflake.rewriting.expressions import annotated, companions_in, reference, type_of
from sandbox.snowflake.rewriting.joins import companions, groups_by_sets, merge_columns, without_nanos
from sandbox.snowflake.rewriting.projections import ALL, NONE, TITLE, Carried, project, unite, values_outputs
from sandbox.snowflake.rewriting.scopes import (
    Output,
    Resolver,
    Scope,
    ancestors,
    as_declared,
    rename,
    title,
)

#: meta key of a column that is known to mean one the query gives
_ALIAS = "alias"


class Binder:
    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def bind(self, query: exp.Expression, ctes: dict[str, list[Output] | None] | None = None,
             parent: Scope | None = None, *, carried: Carried = NONE) -> list[Output] | None:  # fmt: skip
        """Bind a query in place; its columns. `carried`: the companions that it gives to its reader."""
        ctes = dict(ctes or {})
        if isinstance(query, exp.Subquery):
            self._with(query, ctes, parent)
            outputs = self.bind(query.this, ctes, parent, carried=carried)
        elif isinstance(query, exp.SetOperation):
            self._with(query, ctes, parent)
            kept = [c for c in carried if c is NANOS]
            left = self.bind(query.left, ctes, parent, carried=kept)
            right = self.bind(query.right, ctes, parent, carried=kept)
            outputs = unite(query, left, right)
            self._expressions(
                query, Scope({"": outputs}, parent=parent), ctes, skip={"this", "expression", "with_"}
            )
        elif isinstance(query, exp.Select):
            self._with(query, ctes, parent)
            outputs = self._select(query, ctes, parent, carried=carried)
        elif isinstance(query, exp.Values):
            self._expressions(query, Scope(parent=parent), ctes)
            outputs = values_outputs(query, carried)
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
            outputs = self.bind(cte.this, ctes, parent, carried=NONE if recursive else ALL)
            ctes[cte.alias] = rename(outputs, cte.args.get("alias"))

    # -- SELECT

    def _select(
        self, query: exp.Select, ctes: dict, parent: Scope | None, *, carried: Carried
    ) -> list[Output] | None:
        scope = Scope(parent=parent)
        if (from_ := query.args.get("from_")) is not None:
            self.source(from_.this, scope, ctes)
        for join in query.args.get("joins") or ():
            self.source(join.this, scope, ctes)
            merge_columns(join, scope)
            self._expressions(join, scope, ctes, skip={"this", "using"})
        for lateral in query.args.get("laterals") or ():
            self.source(lateral, scope, ctes)
        if groups_by_sets(query):
            scope.sources = {alias: without_nanos(found) for alias, found in scope.sources.items()}
        for projection in query.expressions:
            if isinstance(projection, exp.Alias):
                scope.aliases[projection.alias] = projection.this
            else:
                projection.meta[TITLE] = title(projection)
        for projection in query.expressions:
            self.expression(projection, scope, ctes)
        self._named(query, scope)
        self._expressions(query, scope, ctes, skip={"with_", "from_", "joins", "laterals", "expressions"})
        return project(query, scope, carried)

    def _named(self, query: exp.Select, scope: Scope) -> None:
        """A name in ORDER BY, or outside of aggregates in HAVING, means first what the query gives under it."""
        order, having = query.args.get("order"), query.args.get("having")
        found = [ordered.this for ordered in order.expressions] if order is not None else []
        found += list(having.find_all(exp.Column)) if having is not None else []
        for column in found:
            if isinstance(column, exp.Column) and not column.table and column.name in scope.aliases:
                if column.find_ancestor(exp.AggFunc, exp.Query) in {None, query}:
                    self._mark_alias(column, scope.aliases[column.name])

    # -- FROM

    def source(self, source: exp.Expression, scope: Scope, ctes: dict) -> None:
        if isinstance(source, exp.Subquery):
            outputs = self.bind(source.this, ctes, scope.parent, carried=ALL)
            scope.sources[source.alias or f"\x00{len(scope.sources)}"] = rename(
                outputs, source.args.get("alias")
            )
        elif isinstance(source, exp.Values):
            outputs = self.bind(source, ctes, scope.parent, carried=ALL) or []
            alias = source.args.get("alias")
            this = alias.this if alias is not None else exp.to_identifier("VALUES", quoted=True)
            names = [c.name for c in alias.columns] if alias is not None else []
            outputs = [
                Output(n, o.type, o.hidden)
                for n, o in zip(names or [o.name for o in outputs], outputs, strict=True)
            ]
            physical = [o.name for o in outputs] + [h for o in outputs for h in o.hidden.values()]
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
            outputs = Binder(self.resolver.at_home(relation.home)).bind(relation.view, carried=ALL)
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
            self._nested(node, scope, ctes)
            return
        if isinstance(node, exp.Parameter) or (
            isinstance(node, exp.Column) and isinstance(node.this, exp.Parameter)
        ):
            node = _by_position(node, scope)
        if isinstance(node, exp.Column):
            if not node.meta.get(_ALIAS):
                self._column(node, scope)
            return
        for child in list(node.iter_expressions()):
            self._bind_below(child, scope, ctes)

    def _nested(self, query: exp.Expression, scope: Scope, ctes: dict) -> None:
        """A query inside an expression: a value, or what IN and EXISTS look into."""
        if isinstance(query.parent, (exp.In, exp.Any, exp.All)):
            beside = query.parent if isinstance(query.parent, exp.In) else query.parent.parent
            single = beside is not None and not isinstance(beside.this, exp.Tuple)
            self.bind(query, ctes, scope, carried=[NANOS] if single else NONE)
            return
        if not isinstance(query, exp.Subquery):
            self.bind(query, ctes, scope)
            return
        twin = query.copy()
        self.bind(query, ctes, scope)
        infer.annotate(query)
        if companions_of(
            type_of(query)
        ):  # as a value it has one column: each companion needs a query of its own
            [output, *_] = self.bind(twin, ctes, scope, carried=ALL) or [Output("", None)]
            twin.set("alias", exp.TableAlias(this=exp.to_identifier("q")))
            for companion, name in output.hidden.items():
                query.meta[companion.key] = exp.Subquery(this=exp.select(reference(name)).from_(twin.copy()))

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
                        beside = companions(at, output, source, qualified=bool(table))
                        annotated(column, output.type, beside)
                        return
                    near = near or output.name.lower() == name.lower()
            if not table and name in at.aliases:
                inner = at.aliases[name]
                if not any(inner is ancestor for ancestor in ancestors(column)):
                    self._mark_alias(column, inner)
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
    def _mark_alias(column: exp.Column, inner: exp.Expression) -> None:
        infer.annotate(inner)
        annotated(column, type_of(inner), companions_in(inner)).meta[_ALIAS] = True


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
