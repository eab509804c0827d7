"""Who may do what: the roles of a session, and what was granted to them.

docs.snowflake.com/en/user-guide/security-access-control-overview, …/security-access-control-privileges. A user that CREATE USER
made has what its roles were granted. Any other user is an administrator: let in, with any role, and allowed everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.catalog import (
    Catalog,
    Database,
    FileFormat,
    Grants,
    Integration,
    Policy,
    Schema,
    Stage,
    Table,
    Tag,
    Warehouse,
)
from sandbox.snowflake.catalog.names import ObjectName, show
from sandbox.snowflake.catalog.session import Session

OWNERSHIP = "OWNERSHIP"
IMPORTED = "IMPORTED PRIVILEGES"
_TABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "EVOLVE SCHEMA", OWNERSHIP)
_CREATED_IN_SCHEMA = ("TABLE", "VIEW", "MATERIALIZED VIEW", "DYNAMIC TABLE", "EXTERNAL TABLE", "STAGE", "FILE FORMAT",
                      "MASKING POLICY", "ROW ACCESS POLICY", "PROJECTION POLICY", "AGGREGATION POLICY", "TAG")  # fmt: skip

#: Kind of object, as GRANT names it → the privileges on it.
PRIVILEGES: dict[str, tuple[str, ...]] = {
    "ACCOUNT": (*(f"CREATE {k}" for k in ("DATABASE", "INTEGRATION", "ROLE", "USER", "WAREHOUSE")), "MANAGE GRANTS",
                "MONITOR USAGE", "IMPORT SHARE", "APPLY MASKING POLICY", "APPLY ROW ACCESS POLICY", "APPLY PROJECTION POLICY",
                "APPLY AGGREGATION POLICY", "APPLY TAG"),
    "DATABASE": ("USAGE", "MODIFY", "MONITOR", "CREATE SCHEMA", IMPORTED, OWNERSHIP),
    "SCHEMA": ("USAGE", "MODIFY", "MONITOR", *(f"CREATE {k}" for k in _CREATED_IN_SCHEMA), OWNERSHIP),
    "TABLE": _TABLE,
    "VIEW": _TABLE,
    "MATERIALIZED VIEW": _TABLE,
    "DYNAMIC TABLE": ("SELECT", "MONITOR", "OPERATE", OWNERSHIP),
    "EXTERNAL TABLE": ("SELECT", "REFERENCES", OWNERSHIP),
    "STAGE": ("USAGE", "READ", "WRITE", OWNERSHIP),
    "FILE FORMAT": ("USAGE", OWNERSHIP),
    "INTEGRATION": ("USAGE", "USE_ANY_ROLE", OWNERSHIP),
    **{f"{k} POLICY": ("APPLY", OWNERSHIP) for k in ("MASKING", "ROW ACCESS", "PROJECTION", "AGGREGATION")},
    "TAG": ("APPLY", "READ", OWNERSHIP),
    "WAREHOUSE": ("USAGE", "OPERATE", "MODIFY", "MONITOR", "APPLYBUDGET", OWNERSHIP),
}  # fmt: skip


def kind_of(found: Any) -> str:
    """What GRANT calls an object."""
    if isinstance(found, Table):
        return found.granted_as
    if isinstance(found, Policy):
        return f"{found.kind} POLICY"
    return _KINDS[type(found)]


_KINDS = {Database: "DATABASE", Schema: "SCHEMA", Stage: "STAGE", FileFormat: "FILE FORMAT", Tag: "TAG",
          Integration: "INTEGRATION", Warehouse: "WAREHOUSE"}  # fmt: skip


def closure(catalog: Catalog, roles: list[str]) -> set[str]:
    """The roles, and all that were granted to them."""
    found: set[str] = set()
    waiting = list(roles)
    while waiting:
        role = waiting.pop()
        if role not in found:
            found.add(role)
            waiting += catalog.role_members.get(role, [])
    return found


@dataclass(frozen=True, slots=True)
class Rights:
    """What one session may do, at the moment that it is asked."""

    catalog: Catalog
    session: Session
    #: A view's query runs with the rights of the view's owner, who may read what is in it.
    owners: bool = False

    @property
    def unlimited(self) -> bool:
        return self.owners or not self.session.limited

    def roles(self) -> set[str]:
        """The primary role, the secondary ones where they are in use, what was granted to those, and PUBLIC."""
        secondary = self._own_roles() if self.session.secondary_roles else []
        return closure(self.catalog, [self.session.role, *secondary, "PUBLIC"])

    def may_take(self, role: str) -> bool:
        """Whether the session may take this role."""
        return self.unlimited or role in closure(self.catalog, [*self._own_roles(), "PUBLIC"])

    def _own_roles(self) -> list[str]:
        user = self.catalog.users.get(self.session.user)
        return user.roles if user is not None else []

    def _granted(self, grants: Grants) -> set[str]:
        return {privilege for role in self.roles() for privilege in grants.get(role, ())}

    def sees(self, found: Any, database: Database | None = None) -> bool:
        """Whether the roles have any privilege on it; without one an object is as good as missing."""
        if self.unlimited:
            return True
        if database is not None and database.imported:
            return self._imported(database)
        return bool(self._granted(found.grants)) or (isinstance(found, Database) and self._imported(found))

    def _imported(self, database: Database) -> bool:
        return IMPORTED in self._granted(database.grants)

    def holds(self, found: Any, privilege: str, database: Database | None = None) -> bool:
        if self.unlimited:
            return True
        if database is not None and database.imported:
            return self._imported(database) and privilege == "SELECT"
        return bool(self._granted(found.grants) & {privilege, OWNERSHIP})

    def owner_of(self, found: Any) -> str | None:
        """The role that has OWNERSHIP; a session without limits owns what no role does."""
        owner = next((role for role, held in found.grants.items() if OWNERSHIP in held), None)
        return owner or (self.session.role if self.unlimited else None)

    def require(
        self, found: Any, privilege: str, name: str, missing: errors.SnowflakeError, database: Database | None = None
    ) -> None:  # fmt: skip
        """Raise `missing` where nothing is granted on the object, "Insufficient privileges" where another right is.

        :param privilege: empty: any will do.
        """
        if not self.sees(found, database):
            raise missing
        if privilege and not self.holds(found, privilege, database):
            raise errors.insufficient(kind_of(found).lower(), name)

    def require_account(self, privilege: str) -> None:
        if not self.unlimited and privilege not in self._granted(self.catalog.grants):
            raise errors.insufficient("account", self.session.account)

    # -- by name

    def enter(self, database: str, schema: str | None = None) -> None:
        """At least one privilege on the database, and on the schema; what does not exist is left to whoever looks it up."""
        found = self.catalog.databases.get(database)
        if self.unlimited or found is None:
            return
        if not self.sees(found):
            raise errors.missing("Database", show(database))
        within = found.schemas.get(schema or "")
        if within is not None and not self.sees(within, found):
            raise errors.missing("Schema", f"{show(database)}.{show(within.name)}")

    def require_table(self, name: ObjectName, found: Table, privilege: str, written: str | None) -> None:
        database = self.catalog.database(name.database)
        missing = errors.missing_object(written or str(name))
        self.require(found, privilege, show(name.name), missing, database)

    def require_stage(self, name: ObjectName, privilege: str) -> Stage:
        found = self.catalog.stage(name)
        self.require(found, privilege, show(name.name), errors.missing("Stage", str(name)))
        return found

    def require_integration(self, name: str, privilege: str) -> Integration:
        found = self.catalog.integration(name)
        self.require(found, privilege, show(name), errors.missing("Integration", show(name)))
        return found

    def require_schema(self, name: ObjectName, privilege: str) -> None:
        """To make something in a schema."""
        self.enter(name.database, name.schema)
        schema = self.catalog.schema(name.database, name.schema)
        place = f"{show(name.database)}.{show(name.schema)}"
        self.require(schema, privilege, show(name.schema), errors.missing("Schema", place))

    def usable_warehouse(self, name: str | None) -> bool:
        found = self.catalog.warehouses.get(name or "")
        return self.unlimited or (found is not None and self.holds(found, "USAGE"))

    def may_monitor(self, warehouse: str | None) -> bool:
        """MONITOR shows the queries of others on a warehouse."""
        found = self.catalog.warehouses.get(warehouse or "")
        return self.unlimited or (found is not None and self.holds(found, "MONITOR"))

    def require_warehouse(self) -> None:
        """Reading and writing tables needs a warehouse that the role may use."""
        if not self.usable_warehouse(self.session.warehouse):
            raise errors.no_warehouse()

    def sees_policy(self, policy: Policy, on: Table) -> bool:
        """Who owns the object or the policy, may apply the policy, or all of its kind, sees where it is set."""
        if self.holds(on, OWNERSHIP) or self.holds(policy, "APPLY"):
            return True
        return self.applies(policy.kind)

    def applies(self, kind: str) -> bool:
        return self.unlimited or f"APPLY {kind} POLICY" in self._granted(self.catalog.grants)

    # -- new objects

    def settle(self, made: Any, database: str = "", schema: str = "") -> None:
        """The grants of a new object: its maker's ownership, and what was granted on future objects.

        Grants on the future objects of a schema go before those of its database
        (docs.snowflake.com/en/sql-reference/sql/grant-privilege, "Future grants on database or schema objects").
        """
        if not self.unlimited:
            add(made.grants, self.session.role, [OWNERSHIP])
        if not database:
            return
        kind, holder = kind_of(made), self.catalog.databases[database]
        within = holder.schemas[schema].future.get(kind) if schema else None
        for role, privileges in (within or holder.future.get(kind, {})).items():
            add(made.grants, role, privileges)


def add(grants: Grants, role: str, privileges: list[str]) -> None:
    grants[role] = sorted({*grants.get(role, []), *privileges})


def remove(grants: Grants, role: str, privileges: list[str]) -> None:
    left = [p for p in grants.get(role, []) if p not in privileges]
    if left:
        grants[role] = left
    else:
        grants.pop(role, None)


def grantables(catalog: Catalog) -> Iterator[tuple[str, str, Grants]]:
    """Kind, name and grants of everything that has grants."""
    yield "ACCOUNT", "SANDBOX", catalog.grants
    for warehouse in catalog.warehouses.values():
        yield "WAREHOUSE", show(warehouse.name), warehouse.grants
    for integration in catalog.integrations.values():
        yield "INTEGRATION", show(integration.name), integration.grants
    for database in catalog.databases.values():
        yield "DATABASE", show(database.name), database.grants
        for schema in [] if database.imported else database.schemas.values():
            place = f"{show(database.name)}.{show(schema.name)}"
            yield "SCHEMA", place, schema.grants
            held = (schema.tables, schema.stages, schema.file_formats, schema.policies, schema.tags)
            for found in (one for objects in held for one in objects.values()):
                yield kind_of(found), f"{place}.{show(found.name)}", found.grants
