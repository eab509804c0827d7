"""The ledger is looked at before it is used: by version, shape, owner, and what acts on it. Earlier versions are brought up to this one."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from psycopg import conninfo

from snowmelt.drivers.postgres import TASK, open_session
from snowmelt.errors import ConfigurationError
from snowmelt.ledger.condition import read_columns
from snowmelt.ledger.runs import CREATE_MIGRATION, WRITE_MIGRATION, write_ledger
from snowmelt.ledger.tables import MIGRATIONS

COLUMNS = """
SELECT c.relname, array_agg(a.attname::text) FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'snowmelt'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1
"""


@pytest.fixture
def loader(database):
    with open_session(lambda: psycopg.connect(database), TASK, "Opening") as connection:
        yield connection


@pytest.fixture
def admin(sandbox, database):
    name = str(conninfo.conninfo_to_dict(database)["dbname"])
    with psycopg.connect(sandbox.superuser_dsn(name), autocommit=True) as connection:
        yield connection


@pytest.fixture
def other(admin, database):
    """A role that may create objects in the database, and nothing else."""
    role = f"other_{uuid.uuid4().hex[:8]}"
    admin.execute(f"CREATE ROLE {role}")
    admin.execute(f"GRANT CREATE ON DATABASE {conninfo.conninfo_to_dict(database)['dbname']} TO {role}")
    yield role
    admin.execute(f"DROP OWNED BY {role} CASCADE")
    admin.execute(f"DROP ROLE {role}")


def refused(connection):
    with pytest.raises(ConfigurationError, match="The ledger") as raised:
        write_ledger(connection)
    return str(raised.value)


def write_version(connection, version):
    connection.execute("CREATE SCHEMA snowmelt")
    connection.execute(CREATE_MIGRATION)
    for number, sql in enumerate(MIGRATIONS[:version], start=1):
        connection.execute(sql)
        connection.execute(WRITE_MIGRATION, (number,))


def shape(connection):
    return {table: frozenset(columns) for table, columns in connection.execute(COLUMNS)}


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_each_earlier_version_is_brought_up_to_this_one(loader, version):
    write_version(loader, version)
    write_ledger(loader)
    write_ledger(loader)
    assert shape(loader) == read_columns(MIGRATIONS) | {"migration": {"number", "applied_at"}}


def test_rows_of_the_first_version_are_kept(loader):
    write_version(loader, 1)
    loader.execute(
        "INSERT INTO snowmelt.run (run_id, mode, source, target, request, fingerprint, plan, source_rows) "
        "VALUES ('r', 'full', 'A.B.T', 'public.t', '{}', 'f', '{}', 1)"
    )
    loader.execute(
        "INSERT INTO snowmelt.deferred_index VALUES ('public', 't', 'i', ARRAY['CREATE INDEX i ON public.t (v)'], 'r')"
    )
    write_ledger(loader)
    assert loader.execute("SELECT run_id, outcome FROM snowmelt.run").fetchall() == [("r", "running")]
    assert loader.execute("SELECT statements FROM snowmelt.deferred_index").fetchone() == (
        ["CREATE INDEX i ON public.t (v)"],
    )


def test_a_later_version_is_refused(loader):
    write_ledger(loader)
    loader.execute(WRITE_MIGRATION, (len(MIGRATIONS) + 1,))
    assert "Upgrade Snowmelt here too" in refused(loader)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE snowmelt.loaded_file DROP COLUMN etag", "snowmelt.loaded_file lacks etag"),
        ("DROP TABLE snowmelt.watermark", "snowmelt.watermark is missing"),
        (
            'CREATE TRIGGER "a b" BEFORE UPDATE ON snowmelt.run FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
            'DROP TRIGGER "a b" ON snowmelt.run',
        ),
        ("CREATE RULE r AS ON INSERT TO snowmelt.loaded_file DO INSTEAD NOTHING", "has the rule r"),
        ("ALTER TABLE snowmelt.run ENABLE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY"),
        (
            "CREATE TABLE public.child () INHERITS (snowmelt.watermark)",
            "public.child inherits from snowmelt.watermark",
        ),
        ("ALTER TABLE snowmelt.watermark SET UNLOGGED", "snowmelt.watermark is not a plain table"),
    ],
)
def test_what_somebody_changed_is_named_with_what_to_do(loader, admin, change, told):
    write_ledger(loader)
    admin.execute(change)
    assert told in refused(loader)


def test_a_schema_of_somebody_else_is_not_filled(loader, admin, other, database):
    admin.execute(f"CREATE SCHEMA snowmelt AUTHORIZATION {other}")
    admin.execute("GRANT ALL ON SCHEMA snowmelt TO PUBLIC")
    assert f"the schema belongs to the role {other}" in refused(loader)


def test_a_table_that_somebody_planted_is_not_used(loader, admin, other):
    write_version(loader, 1)
    admin.execute("CREATE TABLE snowmelt.submitted_query (run_id text)")
    admin.execute(f"ALTER TABLE snowmelt.submitted_query OWNER TO {other}")
    assert f"snowmelt.submitted_query belongs to the role {other}" in refused(loader)


def test_an_administrator_may_own_it(loader, admin, database):
    role = conninfo.conninfo_to_dict(database)["user"]
    write_ledger(loader)
    for table in (*read_columns(MIGRATIONS), "migration"):
        admin.execute(f"ALTER TABLE snowmelt.{table} OWNER TO CURRENT_USER")
    admin.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA snowmelt TO {role}")
    write_ledger(loader)
