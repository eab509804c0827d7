"""A database of its own for the publish's tests: an owner without superuser rights, a reader, a schema with a hostile name.

`SNOWMELT_TEST_POSTGRES` (a superuser's connection string) points the tests to a server of another version.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from snowmelt.drivers.postgres import TASK, open_session
from snowmelt.publish.index_build import build_indexes
from snowmelt.publish.request import LockPatience, PublishRequest
from snowmelt.publish.staging import create_staging
from snowmelt.publish.staging_table import staging_name
from snowmelt.publish.transaction import publish
from snowmelt.types.columns import Column
from snowmelt.types.type_table import Form
from snowmelt.vocabulary import PublishMethod
from tests.waiting import wait_until

SCHEMA = 'Wei"rd. schéma'
QUICK = LockPatience(lock_timeout=0.3, give_up_after=20, first_pause=0.05, longest_pause=0.2)


def column(target, target_type="integer", **rest):
    values = {"nullable": True, "primary_key": None, "comment": None, "checked": False} | rest
    source = target.upper()
    bare = f'"{source}"'
    return Column(source, "NUMBER(9,0)", Form.INTEGER, bare, bare, target, target_type, **values)


ID = column("id")
ID_NAME = (ID, column("name", "text"))


def quote(*names):
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


@dataclass
class World:
    dsn: str
    schema: str
    connections: list = field(default_factory=list)

    def connect(self, role="app", *, autocommit=True):
        """A session as the product opens it."""
        connection = open_session(
            lambda: psycopg.connect(make_conninfo(self.dsn, user=f"snowmelt_{role}")), TASK, "Opening"
        )
        connection.autocommit = autocommit
        self.connections.append(connection)
        return connection

    def person(self, **rest):
        """A session of somebody else's, who reads."""
        connection = psycopg.connect(
            make_conninfo(self.dsn, user="snowmelt_reader"), **{"autocommit": True} | rest
        )
        self.connections.append(connection)
        return connection

    def name(self, *names):
        return quote(self.schema, *names)

    def rows(self, sql, connection=None):
        return (connection or self.connections[0]).execute(sql).fetchall()

    def wait_for_a_lock_wait(self, table):
        """Until a session waits for a lock on the table."""
        waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
        with self.connect() as looking:
            wait_until(lambda: looking.execute(waiting, (self.name(table),)).fetchall(), "a wait for a lock")

    def request(self, table, run_id="run1", method=PublishMethod.SWAP, **rest):
        values = {
            "schema": self.schema,
            "table": table,
            "staging": staging_name(table, run_id),
            "run_id": run_id,
            "method": method,
            "patience": QUICK,
            "snapshot_wait": 20.0,
            "columns": ("id", "name"),
        } | rest
        return PublishRequest(**values)

    def stage(self, connection, request, insert, columns=ID_NAME, **rest):
        """Create the staging table, fill it by `insert` (an INSERT's text behind the table's name), build what is to be built."""
        common = {
            "schema": self.schema,
            "table": request.table,
            "staging": request.staging,
            "run_id": request.run_id,
        }
        create_staging(
            connection, **common, method=request.method, columns=columns, added=request.added_columns, **rest
        )
        connection.execute(f"INSERT INTO {self.name(request.staging)} {insert}")
        key = tuple(item.target for item in columns if item.primary_key)
        added = tuple(item.target for item in request.added_columns)
        return build_indexes(connection, **common, primary_key=key, added=added, patience=QUICK)

    def publish(self, connection, request, before_commit=None, already_published=None):
        return publish(
            connection,
            request,
            before_commit=before_commit or (lambda cursor, result: None),
            already_published=already_published,
        )

    def run(
        self, connection, table, insert, run_id="run1", method=PublishMethod.SWAP, columns=ID_NAME, **rest
    ):
        request = self.request(
            table, run_id, method, **{"columns": tuple(item.target for item in columns)} | rest
        )
        self.stage(connection, request, insert, columns)
        return self.publish(connection, request)


def role_password(dsn):
    """The same for every session on one server, and no one else's: the sandbox makes its superuser's password on the spot."""
    password = conninfo_to_dict(dsn).get("password", "")
    return hashlib.sha256(f"publish tests {password}".encode()).hexdigest()


@pytest.fixture(scope="session")
def target_superuser_dsn(request):
    own = os.environ.get("SNOWMELT_TEST_POSTGRES") or request.getfixturevalue("postgres_dsn")
    name = f"publish_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(own, autocommit=True) as connection:
        for role in ("app", "reader", "group"):
            connection.execute(
                f"DO $$BEGIN CREATE ROLE snowmelt_{role}; EXCEPTION WHEN duplicate_object THEN NULL; END$$"
            )
            connection.execute(f"ALTER ROLE snowmelt_{role} LOGIN PASSWORD '{role_password(own)}'")
        connection.execute("GRANT snowmelt_group TO snowmelt_app")
        connection.execute(f"CREATE DATABASE {name} OWNER snowmelt_app")
        yield make_conninfo(own, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def target_dsn(target_superuser_dsn):
    return make_conninfo(target_superuser_dsn, password=role_password(target_superuser_dsn))


@pytest.fixture
def world(target_dsn):
    world = World(target_dsn, SCHEMA)
    connection = world.connect()
    connection.execute(f"DROP SCHEMA IF EXISTS {quote(SCHEMA)} CASCADE; CREATE SCHEMA {quote(SCHEMA)}")
    connection.execute(f"GRANT USAGE ON SCHEMA {quote(SCHEMA)} TO snowmelt_reader")
    connection.execute(f"GRANT USAGE, CREATE ON SCHEMA {quote(SCHEMA)} TO snowmelt_group")
    yield world
    for connection in world.connections:
        connection.close()


@pytest.fixture
def superuser(target_superuser_dsn):
    with psycopg.connect(target_superuser_dsn, autocommit=True) as connection:
        yield connection


def plain_table(world, connection, table="fact", rows=1000):
    connection.execute(f"CREATE TABLE {world.name(table)} (id integer PRIMARY KEY, name text)")
    connection.execute(f"INSERT INTO {world.name(table)} SELECT g, 'old' FROM generate_series(1, {rows}) g")
    connection.execute(f"GRANT SELECT ON {world.name(table)} TO snowmelt_reader")
