"""INSERT, UPDATE, DELETE, MERGE, TRUNCATE."""

from __future__ import annotations

from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import results, sftypes
from sandbox.snowflake.catalog.catalog import Column, Table
from sandbox.snowflake.catalog.names import ObjectName, quote, show
from sandbox.snowflake.catalog.results import SUCCESS, Result, rows_result, status_result
from sandbox.snowflake.rewriting.binder import Binder
from sandbox.snowflake.rewriting.expressions import companions_in, type_of
from sandbox.snowflake.rewriting.functions import rewrite
from sandbox.snowflake.rewriting.infer import annotate
from sandbox.snowflake.rewriting.scopes import Scope, stored_outputs
from sandbox.snowflake.sql.changes import Change, changing
from sandbox.snowflake.sql.inserting import Assigned, build_insert, default_value, stored
from sandbox.snowflake.sql.reading import Reader
from sandbox.snowflake.sql.statement import Statement

_N = sftypes.number()


def _target(reader: Reader, table: exp.Expression, action: str) -> ObjectName:
    if not isinstance(table, exp.Table):
        raise errors.NotImplementedHere(f"{action} of {type(table).__name__}")
    name = reader.name_of(table, action)
    privilege = "" if action == "MERGE" else action
    found = reader.find(name, ".".join(show(p.name) for p in table.parts), privilege)
    reader.rights.require_warehouse()
    if found.kind == "VIEW":
        raise errors.compilation(2011, "42601", f"Object '{name}' is a view and cannot be changed.")
    return name


def _counted(names: list[str], counts: list[int], kind: int) -> Result:
    result = rows_result([(n, _N) for n in names], [tuple(counts)], kind)
    result.affected = sum(counts)
    return result


def insert(statement: Statement) -> Result:
    tree = statement.parse()
    if not isinstance(tree, exp.Insert):
        raise errors.NotImplementedHere("multi-table INSERT")
    reader = statement.reader()
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    name = _target(reader, target, "INSERT")
    table = reader.find(name)
    named = [i.name for i in tree.this.expressions] if isinstance(tree.this, exp.Schema) else None
    columns = named if named is not None else [c.name for c in table.columns if not c.expression]
    for column in columns:
        if table.column(column) is None:
            raise errors.invalid_identifier(show(column), 1, 0)
    overwrite = bool(tree.args.get("overwrite"))
    source = tree.expression
    if isinstance(source, exp.Values):
        _fill_defaults(reader, source, table, columns)
        source = exp.select("*").from_(source)
    if tree.args.get("with_") is not None:
        source.set("with_", tree.args["with_"])
    translation = reader.translate(source, carry=True)
    with changing(statement, name, appends=not overwrite, empty=overwrite) as change:
        _share(reader, statement, change)
        sql = build_insert(reader, change.connection, change.table, columns, translation)
        row = change.connection.execute(sql).fetchone()
    return _counted(["number of rows inserted"], [row[0] if row else 0], results.INSERT)


def _share(reader: Reader, statement: Statement, change: Change) -> None:
    """What was registered for the statement must be seen by the transaction's connection too."""
    if change.connection is not statement.connection:
        for name, table in reader.registered.items():
            change.connection.register(name, table)


def _fill_defaults(reader: Reader, values: exp.Values, table: Table, columns: list[str]) -> None:
    """DEFAULT in VALUES becomes the column's default."""
    for row in values.expressions:
        cells = row.expressions if isinstance(row, exp.Tuple) else [row]
        for column, cell in zip(columns, cells, strict=False):
            if isinstance(cell, (exp.Var, exp.Column)) and cell.name.upper() == "DEFAULT":
                found = table.column(column)
                default = default_value(reader, found).value if found and found.default else exp.Null()
                cell.replace(default.copy())


class _Changed:
    """UPDATE, DELETE and MERGE: the target and the other sources in one scope."""

    def __init__(self, statement: Statement, target: exp.Table, action: str) -> None:
        self.statement = statement
        self.reader = statement.reader()
        self.name = _target(self.reader, target, action)
        self.table = self.reader.find(self.name)
        self.alias = target.alias or target.name
        self.scope = Scope()
        self.binder = Binder(self.reader)
        self.scope.sources[self.alias] = stored_outputs(self.table.columns)

    def require(self, privilege: str) -> None:
        self.reader.find(self.name, privilege=privilege)

    def bind_source(self, source: exp.Expression) -> None:
        self.binder.source(source, self.scope, {})

    def bind(self, node: exp.Expression | None) -> None:
        if node is not None:
            self.binder.expression(node, self.scope, {})

    def column(self, node: exp.Expression) -> Column:
        found = self.table.column(node.name)
        if found is None:
            raise errors.invalid_identifier(show(node.name), 1, 0)
        return found

    def assignments(self, expressions: list[exp.Expression]) -> list[tuple[str, str]]:
        """(column, SQL) of a SET list, hidden columns included."""
        found: list[tuple[str, str]] = []
        for equality in expressions:
            self.bind(equality.expression)
            found += self.value(self.column(equality.this), equality.expression)
        return found

    def value(self, column: Column, value: exp.Expression) -> list[tuple[str, str]]:
        annotate(value)
        kind = type_of(value) or (column.type if column.type.name != "NUMBER" else sftypes.number())
        formats = self.reader.formats()
        companions = {c: rewrite(exp.Paren(this=e.copy()), formats) for c, e in companions_in(value).items()}
        rewritten = rewrite(exp.Paren(this=value.copy()), formats)
        return stored(self.reader, column, Assigned(rewritten, kind, companions))

    def sql(self, node: exp.Expression) -> str:
        return rewrite(exp.Paren(this=node), self.reader.formats()).this.sql(dialect="duckdb")

    def run(self, build: object, *, fetch_all: bool = False) -> list[tuple[object, ...]]:
        with changing(self.statement, self.name, appends=False) as change:
            _share(self.reader, self.statement, change)
            sql = build(f"{quote(change.table.storage)} AS {quote(self.alias)}")  # type: ignore[operator]
            return change.connection.execute(sql).fetchall()


