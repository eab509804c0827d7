"""Roles, users and grants as Snowflake documents them: each test names its page, below docs.snowflake.com/en."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import snowflake.connector

from tests.sandbox.snowflake_server import Client, Server, free_port, start, stop, wait_for


class Limited:
    """A user with one role of its own, and the administrator's session."""

    def __init__(self, client: Client) -> None:
        unique = uuid.uuid4().hex[:8].upper()
        self.admin, self.role, self.user, self.warehouse = (
            client,
            f"R_{unique}",
            f"U_{unique}",
            f"W_{unique}",
        )
        self.admin_runs(
            f"CREATE ROLE {self.role}",
            f"CREATE WAREHOUSE {self.warehouse}",
            f"GRANT USAGE ON WAREHOUSE {self.warehouse} TO ROLE {self.role}",
            f"CREATE USER {self.user} DEFAULT_ROLE = {self.role} DEFAULT_WAREHOUSE = {self.warehouse}",
            f"GRANT ROLE {self.role} TO USER {self.user}",
        )

    @property
    def schema(self) -> str:
        return f"{self.admin.database}.S"

    def admin_runs(self, *statements: str) -> None:
        for statement in statements:
            self.admin.rows(statement)

    def grant(self, *grants: str) -> None:
        self.admin_runs(*(f"GRANT {grant} TO ROLE {self.role}" for grant in grants))

    def revoke(self, *grants: str) -> None:
        self.admin_runs(*(f"REVOKE {grant} FROM ROLE {self.role}" for grant in grants))

    def into_schema(self) -> None:
        self.grant(f"USAGE ON DATABASE {self.admin.database}", f"USAGE ON SCHEMA {self.schema}")

    def session(self) -> Client:
        return self.admin.again(user=self.user, role=None, warehouse=None)


@pytest.fixture
def limited(client) -> Iterator[Limited]:
    made = Limited(client)
    yield made
    made.admin_runs(
        f"DROP USER {made.user}", f"DROP ROLE {made.role}", f"DROP WAREHOUSE IF EXISTS {made.warehouse}"
    )


def facts(error: snowflake.connector.errors.DatabaseError) -> tuple[int | None, str | None]:
    return error.errno, error.sqlstate


def test_reading_a_table_takes_a_right_on_database_schema_table_and_warehouse(limited):
    """user-guide/security-access-control-privileges: what is missing looks as if it were not there."""
    limited.admin_runs("CREATE TABLE T AS SELECT 1 N")
    session = limited.session()
    database = limited.admin.database
    select = f"SELECT N FROM {limited.schema}.T"
    for grant, error, text in (
        (f"USAGE ON DATABASE {database}", (2003, "02000"), f"Database '{database}' does not exist or not authorized."),
        (f"USAGE ON SCHEMA {limited.schema}", (2003, "02000"), f"Schema '{limited.schema}' does not exist or not authorized."),
        (f"INSERT ON TABLE {limited.schema}.T", (2003, "42S02"), f"Object '{limited.schema}.T' does not exist or not authorized."),
        (f"SELECT ON TABLE {limited.schema}.T", (3001, "42501"), "Insufficient privileges to operate on table 'T'."),
    ):  # fmt: skip
        refused = session.refused(select)
        assert facts(refused) == error
        assert text in refused.msg
        limited.grant(grant)
    assert session.one(select) == 1
    assert limited.admin.one(select) == 1
    limited.revoke(f"USAGE ON WAREHOUSE {limited.warehouse}")
    refused = session.refused(select)
    assert facts(refused) == (606, "57P03")
    assert "No active warehouse selected in the current session." in refused.msg


