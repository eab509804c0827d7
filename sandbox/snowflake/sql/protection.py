"""What policies leave of a table for a session: the query that is read in the place of the table.

docs.snowflake.com/en/user-guide/security-column-intro: a policy is applied wherever its column is read, in WHERE and JOIN too;
…/security-row-intro: the row access policy comes first. The policy's owner runs it, so a mapping table needs no grant.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.catalog import Catalog, Column, Policy, Table
from sandbox.snowflake.catalog.names import ObjectName, full_name, show
from sandbox.snowflake.catalog.results import Result, rows_result
from sandbox.snowflake.catalog.rights import OWNERSHIP, Rights
from sandbox.snowflake.rewriting import dialect
from sandbox.snowflake.rewriting.scopes import fold

#: What the table itself is called in the query.
ROWS = "PROTECTED ROWS"


@dataclass(frozen=True, slots=True)
class PolicyUse:
    """A policy on a table, or on one of its columns; by a tag or by itself."""

    policy: Policy
    name: ObjectName
    column: str | None
    arguments: tuple[str, ...]
    tag: ObjectName | None = None


def policy_uses(catalog: Catalog, table: Table) -> Iterator[PolicyUse]:
    """All policies on a table. A policy on a column goes before that of a tag (…/tag-based-masking-policies)."""
    if table.row_access is not None:
        name = full_name(table.row_access)
        yield PolicyUse(catalog.policy(name), name, None, tuple(table.row_access_columns))
    if table.aggregation is not None:
        name = full_name(table.aggregation)
        yield PolicyUse(catalog.policy(name), name, None, ())
    for column in table.columns:
        if column.projection is not None:
            name = full_name(column.projection)
            yield PolicyUse(catalog.policy(name), name, column.name, ())
        if column.policy is not None:
            name = full_name(column.policy)
            arguments = tuple(column.policy_columns) or (column.name,)
            yield PolicyUse(catalog.policy(name), name, column.name, arguments)
        elif (by_tag := _by_tag(catalog, table, column)) is not None:
            yield by_tag


def _by_tag(catalog: Catalog, table: Table, column: Column) -> PolicyUse | None:
    """The tag's policy of the column's type; a tag of the table holds for all of its columns."""
    for tagged in (*column.tags, *table.tags):
        tag = full_name(tagged)
        for written in catalog.tag(tag).policies:
            name = full_name(written)
            policy = catalog.policy(name)
            if policy.arguments[0][1] == column.type.name:
                return PolicyUse(policy, name, column.name, (column.name,), tag)
    return None


def is_protected(catalog: Catalog, table: Table) -> bool:
    return any(u.policy.kind in {"MASKING", "ROW ACCESS"} for u in policy_uses(catalog, table))


def protected_query(catalog: Catalog, columns: list[Column], table: Table) -> exp.Select:
    """SELECT of all columns from `ROWS`, masked and filtered.

    :param columns: as they were at the time that is read; the policies are those of now.
    """
    uses = list(policy_uses(catalog, table))
    masks = {u.column: u for u in uses if u.policy.kind == "MASKING"}
    query = exp.Select()
    for column in columns:
        name = exp.to_identifier(column.name, quoted=True)
        own: exp.Expression = exp.column(name.copy(), table=exp.to_identifier(ROWS, quoted=True))
        if column.name in masks:
            body = _applied(masks[column.name])
            kind = exp.DataType.build(str(column.type), dialect="snowflake")
            own = exp.Cast(this=exp.paren(body, copy=False), to=kind)
        query.select(exp.alias_(own, name, quoted=True), copy=False)
    for use in uses:
        if use.policy.kind == "ROW ACCESS":
            query.where(exp.paren(_applied(use), copy=False), copy=False)
    return query


def _applied(use: PolicyUse) -> exp.Expression:
    """The policy's expression over the columns that it is set on."""
    columns = dict(zip((a for a, _ in use.policy.arguments), use.arguments, strict=True))
    tree = parse_body(use)
    for column in list(tree.find_all(exp.Column)):
        if not column.table and column.name in columns:
            of = exp.column(
                exp.to_identifier(columns[column.name], quoted=True),
                table=exp.to_identifier(ROWS, quoted=True),
            )
            column.replace(of)
    [projection] = tree.expressions
    return projection


