"""Masking, row access, projection and aggregation policies, and tags: made, changed, set on tables and columns.

docs.snowflake.com/en/user-guide/security-column-intro, …/security-row-intro, …/projection-policies, …/aggregation-policies,
…/tag-based-masking-policies.
"""

from __future__ import annotations

import time

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.catalog import Column, Policy, Table, Tag
from sandbox.snowflake.catalog.information_schema import OWNER, moment
from sandbox.snowflake.catalog.names import ObjectName, show
from sandbox.snowflake.catalog.results import SHOW, SUCCESS, Result, rows_result, status_result
from sandbox.snowflake.catalog.rights import OWNERSHIP
from sandbox.snowflake.catalog.sftypes import LTZ
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.sql.definitions import read_names, read_type
from sandbox.snowflake.sql.listing import in_scope, like_filter, texts
from sandbox.snowflake.sql.statement import Statement

KINDS = ("MASKING", "ROW ACCESS", "PROJECTION", "AGGREGATION")


def _kind(scanner: Scanner, word: str = "POLICY") -> str:
    for kind in KINDS:
        if scanner.accept(*kind.split(), word):
            return kind
    raise scanner.unexpected()


def _place(statement: Statement, scanner: Scanner) -> ObjectName:
    return statement.reader().place(scanner.name(), "this statement")