def test_listings_show_what_the_role_has_a_right_on(limited):
    """sql-reference/sql/show-tables, sql-reference/info-schema: only objects with access privileges."""
    limited.admin_runs("CREATE TABLE SEEN (N NUMBER)", "CREATE TABLE HIDDEN (N NUMBER)")
    limited.into_schema()
    limited.grant(f"SELECT ON TABLE {limited.schema}.SEEN")
    session = limited.session()
    assert [row[1] for row in session.rows(f"SHOW TABLES IN SCHEMA {limited.schema}")] == ["SEEN"]
    names = (
        f"SELECT TABLE_NAME FROM {limited.admin.database}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'S'"
    )
    assert session.rows(names) == [("SEEN",)]
    assert {row[0] for row in limited.admin.rows(names)} == {"SEEN", "HIDDEN"}
    assert [row[0] for row in session.rows("SHOW WAREHOUSES")] == [limited.warehouse]
    assert facts(session.refused(f"DESCRIBE TABLE {limited.schema}.HIDDEN")) == (2003, "42S02")


def test_writing_takes_the_privilege_of_the_statement(limited):
    """sql-reference/sql/grant-privilege, the privileges of tables."""
    limited.admin_runs("CREATE TABLE T AS SELECT 1 N")
    limited.into_schema()
    limited.grant(f"SELECT ON TABLE {limited.schema}.T")
    session, table = limited.session(), f"{limited.schema}.T"
    for privilege, statement in (
        ("INSERT", f"INSERT INTO {table} VALUES (2)"),
        ("UPDATE", f"UPDATE {table} SET N = 3 WHERE N = 2"),
        ("DELETE", f"DELETE FROM {table} WHERE N = 3"),
        ("TRUNCATE", f"TRUNCATE TABLE {table}"),
        ("OWNERSHIP", f"ALTER TABLE {table} ADD COLUMN M NUMBER"),
    ):
        assert facts(session.refused(statement)) == (3001, "42501")
        limited.grant(f"{privilege} ON TABLE {table}")
        session.rows(statement)
    refused = session.refused(f"CREATE TABLE {limited.schema}.MINE (N NUMBER)")
    assert "Insufficient privileges to operate on schema 'S'." in refused.msg
    limited.grant(f"CREATE TABLE ON SCHEMA {limited.schema}")
    session.rows(f"CREATE TABLE {limited.schema}.MINE AS SELECT 5 N")
    assert session.one(f"SELECT N FROM {limited.schema}.MINE") == 5
    assert facts(session.refused("CREATE ROLE ANOTHER")) == (3001, "42501")


def test_a_view_is_read_with_the_rights_of_its_owner(limited):
    """user-guide/views-introduction: the reader needs no right on what the view reads."""
    limited.admin_runs("CREATE TABLE T AS SELECT 1 N", "CREATE VIEW V AS SELECT N FROM T")
    limited.into_schema()
    limited.grant(f"SELECT ON VIEW {limited.schema}.V")
    session = limited.session()
    assert session.one(f"SELECT N FROM {limited.schema}.V") == 1
    assert facts(session.refused(f"SELECT N FROM {limited.schema}.T")) == (2003, "42S02")


def test_each_kind_of_object_is_granted_by_its_own_words(limited):
    """sql-reference/sql/grant-privilege, <object_type>."""
    limited.admin_runs(
        "CREATE TABLE T AS SELECT 1 N",
        "CREATE VIEW V AS SELECT N FROM T",
        "CREATE MATERIALIZED VIEW M AS SELECT N FROM T",
        f"CREATE DYNAMIC TABLE D TARGET_LAG = '1 minute' WAREHOUSE = {limited.warehouse} AS SELECT N FROM T",
    )
    limited.into_schema()
    session = limited.session()
    kinds = {"T": "TABLE", "V": "VIEW", "M": "MATERIALIZED VIEW", "D": "DYNAMIC TABLE"}
    for name, kind in kinds.items():
        for wrong in {"TABLE", "VIEW"} - {kind}:
            refused = limited.admin.refused(
                f"GRANT SELECT ON {wrong} {limited.schema}.{name} TO ROLE {limited.role}"
            )
            assert f"Object found is of type '{kind}', not specified type '{wrong}'." in refused.msg
        limited.grant(f"SELECT ON {kind} {limited.schema}.{name}")
        assert session.one(f"SELECT N FROM {limited.schema}.{name}") == 1
    assert limited.admin.refused(f"GRANT USAGE ON TABLE T TO ROLE {limited.role}").errno == 3008
    assert facts(limited.admin.refused(f"GRANT SELECT ON TABLE GONE TO ROLE {limited.role}")) == (
        2003,
        "02000",
    )
    assert limited.admin.refused("GRANT SELECT ON TABLE T TO ROLE NOBODY_MADE_IT").errno == 2003


