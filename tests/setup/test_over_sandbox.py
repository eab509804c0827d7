"""The files, run where they belong, and then a whole run under exactly the rights that they gave."""

from __future__ import annotations

import json
import re
import uuid
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from sandbox.s3.access import parse_target, required_actions
from sandbox.s3.users import POLICIES
from snowmelt.airflow.doctor import Doctor, run_check
from snowmelt.config.file import parse_config
from snowmelt.doctor.findings import CHECKS, Status
from snowmelt.drivers.snowflake import SESSION_PARAMETERS
from snowmelt.errors import SnowmeltError
from snowmelt.setup.facts import SetupFacts
from snowmelt.setup.files import build_setup
from snowmelt.steps import register
from snowmelt.unload.staged import read_manifest
from tests.steps.runs import World

TABLES = {
    "NEW_ONE": {"source": "NEW_ONE"},
    "CUT": {"source": "CUT", "publish": "truncate"},
    "MORE": {"source": "MORE", "publish": "append"},
    "MERGED": {"source": "MERGED", "uniqueness_columns": ["ID"], "watermark_column": "AT"},
    "DELETED": {
        "source": "DELETED",
        "uniqueness_columns": ["ID"],
        "watermark_column": "AT",
        "deletes": "hard",
        "max_delete_percent": 100,
    },
    "OWNED": {"source": "OWNED"},
    "BY_SERVER": {"source": "BY_SERVER", "file_format": "csv", "load_method": "aws_s3", "compression": None},
}


@pytest.fixture(scope="module")
def snowflake(sandbox):
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    connection = SnowflakeHook(
        snowflake_conn_id="snowflake_default", session_parameters=dict(SESSION_PARAMETERS)
    ).get_conn()
    yield connection
    connection.close()


class Made:
    """The set-up, run."""

    def __init__(
        self, world: World, role: str, admin: str, files: dict[str, str], described: list[tuple]
    ) -> None:
        self.world, self.role, self.admin = world, role, admin
        self.files, self.described = files, described
        self.requests: list[tuple[str, str]] = []
        #: The configuration, with all tables.
        self.text = ""
        #: Whom the file made.
        self.facts = SetupFacts()