def parse_body(use: PolicyUse) -> exp.Select:
    """SELECT body; what it reads is in the policy's schema where no other is named."""
    tree = dialect.parse_one(f"SELECT ({use.policy.body}\n)")
    fold(tree)
    assert isinstance(tree, exp.Select)
    for source in tree.find_all(exp.Table):
        if not source.db:
            source.set("db", exp.to_identifier(use.name.schema, quoted=True))
        if not source.catalog:
            source.set("catalog", exp.to_identifier(use.name.database, quoted=True))
    return tree


def constraint_of(use: PolicyUse) -> exp.Select:
    """SELECT whether a projection or an aggregation policy restricts the session."""
    tree = parse_body(use)
    for call in list(tree.find_all(exp.Anonymous)):
        match call.name.upper():
            case "PROJECTION_CONSTRAINT":
                [allow] = call.expressions
                value = allow.expression if isinstance(allow, exp.Kwarg) else allow
                call.replace(exp.Not(this=exp.paren(value.copy())))
            case "AGGREGATION_CONSTRAINT":
                call.replace(exp.true())
            case "NO_AGGREGATION_CONSTRAINT":
                call.replace(exp.false())
    return tree


def answer_roles(tree: exp.Expression, roles: set[str], role: str) -> None:
    """IS_ROLE_IN_SESSION and INVOKER_ROLE."""
    for call in list(tree.find_all(exp.Anonymous)):
        match call.name.upper():
            case "IS_ROLE_IN_SESSION":
                call.replace(exp.convert(call.expressions[0].name in roles))
            case "INVOKER_ROLE":
                call.replace(exp.Literal.string(role))


# -- POLICY_REFERENCES

_REFERENCES = [
    (name, sftypes.TEXT)
    for name in ("POLICY_DB", "POLICY_SCHEMA", "POLICY_NAME", "POLICY_KIND", "REF_DATABASE_NAME", "REF_SCHEMA_NAME", "REF_ENTITY_NAME",
                 "REF_ENTITY_DOMAIN", "REF_COLUMN_NAME", "REF_ARG_COLUMN_NAMES", "TAG_DATABASE", "TAG_SCHEMA", "TAG_NAME",
                 "POLICY_STATUS")
]  # fmt: skip


def references_on(rights: Rights, name: ObjectName, table: Table) -> Result:
    """The policies on one object that the session may see; an error where it may see none of any kind.

    docs.snowflake.com/en/sql-reference/functions/policy_references, "Usage notes".
    """
    uses = list(policy_uses(rights.catalog, table))
    seen = [u for u in uses if rights.sees_policy(u.policy, table)]
    owner = rights.holds(table, OWNERSHIP)
    if not seen and not owner and not all(rights.applies(kind) for kind in _KINDS):
        raise errors.insufficient(table.granted_as.lower(), show(name.name))
    return rows_result(_REFERENCES, [_reference(name, table, use) for use in seen])


def references_of(rights: Rights, policy: ObjectName) -> Result:
    """Where one policy is set."""
    rights.catalog.policy(policy)
    rows = [
        _reference(ObjectName(d.name, s.name, t.name), t, use)
        for d in rights.catalog.databases.values()
        for s in ([] if d.imported else d.schemas.values())
        for t in s.tables.values()
        for use in policy_uses(rights.catalog, t)
        if use.name == policy and rights.sees_policy(use.policy, t)
    ]
    return rows_result(_REFERENCES, rows)


_KINDS = ("MASKING", "ROW ACCESS", "PROJECTION", "AGGREGATION")


def _reference(name: ObjectName, table: Table, use: PolicyUse) -> tuple[str | None, ...]:
    given = use.arguments[1:] if use.policy.kind == "MASKING" else use.arguments
    listed = f"[ {', '.join(json.dumps(a) for a in given)} ]" if given else None
    tag = (None, None, None) if use.tag is None else (use.tag.database, use.tag.schema, use.tag.name)
    kind = use.policy.kind.replace(" ", "_")
    domain = "VIEW" if table.kind == "VIEW" else "TABLE"
    return (
        use.name.database, use.name.schema, use.name.name, f"{kind}_POLICY", name.database, name.schema, name.name, domain, use.column,
        listed, *tag, "ACTIVE",
    )  # fmt: skip