def test_an_external_table_takes_select(limited, stage):
    """sql-reference/sql/grant-privilege."""
    limited.admin_runs(
        "COPY INTO @ST/e/ FROM (SELECT 7 ID) HEADER = TRUE FILE_FORMAT = (TYPE = PARQUET)",
        "CREATE EXTERNAL TABLE E (ID NUMBER AS (VALUE:ID::NUMBER)) LOCATION = @ST/e/ FILE_FORMAT = (TYPE = PARQUET)",
    )
    limited.into_schema()
    session = limited.session()
    assert facts(session.refused(f"SELECT ID FROM {limited.schema}.E")) == (2003, "42S02")
    limited.grant(f"SELECT ON EXTERNAL TABLE {limited.schema}.E")
    assert session.one(f"SELECT ID FROM {limited.schema}.E") == 7


def test_a_replaced_table_loses_its_grants_unless_they_are_copied_or_future(limited):
    """sql-reference/sql/create-table (COPY GRANTS), sql-reference/sql/grant-privilege (future grants)."""
    limited.into_schema()
    session, select = limited.session(), f"SELECT N FROM {limited.schema}.T"
    limited.admin_runs("CREATE TABLE T AS SELECT 1 N")
    limited.grant(f"SELECT ON ALL TABLES IN SCHEMA {limited.schema}")
    assert session.one(select) == 1
    limited.admin_runs("CREATE OR REPLACE TABLE T COPY GRANTS AS SELECT 2 N")
    assert session.one(select) == 2
    limited.admin_runs("CREATE OR REPLACE TABLE T AS SELECT 3 N")
    assert facts(session.refused(select)) == (2003, "42S02")
    limited.grant(f"SELECT ON FUTURE TABLES IN SCHEMA {limited.schema}")
    assert facts(session.refused(select)) == (2003, "42S02")
    limited.admin_runs("CREATE OR REPLACE TABLE T AS SELECT 4 N", "CREATE OR REPLACE VIEW V AS SELECT 5 N")
    assert session.one(select) == 4
    assert facts(session.refused(f"SELECT N FROM {limited.schema}.V")) == (2003, "42S02")
    rows = limited.admin.rows(f"SHOW FUTURE GRANTS IN SCHEMA {limited.schema}")
    assert [row[1:6] for row in rows] == [
        ("SELECT", "TABLE", f"{limited.schema}.<TABLE>", "ROLE", limited.role)
    ]


def test_an_imported_database_takes_imported_privileges_alone(limited):
    """user-guide/data-share-consumers, sql-reference/sql/grant-privilege (IMPORTED PRIVILEGES)."""
    shared = f"IMPORTED_{limited.admin.database}"
    limited.admin_runs(
        "CREATE TABLE T AS SELECT 1 N", f"CREATE DATABASE {shared} FROM SHARE P.{limited.admin.database}"
    )
    try:
        session, select = limited.session(), f"SELECT N FROM {shared}.S.T"
        assert facts(session.refused(select)) == (2003, "02000")
        refused = limited.admin.refused(f"GRANT USAGE ON DATABASE {shared} TO ROLE {limited.role}")
        assert "Granting individual privileges on imported database is not allowed." in refused.msg
        limited.grant(f"IMPORTED PRIVILEGES ON DATABASE {shared}")
        assert session.one(select) == 1
    finally:
        limited.admin_runs(f"DROP DATABASE {shared}", f"USE SCHEMA {limited.schema}")