def update(statement: Statement) -> Result:
    tree = statement.parse()
    changed = _Changed(statement, tree.this, "UPDATE")
    from_ = tree.args.get("from_")
    if from_ is not None:
        changed.bind_source(from_.this)
        for join in from_.this.args.get("joins") or ():
            changed.bind_source(join.this)
    where = tree.args.get("where")
    changed.bind(where)
    sets = ", ".join(f"{quote(n)} = {sql}" for n, sql in changed.assignments(tree.expressions))
    tail = f" FROM {changed.sql(from_.this)}" if from_ is not None else ""
    tail += f" {changed.sql(where)}" if where is not None else ""
    rows = changed.run(lambda target: f"UPDATE {target} SET {sets}{tail}")
    count = int(rows[0][0]) if rows else 0
    return _counted(
        ["number of rows updated", "number of multi-joined rows updated"], [count, 0], results.UPDATE
    )


def delete(statement: Statement) -> Result:
    tree = statement.parse()
    changed = _Changed(statement, tree.this, "DELETE")
    using = tree.args.get("using") or []
    for source in list(using):
        changed.bind_source(source)
    where = tree.args.get("where")
    changed.bind(where)
    tail = " USING " + ", ".join(changed.sql(u) for u in tree.args["using"]) if using else ""
    tail += f" {changed.sql(where)}" if where is not None else ""
    rows = changed.run(lambda target: f"DELETE FROM {target}{tail}")
    return _counted(["number of rows deleted"], [int(rows[0][0]) if rows else 0], results.DELETE)


def merge(statement: Statement) -> Result:
    tree = statement.parse()
    changed = _Changed(statement, tree.this, "MERGE")
    changed.bind_source(tree.args["using"])
    changed.bind(tree.args["on"])
    clauses, kinds = [], set()
    for when in tree.args["whens"].expressions:
        changed.bind(when.args.get("condition"))
        head = "WHEN MATCHED" if when.args["matched"] else "WHEN NOT MATCHED"
        if when.args.get("condition") is not None:
            head += f" AND {changed.sql(when.args['condition'])}"
        then = when.args["then"]
        if isinstance(then, exp.Update):
            kinds.add("updated")
            changed.require("UPDATE")
            sets = ", ".join(f"{quote(n)} = {sql}" for n, sql in changed.assignments(then.expressions))
            clauses.append(f"{head} THEN UPDATE SET {sets}")
        elif isinstance(then, exp.Insert):
            kinds.add("inserted")
            changed.require("INSERT")
            clauses.append(f"{head} THEN INSERT {_merge_insert(changed, then)}")
        else:
            kinds.add("deleted")
            changed.require("DELETE")
            clauses.append(f"{head} THEN DELETE")
    using, on = changed.sql(tree.args["using"]), changed.sql(tree.args["on"])
    body = f"USING {using} ON {on} {' '.join(clauses)} RETURNING merge_action"
    rows = changed.run(lambda target: f"MERGE INTO {target} {body}")
    actions = [str(r[0]).upper() for r in rows]
    wanted = [k for k in ("inserted", "updated", "deleted") if k in kinds]
    counts = [
        actions.count({"inserted": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}[k]) for k in wanted
    ]
    return _counted([f"number of rows {k}" for k in wanted], counts, results.MERGE)


def _merge_insert(changed: _Changed, then: exp.Insert) -> str:
    columns = [changed.column(c) for c in then.this.expressions] if then.this else changed.table.columns
    targets, values = [], []
    given = then.expression.expressions if isinstance(then.expression, exp.Tuple) else [then.expression]
    for column, value in zip(columns, given, strict=True):
        changed.bind(value)
        for name, sql in changed.value(column, value):
            targets.append(quote(name))
            values.append(sql)
    return f"({', '.join(targets)}) VALUES ({', '.join(values)})"


def truncate(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("TRUNCATE")
    scanner.accept("TABLE")
    if_exists = scanner.accept("IF", "EXISTS")
    reader = statement.reader()
    name = reader.place(scanner.name(), "TRUNCATE")
    if if_exists and statement.store.catalog.find_table(name) is None:
        return status_result(SUCCESS)
    reader.find(name, privilege="TRUNCATE")
    with changing(statement, name, appends=False, empty=True):
        pass
    return status_result(SUCCESS)
