"""What exists: databases, schemas, tables and their history, stages, integrations. DuckDB holds only rows.

All names here are exact ("a" and A differ in Snowflake, not in DuckDB). A table's rows are in a DuckDB table of an
opaque name, its `storage`; a change that is more than an insert goes into a new storage, and the old one stays
for time travel (see `versions`).
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.names import ObjectName, show
from sandbox.snowflake.catalog.sftypes import SfType

#: Role → privileges on one object.
Grants = dict[str, list[str]]


@dataclass
class Column:
    name: str
    type: SfType
    nullable: bool = True
    default: str | None = None
    comment: str | None = None
    policy: str | None = None  # the full name of its masking policy
    policy_columns: list[str] = field(default_factory=list)  # USING (…): what the masking policy is given
    projection: str | None = None  # the full name of its projection policy
    tags: dict[str, str] = field(default_factory=dict)  # full name → value
    expression: str = ""  # of a computed column, which is stored nowhere


@dataclass
class Version:
    """A table as it was until `until` (seconds since the epoch): the first `rows` rows of `storage`, or all of it."""

    storage: str
    rows: int | None
    until: float
    query_id: str
    columns: list[Column]
    size: int = 0  # rows in the storage then, for bounding what is kept
    tracked: bool = False  # whether the storage has row ids


@dataclass
class Table:
    name: str
    kind: str  # TABLE, VIEW
    columns: list[Column]
    created: float
    storage: str = ""  # the DuckDB table; empty for a view
    query: str = ""  # a view's SELECT
    comment: str = ""
    transient: bool = False
    external: bool = False  # over files: no time travel, every column is virtual
    materialized: bool = False  # a materialized view
    temporary_of: int | None = None  # the session that a temporary table belongs to
    retention_days: int | None = None  # None: the account's (1)
    clustering: str = ""
    primary_key: list[str] = field(default_factory=list)
    unique_keys: list[list[str]] = field(default_factory=list)
    altered: float = 0.0
    history_from: float = 0.0  # older times are beyond what was kept
    ragged: bool = False  # rows were deleted or updated in `storage`: its row numbers may move
    versions: list[Version] = field(default_factory=list)
    dynamic: bool = False  # a dynamic table, which is filled once here
    tracked_since: float | None = (
        None  # when change tracking was switched on; its storage has row ids from then on
    )
    row_access: str | None = None  # the full name of its row access policy
    row_access_columns: list[str] = field(default_factory=list)
    aggregation: str | None = None  # the full name of its aggregation policy
    tags: dict[str, str] = field(default_factory=dict)
    grants: Grants = field(default_factory=dict)

    @property
    def granted_as(self) -> str:
        """The kind by which GRANT names it."""
        if self.kind == "VIEW":
            return "MATERIALIZED VIEW" if self.materialized else "VIEW"
        return "EXTERNAL TABLE" if self.external else "DYNAMIC TABLE" if self.dynamic else "TABLE"

    @property
    def retention_seconds(self) -> float:
        return 86400.0 * (1 if self.retention_days is None else self.retention_days)

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass
class Stage:
    name: str
    url: str  # empty: an internal stage
    integration: str = ""
    comment: str = ""
    directory: bool = False
    file_format: dict[str, Any] = field(default_factory=dict)
    copy_options: dict[str, Any] = field(default_factory=dict)
    created: float = 0.0
    grants: Grants = field(default_factory=dict)


@dataclass
class FileFormat:
    name: str
    options: dict[str, Any]
    comment: str = ""
    created: float = 0.0
    grants: Grants = field(default_factory=dict)


@dataclass
class Integration:
    name: str
    enabled: bool
    allowed: list[str]
    blocked: list[str] = field(default_factory=list)
    role_arn: str = ""
    external_id: str = ""
    provider: str = "S3"  # or S3GOV, S3CHINA
    object_acl: str = ""
    comment: str = ""
    created: float = 0.0
    grants: Grants = field(default_factory=dict)


@dataclass
class Warehouse:
    name: str
    size: str = "X-Small"
    state: str = "STARTED"
    comment: str = ""
    auto_suspend: int = 600
    auto_resume: bool = True
    created: float = 0.0
    grants: Grants = field(default_factory=dict)


@dataclass
class User:
    """One that CREATE USER made; what its roles were granted is all that it may do."""

    name: str
    default_role: str = ""
    default_warehouse: str = ""
    roles: list[str] = field(default_factory=list)


@dataclass
class Policy:
    """Who sees what: an expression over the columns that it is set on."""

    name: str
    kind: str  # MASKING, ROW ACCESS, PROJECTION, AGGREGATION
    arguments: list[tuple[str, str]]  # name, Snowflake's name of the type
    body: str
    comment: str = ""
    created: float = 0.0
    grants: Grants = field(default_factory=dict)


@dataclass
class Tag:
    name: str
    policies: list[str] = field(default_factory=list)  # full names of masking policies, one for each type
    created: float = 0.0
    grants: Grants = field(default_factory=dict)


@dataclass
class Schema:
    name: str
    created: float
    comment: str = ""
    retention_days: int = 1
    tables: dict[str, Table] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    file_formats: dict[str, FileFormat] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    grants: Grants = field(default_factory=dict)
    #: Kind of object → what is granted on each that is made here from now on.
    future: dict[str, Grants] = field(default_factory=dict)


@dataclass
class Database:
    name: str
    created: float
    comment: str = ""
    retention_days: int = 1
    imported: bool = False  # made from a share: read only, without time travel
    schemas: dict[str, Schema] = field(default_factory=dict)
    grants: Grants = field(default_factory=dict)
    future: dict[str, Grants] = field(default_factory=dict)  # as a schema's; of its schemas too


@dataclass
class Catalog:
    """All objects of the account. Writers hold `lock`; readers take what they see at one moment."""

    databases: dict[str, Database] = field(default_factory=dict)
    integrations: dict[str, Integration] = field(default_factory=dict)
    warehouses: dict[str, Warehouse] = field(default_factory=dict)
    roles: list[str] = field(default_factory=lambda: ["ACCOUNTADMIN", "PUBLIC", "SYSADMIN"])
    role_members: dict[str, list[str]] = field(default_factory=dict)  # role → the roles granted to it
    users: dict[str, User] = field(default_factory=dict)
    grants: Grants = field(default_factory=dict)  # on the account
    #: session parameters set for the account (key "") and for users
    parameters: dict[str, dict[str, str]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def database(self, name: str) -> Database:
        if found := self.databases.get(name):
            return found
        raise errors.missing("Database", show(name))

    def schema(self, database: str, schema: str) -> Schema:
        if found := self.database(database).schemas.get(schema):
            return found
        raise errors.missing("Schema", f"{show(database)}.{show(schema)}")

    def find_table(self, name: ObjectName) -> Table | None:
        database = self.databases.get(name.database)
        schema = database and database.schemas.get(name.schema)
        return schema.tables.get(name.name) if schema else None

    def table(self, name: ObjectName, written: str | None = None) -> Table:
        """The table or view, or the error Snowflake gives; `written` is the name as the statement has it."""
        self.schema(name.database, name.schema)
        if found := self.find_table(name):
            return found
        raise errors.missing_object(written or str(name))

    def stage(self, name: ObjectName) -> Stage:
        self.schema(name.database, name.schema)
        if found := self.schema(name.database, name.schema).stages.get(name.name):
            return found
        raise errors.missing("Stage", str(name))

    def policy(self, name: ObjectName) -> Policy:
        if found := self.schema(name.database, name.schema).policies.get(name.name):
            return found
        raise errors.missing("Policy", str(name))

    def tag(self, name: ObjectName) -> Tag:
        if found := self.schema(name.database, name.schema).tags.get(name.name):
            return found
        raise errors.missing("Tag", str(name))

    def integration(self, name: str) -> Integration:
        if found := self.integrations.get(name):
            return found
        raise errors.missing("Integration", show(name))

    def know_role(self, name: str) -> None:
        """A role that an administrator takes is there from then on."""
        if name not in self.roles:
            self.roles.append(name)

    def user_by_login(self, login: str) -> User | None:
        """Login names have no case (docs.snowflake.com/en/sql-reference/sql/create-user, LOGIN_NAME)."""
        return next((u for u in self.users.values() if u.name.upper() == login.upper()), None)

    def tables(self) -> list[Table]:
        return [t for d in self.databases.values() for s in d.schemas.values() for t in s.tables.values()]

    def session_defaults(self, user: str = "") -> dict[str, str]:
        """The session parameters set for a user; of the account without one."""
        return self.parameters.setdefault(user, {})

    def storages(self) -> set[str]:
        """Every DuckDB table that a table or a version of one still needs."""
        tables = self.tables()
        return {t.storage for t in tables if t.storage} | {v.storage for t in tables for v in t.versions}

    def save(self, path: Path) -> None:
        with self.lock:
            state = {
                "databases": {k: asdict(v) for k, v in self.databases.items()},
                "integrations": {k: asdict(v) for k, v in self.integrations.items()},
                "warehouses": {k: asdict(v) for k, v in self.warehouses.items()},
                "roles": self.roles,
                "role_members": self.role_members,
                "users": {k: asdict(v) for k, v in self.users.items()},
                "grants": self.grants,
                "parameters": self.parameters,
            }
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(state))
        os.replace(partial, path)


def load(path: Path) -> Catalog:
    """The catalog kept by `Catalog.save`; an empty one when nothing was kept. Temporary tables are gone."""
    catalog = Catalog()
    if not path.exists():
        return catalog
    state = json.loads(path.read_text())
    catalog.databases = {k: _database(v) for k, v in state["databases"].items()}
    catalog.integrations = {k: Integration(**v) for k, v in state["integrations"].items()}
    catalog.warehouses = {k: Warehouse(**v) for k, v in state["warehouses"].items()}
    catalog.roles = state["roles"]
    catalog.role_members = state.get("role_members", {})
    catalog.users = {k: User(**v) for k, v in state.get("users", {}).items()}
    catalog.grants = state.get("grants", {})
    catalog.parameters = state.get("parameters", {})
    return catalog


def _database(state: dict[str, Any]) -> Database:
    return Database(**{**state, "schemas": {k: _schema(v) for k, v in state["schemas"].items()}})


def _schema(state: dict[str, Any]) -> Schema:
    return Schema(
        **{
            **state,
            "tables": {k: _table(v) for k, v in state["tables"].items() if v["temporary_of"] is None},
            "stages": {k: Stage(**v) for k, v in state["stages"].items()},
            "file_formats": {k: FileFormat(**v) for k, v in state["file_formats"].items()},
            "policies": {k: Policy(**v) for k, v in state.get("policies", {}).items()},
            "tags": {k: Tag(**v) for k, v in state.get("tags", {}).items()},
        }
    )


def _columns(state: list[dict[str, Any]]) -> list[Column]:
    return [Column(**{**c, "type": SfType(**c["type"])}) for c in state]


def _table(state: dict[str, Any]) -> Table:
    versions = [Version(**{**v, "columns": _columns(v["columns"])}) for v in state["versions"]]
    return Table(**{**state, "columns": _columns(state["columns"]), "versions": versions})