def test_stages_and_integrations_take_usage(limited, stage):
    """user-guide/security-access-control-privileges: USAGE for an external stage, and for an integration in COPY INTO."""
    limited.into_schema()
    session = limited.session()
    unload = "FROM (SELECT 1 N) FILE_FORMAT = (TYPE = PARQUET)"
    assert facts(session.refused(f"COPY INTO @{limited.schema}.ST/a/ {unload}")) == (2003, "02000")
    limited.grant(f"USAGE ON STAGE {limited.schema}.ST")
    session.rows(f"COPY INTO @{limited.schema}.ST/a/ {unload}")
    assert len(session.rows(f"LIST @{limited.schema}.ST/a/")) == 1
    direct = f"COPY INTO 's3://lake/{stage}b/' {unload} STORAGE_INTEGRATION = LAKE"
    assert facts(session.refused(direct)) == (2003, "02000")
    limited.grant("USAGE ON INTEGRATION LAKE")
    session.rows(direct)


def test_a_warehouse_is_changed_with_modify_and_started_with_operate(limited):
    """user-guide/security-access-control-privileges, "Virtual warehouse privileges"."""
    session, name = limited.session(), limited.warehouse
    assert facts(session.refused(f"ALTER WAREHOUSE {name} SET WAREHOUSE_SIZE = 'SMALL'")) == (3001, "42501")
    limited.grant(f"MODIFY ON WAREHOUSE {name}")
    session.rows(f"ALTER WAREHOUSE {name} SET WAREHOUSE_SIZE = 'SMALL'")
    assert facts(session.refused(f"ALTER WAREHOUSE {name} SUSPEND")) == (3001, "42501")
    limited.grant(f"OPERATE ON WAREHOUSE {name}")
    session.rows(f"ALTER WAREHOUSE {name} SUSPEND")
    limited.admin_runs(f"REVOKE ALL PRIVILEGES ON WAREHOUSE {name} FROM ROLE {limited.role}")
    assert facts(session.refused(f"ALTER WAREHOUSE {name} RESUME")) == (2003, "02000")
    assert facts(session.refused(f"USE WAREHOUSE {name}")) == (2043, "02000")


def test_a_role_is_taken_by_those_that_it_was_granted_to(limited):
    """sql-reference/sql/use-role, sql-reference/sql/grant-role, user-guide/security-access-control-overview (hierarchy)."""
    other = f"{limited.role}_OTHER"
    limited.admin_runs("CREATE TABLE T AS SELECT 1 N", f"CREATE ROLE {other}")
    try:
        limited.into_schema()
        limited.admin_runs(f"GRANT SELECT ON TABLE T TO ROLE {other}")
        session, select = limited.session(), f"SELECT N FROM {limited.schema}.T"
        assert facts(session.refused(f"USE ROLE {other}")) == (3013, "42501")
        assert facts(session.refused("USE ROLE NOBODY_MADE_IT")) == (2043, "02000")
        assert facts(session.refused(select)) == (2003, "42S02")
        limited.admin_runs(f"GRANT ROLE {other} TO ROLE {limited.role}")
        assert session.one(select) == 1
        session.rows(f"USE ROLE {other}")
        assert session.one("SELECT CURRENT_ROLE()") == other
        assert (None, other, "ROLE", limited.role, "ACCOUNTADMIN") in limited.admin.rows(
            f"SHOW GRANTS OF ROLE {other}"
        )
    finally:
        limited.admin_runs(f"DROP ROLE {other}")
    assert facts(session.refused(select)) == (2003, "42S02")