def create(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    kind = _kind(scanner)
    unless = scanner.accept("IF", "NOT", "EXISTS")
    name = _place(statement, scanner)
    policies = statement.store.catalog.schema(name.database, name.schema).policies
    statement.rights.require_schema(name, f"CREATE {kind} POLICY")
    if name.name in policies and not replace:
        if unless:
            return status_result(f"{show(name.name)} already exists, statement succeeded.")
        raise errors.already_exists(str(name))
    scanner.expect("AS")
    arguments = _arguments(scanner)
    scanner.expect("RETURNS")
    if kind in {"PROJECTION", "AGGREGATION"}:
        scanner.expect(f"{kind}_CONSTRAINT")
    else:
        read_type(scanner)
    body = _body(scanner)
    statement.parse(f"SELECT {body}")
    made = Policy(name.name, kind, arguments, body, created=time.time())
    statement.rights.settle(made, name.database, name.schema)
    policies[name.name] = made
    statement.store.save()
    return status_result(
        f"{kind.replace(' ', '_')} policy {show(name.name)} successfully created.".capitalize()
    )


def _arguments(scanner: Scanner) -> list[tuple[str, str]]:
    scanner.expect("(")
    found: list[tuple[str, str]] = []
    while not scanner.accept(")"):
        argument = scanner.identifier()
        found.append((argument, read_type(scanner).name))
        scanner.accept(",")
    return found


def _body(scanner: Scanner) -> str:
    """What follows `->`, without COMMENT = '…'."""
    scanner.expect("-", ">")
    start = end = scanner.peek().start
    while not scanner.done and not scanner.looking_at("COMMENT", "="):
        end = scanner.next().end
    return scanner.text[start:end]


def drop(statement: Statement) -> Result:
    """DROP … POLICY and DROP TAG. A policy that is set somewhere cannot be dropped."""
    scanner = statement.scanner()
    scanner.expect("DROP")
    tag = scanner.accept("TAG")
    if not tag:
        _kind(scanner)
    if_exists = scanner.accept("IF", "EXISTS")
    name = _place(statement, scanner)
    catalog = statement.store.catalog
    schema = catalog.schema(name.database, name.schema)
    if if_exists and name.name not in (schema.tags if tag else schema.policies):
        return status_result("Drop statement executed successfully (object already dropped).")
    found = catalog.tag(name) if tag else catalog.policy(name)
    missing = errors.missing("Tag" if tag else "Policy", str(name))
    statement.rights.require(found, OWNERSHIP, show(name.name), missing)
    if not tag and _is_set(statement, str(name)):
        text = f"Policy {name} cannot be dropped/replaced as it is associated with one or more entities."
        raise errors.compilation(3911, "42601", text)
    del (schema.tags if tag else schema.policies)[name.name]
    statement.store.save()
    return status_result(f"{show(name.name)} successfully dropped.")


def _is_set(statement: Statement, policy: str) -> bool:
    for table in statement.store.catalog.tables():
        if policy in {table.row_access, table.aggregation}:
            return True
        if any(policy in {c.policy, c.projection} for c in table.columns):
            return True
    tags = (t for d in statement.store.catalog.databases.values() for s in d.schemas.values() for t in s.tags.values())  # fmt: skip
    return any(policy in tag.policies for tag in tags)


def alter(statement: Statement) -> Result:
    """ALTER … POLICY p SET BODY -> …"""
    scanner = statement.scanner()
    scanner.expect("ALTER")
    _kind(scanner)
    name = _place(statement, scanner)
    policy = statement.store.catalog.policy(name)
    statement.rights.require(policy, OWNERSHIP, show(name.name), errors.missing("Policy", str(name)))
    scanner.expect("SET", "BODY")
    policy.body = _body(scanner)
    statement.store.save()
    return status_result(SUCCESS)


def show_all(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW")
    kind = _kind(scanner, "POLICIES")
    like = like_filter(scanner)
    columns = [
        ("created_on", LTZ),
        *texts("name", "database_name", "schema_name", "kind", "owner", "comment"),
    ]
    rows = [
        (moment(p.created), p.name, d.name, s.name, f"{kind.replace(' ', '_')}_POLICY", OWNER, p.comment)
        for d, s in in_scope(statement, scanner)
        for p in s.policies.values()
        if p.kind == kind and like(p.name) and statement.rights.sees(p, d)
    ]
    return rows_result(columns, rows, SHOW)


# -- tags


def create_tag(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    scanner.expect("TAG")
    unless = scanner.accept("IF", "NOT", "EXISTS")
    name = _place(statement, scanner)
    tags = statement.store.catalog.schema(name.database, name.schema).tags
    statement.rights.require_schema(name, "CREATE TAG")
    if name.name in tags and not replace:
        if unless:
            return status_result(f"{show(name.name)} already exists, statement succeeded.")
        raise errors.already_exists(str(name))
    tags[name.name] = Tag(name.name, created=time.time())
    statement.rights.settle(tags[name.name], name.database, name.schema)
    statement.store.save()
    return status_result(f"Tag {show(name.name)} successfully created.")


def alter_tag(statement: Statement) -> Result:
    """ALTER TAG t SET MASKING POLICY p [, MASKING POLICY …] [FORCE] | UNSET MASKING POLICY p."""
    scanner = statement.scanner()
    scanner.expect("ALTER", "TAG")
    name = _place(statement, scanner)
    tag = statement.store.catalog.tag(name)
    statement.rights.require(tag, OWNERSHIP, show(name.name), errors.missing("Tag", str(name)))
    setting = scanner.accept("SET")
    if not setting:
        scanner.expect("UNSET")
    while scanner.accept("MASKING", "POLICY"):
        policy = str(_policy(statement, scanner, "MASKING"))
        tag.policies = [p for p in tag.policies if p != policy] + ([policy] if setting else [])
        scanner.accept(",")
    scanner.accept("FORCE")
    scanner.end()
    statement.store.save()
    return status_result(SUCCESS)


# -- on tables and columns, as ALTER TABLE has them


def _policy(statement: Statement, scanner: Scanner, kind: str) -> ObjectName:
    name = _place(statement, scanner)
    policy = statement.store.catalog.policy(name)
    if policy.kind != kind:
        raise errors.missing(f"{kind.capitalize()} policy", str(name))
    return name


def _tags(statement: Statement, scanner: Scanner, tags: dict[str, str], *, unset: bool) -> None:
    while not scanner.done:
        name = _place(statement, scanner)
        statement.store.catalog.tag(name)
        if unset:
            tags.pop(str(name), None)
        else:
            scanner.expect("=")
            tags[str(name)] = scanner.string()
        if not scanner.accept(","):
            break


def alter_table(statement: Statement, scanner: Scanner, table: Table) -> bool:
    """A clause of ALTER TABLE or VIEW about policies and tags; False when it is another."""
    if scanner.accept("ADD", "ROW", "ACCESS", "POLICY"):
        name = str(_policy(statement, scanner, "ROW ACCESS"))
        if table.row_access is not None:
            text = f"Object {show(table.name)} already has a ROW_ACCESS_POLICY. Only one ROW_ACCESS_POLICY is allowed at a time."
            raise errors.compilation(3901, "42601", text)
        scanner.expect("ON")
        table.row_access, table.row_access_columns = name, read_names(scanner)
    elif scanner.accept("DROP", "ALL", "ROW", "ACCESS", "POLICIES"):
        table.row_access, table.row_access_columns = None, []
    elif scanner.accept("DROP", "ROW", "ACCESS", "POLICY"):
        _policy(statement, scanner, "ROW ACCESS")
        table.row_access, table.row_access_columns = None, []
    elif scanner.accept("SET", "AGGREGATION", "POLICY"):
        table.aggregation = str(_policy(statement, scanner, "AGGREGATION"))
        scanner.accept("FORCE")
    elif scanner.accept("UNSET", "AGGREGATION", "POLICY"):
        table.aggregation = None
    elif scanner.accept("SET", "TAG"):
        _tags(statement, scanner, table.tags, unset=False)
    elif scanner.accept("UNSET", "TAG"):
        _tags(statement, scanner, table.tags, unset=True)
    else:
        return False
    return True


def alter_column(statement: Statement, scanner: Scanner, column: Column) -> bool:
    """A clause of ALTER TABLE … MODIFY COLUMN about policies and tags; False when it is another."""
    if scanner.accept("SET", "MASKING", "POLICY"):
        column.policy = str(_policy(statement, scanner, "MASKING"))
        column.policy_columns = read_names(scanner) if scanner.accept("USING") else []
        scanner.accept("FORCE")
    elif scanner.accept("UNSET", "MASKING", "POLICY"):
        column.policy, column.policy_columns = None, []
    elif scanner.accept("SET", "PROJECTION", "POLICY"):
        column.projection = str(_policy(statement, scanner, "PROJECTION"))
        scanner.accept("FORCE")
    elif scanner.accept("UNSET", "PROJECTION", "POLICY"):
        column.projection = None
    elif scanner.accept("SET", "TAG"):
        _tags(statement, scanner, column.tags, unset=False)
    elif scanner.accept("UNSET", "TAG"):
        _tags(statement, scanner, column.tags, unset=True)
    else:
        return False
    return True