def as_user(sandbox, facts: SetupFacts) -> str:
    """Airflow's connection of the user that the file made; it has no password here."""
    connection = json.loads(sandbox.env["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    extra = connection["extra"] | {"role": f'"{facts.snowflake_role}"'}
    return json.dumps(connection | {"login": facts.snowflake_user, "extra": extra})


def open_as_user(sandbox, facts: SetupFacts):
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", as_user(sandbox, facts))
        return SnowflakeHook("snowflake_default", session_parameters=dict(SESSION_PARAMETERS)).get_conn()


@pytest.fixture(scope="module")
def made(sandbox, snowflake):
    unique = uuid.uuid4().hex[:8]
    schema, role, admin = f"S{unique.upper()}", f"snowmelt_{unique}", f"admin_{unique}"
    stage = {
        "storage_integration": f"INT_{unique}",
        "stage_database": f"UTIL_{unique}",
        "stage_schema": "STAGING",
        "stage_name": "SNOWMELT_STAGE",
    }
    text = json.dumps(
        {
            "s3_staging": {"bucket": sandbox.bucket, "prefix_pattern": "in/{source_schema}/{source_table}/"},
            "snowflake_unload": stage,
            "sources": [
                {
                    "source_name": "t",
                    "source_database": "TESTS",
                    "source_schema": schema,
                    "target_schema": "mart",
                    "schedule": None,
                    "tables": list(TABLES.values()),
                }
            ],
        }
    )

    class ConfiguredWorld(World):
        """Each of the tables as the one configuration has it."""

        def config(self, table, **staging):
            document = json.loads(text)
            document["sources"][0]["tables"] = [table]
            return json.dumps(document)

        def sql(self, *statements):
            """By the administrator: what a test prepares."""
            with snowflake.cursor() as cursor:
                return [cursor.execute(statement).fetchall() for statement in statements][-1]

    config = parse_config(text, {})
    assert not config.broken, config.broken
    facts = SetupFacts(
        aws_account="123456789012",
        postgres_role=role,
        snowflake_role=f"ROLE_{unique}",
        snowflake_user=f"USER_{unique}",
    )
    files = build_setup(config, facts, command="")
    with snowflake.cursor() as cursor:
        for statement in ("CREATE DATABASE IF NOT EXISTS TESTS", f"CREATE SCHEMA TESTS.{schema}"):
            cursor.execute(statement)
        for table in TABLES:
            cursor.execute(
                f"CREATE TABLE TESTS.{schema}.{table} (ID NUMBER(9,0) NOT NULL PRIMARY KEY, AT TIMESTAMP_NTZ, NAME VARCHAR)"
            )
            cursor.execute(
                f"INSERT INTO TESTS.{schema}.{table} VALUES (1, '2026-01-01 00:00:00', 'one'), (2, '2026-01-02 00:00:00', 'two')"
            )
    # Snowflake: by the connector's own splitting into statements, twice.
    for _ in range(2):
        described = [cursor.fetchall() for cursor in snowflake.execute_string(files["snowflake.sql"])][-1]
    # PostgreSQL: by an administrator who owns the database and is no superuser, twice; RDS's master user is of that kind.
    password, name = uuid.uuid4().hex, f"setup_{unique}"
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(
                sql.Identifier(admin), sql.Literal(password)
            )
        )
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(admin))
        )
    as_admin = psycopg.conninfo.make_conninfo(sandbox.superuser_dsn(name), user=admin, password=password)
    with psycopg.connect(as_admin, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA mart")
        for table in ("cut", "more", "merged", "deleted", "owned"):
            connection.execute(
                f"CREATE TABLE mart.{table} (id integer PRIMARY KEY, at timestamp, name varchar)"
            )
        for _ in range(2):
            connection.execute(files["postgres.sql"])
        swapped = [
            line.removeprefix("-- ")
            for line in files["postgres.sql"].splitlines()
            if '"owned"' in line or "TO CURRENT_USER" in line
        ]
        assert len(swapped) == 2
        for line in swapped:
            connection.execute(line)
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        )
    with psycopg.connect(sandbox.superuser_dsn(name), autocommit=True) as connection:
        connection.execute(files["rds-aws_s3.sql"])
    dsn = psycopg.conninfo.make_conninfo(as_admin, user=role)
    client = sandbox.s3("POLICY_READER")
    world = ConfiguredWorld(snowflake, client, dsn, sandbox.bucket, schema)
    result = Made(world, role, admin, files, described)
    result.text = text
    # From here on Snowflake is what the user that the file made sees of it.
    result.facts, world.snowflake = facts, open_as_user(sandbox, facts)
    client.meta.events.register(
        "before-send.s3", lambda request, **_: result.requests.append((request.method, request.url))
    )
    yield result
    world.snowflake.close()
    with snowflake.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA TESTS.{schema}")
    sandbox.drop_database(name)
    with psycopg.connect(sandbox.superuser_dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE {}, {}").format(sql.Identifier(role), sql.Identifier(admin)))


def test_snowflake_shows_what_the_trust_policy_needs(made):
    shown = {row[0]: row[2] for row in made.described}
    facts = SetupFacts(
        iam_user_arn=shown["STORAGE_AWS_IAM_USER_ARN"], external_id=shown["STORAGE_AWS_EXTERNAL_ID"]
    )
    assert facts.iam_user_arn == "arn:aws:iam::000000000000:user/sandbox-snowflake"
    assert shown["STORAGE_AWS_ROLE_ARN"] == "arn:aws:iam::123456789012:role/snowmelt-snowflake"


def test_the_integration_validates_as_the_steps_say(made):
    statement = made.files["STEPS.md"].split("```sql\n")[1].split("```")[0].strip().rstrip(";")
    ((answer,),) = made.world.sql(statement)
    assert json.loads(answer)["status"] == "success"


def test_the_doctor_finds_nothing_wrong_under_these_rights(made, sandbox, monkeypatch):
    info = psycopg.conninfo.conninfo_to_dict(made.world.dsn)
    changes = {
        "POSTGRES_DEFAULT": {
            "login": info["user"],
            "password": info["password"],
            "schema": info["dbname"],
        },
        "AWS_DEFAULT": {
            "login": sandbox.env["SNOWMELT_SANDBOX_POLICY_READER_ACCESS_KEY_ID"],
            "password": sandbox.env["SNOWMELT_SANDBOX_POLICY_READER_SECRET_ACCESS_KEY"],
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", as_user(sandbox, made.facts))
    for name, values in changes.items():
        variable = f"AIRFLOW_CONN_{name}"
        monkeypatch.setenv(variable, json.dumps(json.loads(sandbox.env[variable]) | values))
    config = parse_config(made.text, {})
    findings = []
    for name in CHECKS:
        for table in config.tables if name == "table" else [None]:
            findings += run_check(name, Doctor(config, table))
    assert [one.to_text() for one in findings if one.status is Status.WRONG] == []
    assert {one.check for one in findings} >= {"Snowflake session", "Stage", "Unload"}


def test_a_hundred_rows_go_through_every_step_and_touch_no_target(made):
    result = made.world.run(TABLES["OWNED"], mode="test", row_limit=100)
    assert made.world.query("SELECT count(*) FROM mart.owned") == [(0,)]
    assert made.world.query("SELECT outcome, staged_rows FROM snowmelt.run WHERE mode = 'test'") == [
        ("tested", 2)
    ], result


@pytest.mark.parametrize("table", TABLES)
def test_every_publish_method_works_under_the_rights_that_the_files_gave(made, table):
    result = made.world.run(TABLES[table])
    assert result["published"]
    name = table.lower()
    assert made.world.query(f"SELECT id, name FROM mart.{name} ORDER BY id") == [(1, "one"), (2, "two")]
    ((role, superuser, methods),) = made.world.query(
        "SELECT current_user, rolsuper, (SELECT array_agg(DISTINCT load_method) FROM snowmelt.loaded_file WHERE s3_key LIKE '%/"
        f"{table}/%') FROM pg_roles WHERE rolname = current_user"
    )
    assert (role, superuser) == (made.role, False)
    assert methods == ["aws_s3" if table == "BY_SERVER" else "copy"]
    # The stage is limited to `in/`, as the policies are, and the folder does not come twice.
    keys = made.world.query(f"SELECT s3_key FROM snowmelt.loaded_file WHERE s3_key LIKE '%/{table}/%'")
    assert all(key.startswith(f"in/{made.world.schema}/{table}/") for (key,) in keys)


def test_rows_that_the_source_no_longer_has_are_removed_under_these_rights(made):
    made.world.sql(f"DELETE FROM TESTS.{made.world.schema}.DELETED WHERE ID = 1")
    made.world.run(TABLES["DELETED"])
    assert made.world.query("SELECT id FROM mart.deleted") == [(2,)]


def test_an_unload_alone_and_a_load_of_its_files(made):
    world, table = made.world, TABLES["OWNED"]
    plan = world.plan(table, mode="unload", run="apart")
    with world.target() as connection:
        register.register_files(
            connection, plan, world.unload(plan), s3=lambda: world.s3, snowflake=world.session
        )
    load = world.plan(table, mode="load", run_id="apart")
    manifest = read_manifest(world.s3, load.location.bucket, load.location.key(load.manifest_path))
    assert world.finish(load, list(manifest.chunks))["published"]
    assert world.query("SELECT count(*) FROM mart.owned") == [(2,)]


ON_ROWS = {
    "CUT": ("SELECT", "INSERT", "DELETE"),
    "MORE": ("SELECT", "INSERT"),
    "MERGED": ("SELECT", "INSERT", "UPDATE"),
    "DELETED": ("SELECT", "INSERT", "UPDATE", "DELETE"),
}
#: Table, what takes one right away, and the statement that the error names. `{role}` and `{admin}` are filled in.
TAKEN_AWAY = [
    *(
        (table, f"REVOKE {right} ON mart.{table} FROM {{role}}", f'GRANT {right} ON TABLE "mart"."{table.lower()}" TO "{{role}}"')
        for table, rights in ON_ROWS.items()
        for right in rights
    ),
    ("OWNED", "ALTER TABLE mart.owned OWNER TO {admin}", 'ALTER TABLE "mart"."owned" OWNER TO "{role}"'),
    ("NEW_ONE", "REVOKE CREATE ON SCHEMA mart FROM {role}", 'GRANT CREATE ON SCHEMA "mart" TO "{role}"'),
    ("NEW_ONE", "REVOKE USAGE ON SCHEMA mart FROM {role}", 'GRANT USAGE ON SCHEMA "mart" TO "{role}"'),
    ("NEW_ONE", "REVOKE USAGE ON SCHEMA snowmelt FROM {role}", 'GRANT USAGE ON SCHEMA "snowmelt" TO "{role}"'),
    ("BY_SERVER", "REVOKE USAGE ON SCHEMA aws_s3 FROM {role}", 'GRANT USAGE ON SCHEMA aws_s3, aws_commons TO "{role}"'),
]  # fmt: skip


@pytest.mark.parametrize(("table", "take", "give"), TAKEN_AWAY)
def test_without_one_right_planning_stops_and_names_the_statement_that_gives_it_back(
    made, sandbox, table, take, give
):
    """In PostgreSQL, where rights are real: the Snowflake stand-in does not enforce grants."""
    take, give = (text.format(role=made.role, admin=made.admin) for text in (take, give))
    name = psycopg.conninfo.conninfo_to_dict(made.world.dsn)["dbname"]
    with psycopg.connect(sandbox.superuser_dsn(name), autocommit=True) as connection:
        connection.execute(take)
        try:
            with pytest.raises(SnowmeltError) as refused:
                made.world.plan(TABLES[table])
        finally:
            connection.execute(give)
    assert give in str(refused.value)
    others = {other.format(role=made.role, admin=made.admin) for _, _, other in TAKEN_AWAY} - {give}
    assert [other for other in others if other in str(refused.value)] == []
    made.world.plan(TABLES[table])


def granted(made: Made, table: str) -> list[str]:
    """The file's grants to the role, without those on other tables: `SELECT ON TABLE …`."""
    found = [
        line.removeprefix("GRANT ").partition(" TO ROLE ")[0]
        for line in made.files["snowflake.sql"].splitlines()
        if line.startswith("GRANT ") and " TO ROLE " in line
    ]
    return [grant for grant in found if " ON TABLE " not in grant or grant.endswith(f'."{table}"')]


def test_each_grant_of_the_snowflake_file_is_needed(made):
    grants = granted(made, "OWNED")
    # Databases and schemas of source and stage, warehouse, stage, table.
    assert len(grants) == 7
    role = f'"{made.facts.snowflake_role}"'
    for grant in grants:
        *_, name = re.findall(r'"([^"]+)"', grant)
        # Of a warehouse, Snowflake says that none is active.
        expected = "No active warehouse" if " ON WAREHOUSE " in grant else name
        made.world.sql(f"REVOKE {grant} FROM ROLE {role}")
        try:
            with pytest.raises(Exception, match=expected):
                made.world.run(TABLES["OWNED"])
        finally:
            made.world.sql(f"GRANT {grant} TO ROLE {role}")
    assert made.world.run(TABLES["OWNED"])["published"]


def allows(policy: dict, action: str, bucket: str, key: str, prefix: str) -> bool:
    """Whether the policy lets this action pass, by IAM's rules as far as these policies use them."""
    resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
    for statement in policy["Statement"]:
        patterns = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", ["*"])
        if (
            action in statement["Action"]
            and any(fnmatchcase(resource, wanted) for wanted in statement["Resource"])
            and any(fnmatchcase(prefix, pattern) for pattern in patterns)
        ):
            return True
    return False


def test_python_made_no_request_that_the_read_policy_does_not_allow(made):
    made.world.run({"source": "OWNED", "mode": "full"})
    policy = json.loads(made.files["iam-read-policy.json"])
    used = set()
    for method, url in made.requests:
        parts = urlsplit(url)
        target = parse_target(f"{parts.path}?{parts.query}")
        for action in required_actions(method, target, None):
            assert allows(policy, action, target.bucket, target.key, target.query.get("prefix", "")), url
            used.add(action)
    granted = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert used == granted == set(POLICIES["policy-reader"])
    assert not allows(policy, "s3:GetObject", made.world.bucket, "elsewhere/x", "")