def test_secondary_roles_are_used_until_they_are_switched_off(limited):
    """sql-reference/sql/use-secondary-roles; users have DEFAULT_SECONDARY_ROLES = ('ALL') (sql-reference/sql/create-user)."""
    other = f"{limited.role}_OTHER"
    limited.admin_runs(
        "CREATE TABLE T AS SELECT 1 N",
        f"CREATE ROLE {other}",
        f"GRANT SELECT ON TABLE T TO ROLE {other}",
        f"GRANT ROLE {other} TO USER {limited.user}",
    )
    try:
        limited.into_schema()
        session, select = limited.session(), f"SELECT N FROM {limited.schema}.T"
        assert session.one(select) == 1
        session.rows("USE SECONDARY ROLES NONE")
        assert facts(session.refused(select)) == (2003, "42S02")
    finally:
        limited.admin_runs(f"DROP ROLE {other}")


def test_a_login_with_a_role_that_was_not_granted_is_refused(limited):
    """user-guide/python-connector-example (role); the text is the service's own."""
    with pytest.raises(snowflake.connector.errors.DatabaseError) as caught:
        limited.admin.again(user=limited.user, role="ACCOUNTADMIN")
    assert "Role 'ACCOUNTADMIN' specified in the connect string does not exist or not authorized." in str(
        caught.value
    )
    session = limited.session()
    assert session.one("SELECT CURRENT_ROLE(), CURRENT_WAREHOUSE()") == (limited.role, limited.warehouse)


def test_show_grants_lists_what_was_granted(limited):
    """sql-reference/sql/show-grants."""
    limited.admin_runs("CREATE TABLE T (N NUMBER)")
    limited.into_schema()
    limited.grant(f"SELECT, INSERT ON TABLE {limited.schema}.T")
    found = {row[1:4] for row in limited.admin.rows(f"SHOW GRANTS TO ROLE {limited.role}")}
    assert found == {
        ("USAGE", "WAREHOUSE", limited.warehouse),
        ("USAGE", "DATABASE", limited.admin.database),
        ("USAGE", "SCHEMA", limited.schema),
        ("INSERT", "TABLE", f"{limited.schema}.T"),
        ("SELECT", "TABLE", f"{limited.schema}.T"),
    }
    on = limited.admin.rows("SHOW GRANTS ON TABLE T")
    assert [row[1:6] for row in on] == [
        ("INSERT", "TABLE", f"{limited.schema}.T", "ROLE", limited.role),
        ("SELECT", "TABLE", f"{limited.schema}.T", "ROLE", limited.role),
    ]
    assert [row[1] for row in limited.admin.rows(f"SHOW GRANTS TO USER {limited.user}")] == [limited.role]


def test_the_queries_of_others_are_shown_with_monitor(limited):
    """user-guide/security-access-control-privileges, MONITOR on a warehouse; sql-reference/functions/query_history."""
    admin = limited.admin.again(warehouse=limited.warehouse)
    admin.rows("SELECT 'of the administrator'")
    limited.into_schema()
    session = limited.session()
    session.rows("SELECT 'of mine'")
    asked = f"SELECT QUERY_TEXT FROM TABLE({limited.admin.database}.INFORMATION_SCHEMA.QUERY_HISTORY())"
    assert ("SELECT 'of mine'",) in session.rows(asked)
    assert ("SELECT 'of the administrator'",) not in session.rows(asked)
    limited.grant(f"MONITOR ON WAREHOUSE {limited.warehouse}")
    assert ("SELECT 'of the administrator'",) in session.rows(asked)


