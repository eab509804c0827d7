"""Masking, row access, projection and aggregation policies as Snowflake documents them: pages below docs.snowflake.com/en."""

from __future__ import annotations

import pytest

from tests.sandbox.snowflake_server import Client


@pytest.fixture
def people(client) -> Client:
    client.rows("CREATE TABLE PEOPLE (ID NUMBER, NAME VARCHAR, REGION VARCHAR, AT TIMESTAMP_NTZ)")
    client.rows(
        "INSERT INTO PEOPLE VALUES (1, 'Ann', 'EU', '2024-01-01 00:00:00.123456789'), (2, 'Bob', 'US', NULL), (3, 'Cy', 'EU', NULL)"
    )
    return client


def references(client: Client, name: str, domain: str = "TABLE") -> list[dict]:
    cursor = client.run(
        f"SELECT * FROM TABLE(INFORMATION_SCHEMA.POLICY_REFERENCES(REF_ENTITY_NAME => '{name}', REF_ENTITY_DOMAIN => '{domain}'))"
    )
    columns = [c.name for c in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def as_role(client: Client, role: str, query: str) -> list[tuple]:
    other = client.again(role=role)
    return other.rows(query)


def test_a_masking_policy_masks_wherever_the_column_is_read(people, bucket):
    """user-guide/security-column-intro: by the role, in conditions, views and unloads too."""
    people.rows(
        "CREATE MASKING POLICY HIDE AS (VAL VARCHAR) RETURNS VARCHAR -> CASE WHEN CURRENT_ROLE() = 'DOCTOR' THEN VAL ELSE '***' END COMMENT = 'x'"
    )
    people.rows("ALTER TABLE PEOPLE MODIFY COLUMN NAME SET MASKING POLICY HIDE")
    people.rows("CREATE VIEW V AS SELECT NAME AS N FROM PEOPLE")
    for query, clear, masked in (
        ("SELECT NAME FROM PEOPLE WHERE ID = 1", [("Ann",)], [("***",)]),
        ("SELECT P.ID FROM PEOPLE AS P WHERE P.NAME = 'Ann'", [(1,)], []),
        ("SELECT N FROM V ORDER BY N LIMIT 1", [("Ann",)], [("***",)]),
        ("SELECT NAME FROM PEOPLE AT (OFFSET => 0) WHERE ID = 2", [("Bob",)], [("***",)]),
    ):
        assert as_role(people, "DOCTOR", query) == clear
        assert as_role(people, "CLERK", query) == masked
    described = {row[0]: row[10] for row in people.rows("DESCRIBE TABLE PEOPLE")}
    assert described["NAME"] == f"{people.database}.S.HIDE"
    [found] = references(people, "PEOPLE")
    assert found == {
        "POLICY_DB": people.database, "POLICY_SCHEMA": "S", "POLICY_NAME": "HIDE", "POLICY_KIND": "MASKING_POLICY",
        "REF_DATABASE_NAME": people.database, "REF_SCHEMA_NAME": "S", "REF_ENTITY_NAME": "PEOPLE", "REF_ENTITY_DOMAIN": "TABLE",
        "REF_COLUMN_NAME": "NAME", "REF_ARG_COLUMN_NAMES": None, "TAG_DATABASE": None, "TAG_SCHEMA": None, "TAG_NAME": None,
        "POLICY_STATUS": "ACTIVE",
    }  # fmt: skip
    assert "cannot be dropped" in people.refused("DROP MASKING POLICY HIDE").msg
    people.rows("ALTER TABLE PEOPLE MODIFY COLUMN NAME UNSET MASKING POLICY")
    people.rows("DROP MASKING POLICY HIDE")
    assert as_role(people, "CLERK", "SELECT NAME FROM PEOPLE WHERE ID = 1") == [("Ann",)]


def test_a_mask_may_depend_on_other_columns(people):
    """sql-reference/sql/create-masking-policy, conditional masking (USING)."""
    people.rows(
        "CREATE MASKING POLICY ABROAD AS (VAL VARCHAR, PLACE VARCHAR) RETURNS VARCHAR -> IFF(PLACE = 'EU', VAL, NULL)"
    )
    people.rows("ALTER TABLE PEOPLE MODIFY COLUMN NAME SET MASKING POLICY ABROAD USING (NAME, REGION)")
    assert people.rows("SELECT NAME FROM PEOPLE ORDER BY ID") == [("Ann",), (None,), ("Cy",)]
    assert references(people, "PEOPLE")[0]["REF_ARG_COLUMN_NAMES"] == '[ "REGION" ]'


def test_the_other_columns_stay_what_they_are(people):
    """Nanoseconds, types and order of the columns that no policy is set on."""
    people.rows("CREATE MASKING POLICY HIDE AS (VAL VARCHAR) RETURNS VARCHAR -> '***'")
    people.rows("ALTER TABLE PEOPLE MODIFY COLUMN NAME SET MASKING POLICY HIDE")
    cursor = people.run("SELECT * FROM PEOPLE WHERE ID = 1")
    assert [c.name for c in cursor.description] == ["ID", "NAME", "REGION", "AT"]
    assert people.one("SELECT TO_VARCHAR(AT, 'FF9') FROM PEOPLE WHERE ID = 1") == "123456789"


def test_a_mask_by_a_tag_is_not_shown_by_describe(people):
    """user-guide/tag-based-masking-policies, sql-reference/sql/desc-table: `policy name` is NULL."""
    people.rows("CREATE MASKING POLICY TEXTS AS (VAL VARCHAR) RETURNS VARCHAR -> '***'")
    people.rows("CREATE MASKING POLICY NUMBERS AS (VAL NUMBER) RETURNS NUMBER -> -1")
    people.rows("CREATE TAG PERSONAL")
    people.rows("ALTER TAG PERSONAL SET MASKING POLICY TEXTS, MASKING POLICY NUMBERS")
    people.rows("ALTER TABLE PEOPLE MODIFY COLUMN NAME SET TAG PERSONAL = 'yes'")
    assert people.rows("SELECT ID, NAME, REGION FROM PEOPLE ORDER BY ID LIMIT 1") == [(1, "***", "EU")]
    assert {row[10] for row in people.rows("DESCRIBE TABLE PEOPLE")} == {None}
    [found] = references(people, f"{people.database}.S.PEOPLE")
    assert (found["POLICY_NAME"], found["REF_COLUMN_NAME"], found["TAG_NAME"]) == (
        "TEXTS",
        "NAME",
        "PERSONAL",
    )
    people.rows("ALTER TABLE PEOPLE SET TAG PERSONAL = 'yes'")
    assert people.rows("SELECT DISTINCT ID, NAME, REGION FROM PEOPLE") == [(-1, "***", "***")]
    assert {(r["REF_COLUMN_NAME"], r["POLICY_NAME"]) for r in references(people, "PEOPLE")} == {
        ("ID", "NUMBERS"),
        ("NAME", "TEXTS"),
        ("REGION", "TEXTS"),
    }


def test_a_row_access_policy_filters_rows(people):
    """user-guide/security-row-intro: with a mapping table, which the reader needs no right on."""
    people.rows("CREATE TABLE MAP AS SELECT 'CLERK' R, 'EU' PLACE UNION ALL SELECT 'ABROAD', 'US'")
    people.rows(
        "CREATE ROW ACCESS POLICY BY_REGION AS (PLACE_OF VARCHAR) RETURNS BOOLEAN -> CURRENT_ROLE() = 'BOSS'"
        " OR EXISTS (SELECT 1 FROM MAP WHERE R = CURRENT_ROLE() AND PLACE = PLACE_OF)"
    )
    people.rows("ALTER TABLE PEOPLE ADD ROW ACCESS POLICY BY_REGION ON (REGION)")
    for role, seen in (("BOSS", [1, 2, 3]), ("CLERK", [1, 3]), ("ABROAD", [2]), ("NOBODY", [])):
        assert as_role(people, role, "SELECT ID FROM PEOPLE ORDER BY ID") == [(i,) for i in seen]
        assert as_role(people, role, "SELECT COUNT(*) FROM PEOPLE") == [(len(seen),)]
        # A condition can only take rows away, never bring some back.
        assert as_role(people, role, "SELECT COUNT(*) FROM PEOPLE P WHERE P.ID > 0 OR TRUE") == [(len(seen),)]
    [found] = references(people, "PEOPLE")
    assert (found["POLICY_KIND"], found["REF_COLUMN_NAME"], found["REF_ARG_COLUMN_NAMES"]) == (
        "ROW_ACCESS_POLICY",
        None,
        '[ "REGION" ]',
    )
    by_policy = people.rows(
        "SELECT REF_ENTITY_NAME FROM TABLE(INFORMATION_SCHEMA.POLICY_REFERENCES(POLICY_NAME => 'BY_REGION'))"
    )
    assert by_policy == [("PEOPLE",)]
    assert (
        "already has a ROW_ACCESS_POLICY"
        in people.refused("ALTER TABLE PEOPLE ADD ROW ACCESS POLICY BY_REGION ON (NAME)").msg
    )
    people.rows("ALTER TABLE PEOPLE DROP ROW ACCESS POLICY BY_REGION")
    assert as_role(people, "NOBODY", "SELECT COUNT(*) FROM PEOPLE") == [(3,)]


def test_a_policy_on_a_view(people):
    """sql-reference/sql/alter-view."""
    people.rows("CREATE VIEW V AS SELECT ID, REGION FROM PEOPLE")
    people.rows("CREATE ROW ACCESS POLICY EU AS (P VARCHAR) RETURNS BOOLEAN -> P = 'EU'")
    people.rows("ALTER VIEW V ADD ROW ACCESS POLICY EU ON (REGION)")
    assert people.rows("SELECT ID FROM V ORDER BY ID") == [(1,), (3,)]
    assert people.one("SELECT COUNT(*) FROM PEOPLE") == 3
    [found] = references(people, "V", "VIEW")
    assert (found["REF_ENTITY_NAME"], found["REF_ENTITY_DOMAIN"]) == ("V", "VIEW")


def test_an_unload_writes_what_the_role_sees(people, stage):
    """sql-reference/sql/copy-into-location with policies: user-guide/security-column-intro."""
    people.rows("CREATE ROW ACCESS POLICY EU AS (P VARCHAR) RETURNS BOOLEAN -> P = 'EU'")
    people.rows("ALTER TABLE PEOPLE ADD ROW ACCESS POLICY EU ON (REGION)")
    [(rows, *_)] = people.rows("COPY INTO @ST/p/ FROM PEOPLE FILE_FORMAT = (TYPE = CSV)")
    assert rows == 2


def test_a_column_under_a_projection_policy_is_read_and_not_shown(people):
    """user-guide/projection-policies."""
    people.rows(
        "CREATE PROJECTION POLICY NO_NAMES AS () RETURNS PROJECTION_CONSTRAINT ->"
        " CASE WHEN CURRENT_ROLE() = 'DOCTOR' THEN PROJECTION_CONSTRAINT(ALLOW => true) ELSE PROJECTION_CONSTRAINT(ALLOW => false) END"
    )
    people.rows("ALTER TABLE PEOPLE MODIFY COLUMN NAME SET PROJECTION POLICY NO_NAMES")
    assert as_role(people, "DOCTOR", "SELECT NAME FROM PEOPLE WHERE ID = 1") == [("Ann",)]
    clerk = people.again(role="CLERK")
    assert clerk.rows("SELECT ID FROM PEOPLE WHERE NAME = 'Ann'") == [(1,)]
    for query in ("SELECT NAME FROM PEOPLE", "SELECT * FROM PEOPLE", "SELECT UPPER(NAME) U FROM PEOPLE"):
        assert "projection policy" in clerk.refused(query).msg
    [found] = references(people, "PEOPLE")
    assert (found["POLICY_KIND"], found["REF_COLUMN_NAME"]) == ("PROJECTION_POLICY", "NAME")


def test_a_table_under_an_aggregation_policy_is_read_in_groups(people):
    """user-guide/aggregation-policies."""
    people.rows(
        "CREATE AGGREGATION POLICY GROUPS AS () RETURNS AGGREGATION_CONSTRAINT ->"
        " CASE WHEN CURRENT_ROLE() = 'DOCTOR' THEN NO_AGGREGATION_CONSTRAINT() ELSE AGGREGATION_CONSTRAINT(MIN_GROUP_SIZE => 2) END"
    )
    people.rows("ALTER TABLE PEOPLE SET AGGREGATION POLICY GROUPS")
    assert len(as_role(people, "DOCTOR", "SELECT * FROM PEOPLE")) == 3
    clerk = people.again(role="CLERK")
    assert clerk.one("SELECT COUNT(*) FROM PEOPLE") == 3
    assert "aggregation policy" in clerk.refused("SELECT ID FROM PEOPLE").msg
    assert [r["POLICY_KIND"] for r in references(people, "PEOPLE")] == ["AGGREGATION_POLICY"]


def test_roles_in_a_session_and_who_may_ask_for_policies(people):
    """sql-reference/functions/is_role_in_session, sql-reference/functions/policy_references (usage notes)."""
    role, user, schema = f"R_{people.database}", f"U_{people.database}", f"{people.database}.S"
    people.rows(f"CREATE ROLE {role}")
    people.rows(f"CREATE ROLE SEES_{role}")
    people.rows(f"CREATE WAREHOUSE W_{people.database}")
    people.rows(f"CREATE USER {user} DEFAULT_ROLE = {role} DEFAULT_WAREHOUSE = W_{people.database}")
    try:
        for grant in (
            f"ROLE {role} TO USER {user}",
            f"USAGE ON WAREHOUSE W_{people.database} TO ROLE {role}",
            f"USAGE ON DATABASE {people.database} TO ROLE {role}",
            f"USAGE ON SCHEMA {schema} TO ROLE {role}",
            f"SELECT ON TABLE PEOPLE TO ROLE {role}",
        ):
            people.rows(f"GRANT {grant}")
        people.rows(
            f"CREATE ROW ACCESS POLICY MEMBERS AS (P VARCHAR) RETURNS BOOLEAN -> IS_ROLE_IN_SESSION('SEES_{role}') OR P = 'US'"
        )
        people.rows("ALTER TABLE PEOPLE ADD ROW ACCESS POLICY MEMBERS ON (REGION)")
        session = people.again(user=user, role=None, warehouse=None)
        assert session.one("SELECT COUNT(*) FROM PEOPLE") == 1
        people.rows(f"GRANT ROLE SEES_{role} TO ROLE {role}")
        assert session.one("SELECT COUNT(*) FROM PEOPLE") == 3
        asked = f"SELECT POLICY_NAME FROM TABLE(INFORMATION_SCHEMA.POLICY_REFERENCES(REF_ENTITY_NAME => '{schema}.PEOPLE', REF_ENTITY_DOMAIN => 'TABLE'))"
        refused = session.refused(asked)
        assert (refused.errno, refused.sqlstate) == (3001, "42501")
        people.rows(f"GRANT APPLY ON ROW ACCESS POLICY MEMBERS TO ROLE {role}")
        assert session.rows(asked) == [("MEMBERS",)]
    finally:
        people.rows(f"DROP USER {user}")
        people.rows(f"DROP WAREHOUSE W_{people.database}")
        people.rows(f"DROP ROLE {role}")
        people.rows(f"DROP ROLE SEES_{role}")
    assert people.refused("ALTER TABLE PEOPLE MODIFY COLUMN NAME SET MASKING POLICY NOT_MADE").errno == 2003