def test_ownership_goes_from_one_role_to_another(limited):
    """sql-reference/sql/grant-ownership: one owner; REVOKE CURRENT GRANTS takes the other grants away."""
    limited.admin_runs("CREATE TABLE T AS SELECT 1 N")
    limited.into_schema()
    limited.grant(f"SELECT ON TABLE {limited.schema}.T")
    other = f"{limited.role}_OTHER"
    limited.admin_runs(f"CREATE ROLE {other}", f"GRANT OWNERSHIP ON TABLE T TO ROLE {limited.role}")
    try:
        session = limited.session()
        session.rows(f"GRANT SELECT ON TABLE {limited.schema}.T TO ROLE {other}")
        limited.admin_runs(f"GRANT OWNERSHIP ON TABLE T TO ROLE {other} COPY CURRENT GRANTS")
        assert session.one(f"SELECT N FROM {limited.schema}.T") == 1
        assert facts(session.refused(f"GRANT SELECT ON TABLE {limited.schema}.T TO ROLE {other}")) == (
            3001,
            "42501",
        )
        limited.admin_runs(f"GRANT OWNERSHIP ON TABLE T TO ROLE {other} REVOKE CURRENT GRANTS")
        assert [row[1] for row in limited.admin.rows("SHOW GRANTS ON TABLE T")] == ["OWNERSHIP"]
    finally:
        limited.admin_runs(f"DROP ROLE {other}")
    assert (
        "WITH GRANT OPTION"
        in limited.admin.refused(f"GRANT SELECT ON TABLE T TO ROLE {limited.role} WITH GRANT OPTION").msg
    )


def test_a_session_of_a_dropped_user_is_no_administrator(limited):
    limited.admin_runs("CREATE TABLE T AS SELECT 1 N")
    session = limited.session()
    limited.admin_runs(f"DROP USER {limited.user}")
    try:
        assert facts(session.refused(f"SELECT N FROM {limited.schema}.T")) == (2003, "02000")
    finally:
        limited.admin_runs(f"CREATE USER {limited.user}")


def test_a_restart_keeps_rights_and_policies(s3_endpoint, tmp_path):
    port, log = free_port(), tmp_path / "log"
    arguments = ["-m", "sandbox.snowflake", "--port", str(port), "--s3-endpoint", s3_endpoint]
    arguments += ["--db-path", str(tmp_path / "data"), "--statement-log", str(tmp_path / "statements.jsonl")]

    def ask(options: dict, *statements: str) -> list[tuple]:
        process = start(arguments, log)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, log)
            server = Server(port, process, s3_endpoint, tmp_path / "statements.jsonl", tls=False)
            with server.connect(**options) as connection, connection.cursor() as cursor:
                return [cursor.execute(statement).fetchall() for statement in statements][-1]
        finally:
            stop(process)

    ask(
        {},
        "CREATE DATABASE D",
        "CREATE TABLE T AS SELECT 'secret' V",
        "CREATE MASKING POLICY HIDE AS (X VARCHAR) RETURNS VARCHAR -> '***'",
        "CREATE TAG PERSONAL",
        "ALTER TAG PERSONAL SET MASKING POLICY HIDE",
        "ALTER TABLE T MODIFY COLUMN V SET TAG PERSONAL = 'yes'",
        "CREATE ROLE R",
        "CREATE WAREHOUSE W",
        "CREATE USER U DEFAULT_ROLE = R DEFAULT_WAREHOUSE = W",
        "GRANT ROLE R TO USER U",
        "GRANT USAGE ON WAREHOUSE W TO ROLE R",
        "GRANT USAGE ON DATABASE D TO ROLE R",
        "GRANT USAGE ON SCHEMA D.PUBLIC TO ROLE R",
        "GRANT SELECT ON TABLE T TO ROLE R",
        "GRANT SELECT ON FUTURE VIEWS IN SCHEMA D.PUBLIC TO ROLE R",
    )
    limited = {"user": "U", "role": None, "warehouse": None}
    assert ask(limited, "SELECT V FROM D.PUBLIC.T") == [("***",)]
    ask({"database": "D", "schema": "PUBLIC"}, "CREATE VIEW V AS SELECT V FROM T")
    assert ask(limited, "SELECT V FROM D.PUBLIC.V") == [("***",)]
