"""A source under Snowflake's policies: what the role sees is copied, and the run never looks like a copy of everything."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest

from snowmelt.airflow.sessions import snowflake_session
from snowmelt.errors import ConfigurationError
from snowmelt.ledger.page_rows import READ_RUN
from snowmelt.steps.finish import load_report


@pytest.fixture
def people(world):
    world.sql(
        "CREATE TABLE PEOPLE (ID NUMBER(9,0), NAME VARCHAR, REGION VARCHAR)",
        "INSERT INTO PEOPLE VALUES (1, 'Ann', 'EU'), (2, 'Bob', 'US'), (3, 'Cy', 'EU')",
    )
    return world


ROWS = (
    "CREATE ROW ACCESS POLICY EU AS (P VARCHAR) RETURNS BOOLEAN -> P = 'EU'",
    "ALTER TABLE PEOPLE ADD ROW ACCESS POLICY EU ON (REGION)",
)
MASK = (
    "CREATE MASKING POLICY HIDE AS (V VARCHAR) RETURNS VARCHAR -> '***'",
    "ALTER TABLE PEOPLE MODIFY COLUMN NAME SET MASKING POLICY HIDE",
)
TAGGED = (
    "CREATE MASKING POLICY HIDE AS (V VARCHAR) RETURNS VARCHAR -> '***'",
    "CREATE TAG PERSONAL",
    "ALTER TAG PERSONAL SET MASKING POLICY HIDE",
    "ALTER TABLE PEOPLE MODIFY COLUMN NAME SET TAG PERSONAL = 'yes'",
)
GROUPS = (
    "CREATE AGGREGATION POLICY GROUPS AS () RETURNS AGGREGATION_CONSTRAINT -> NO_AGGREGATION_CONSTRAINT()",
    "ALTER TABLE PEOPLE SET AGGREGATION POLICY GROUPS",
)
SHOWN = (
    "CREATE PROJECTION POLICY SHOWN AS () RETURNS PROJECTION_CONSTRAINT -> PROJECTION_CONSTRAINT(ALLOW => true)",
    "ALTER TABLE PEOPLE MODIFY COLUMN NAME SET PROJECTION POLICY SHOWN",
)
TABLE = {"source": "PEOPLE"}


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (ROWS, "rows that the role SNOWMELT_ROLE may see; row access policy TESTS.{schema}.EU"),
        (
            MASK,
            'values as the role SNOWMELT_ROLE sees them, masked or not; masking policy TESTS.{schema}.HIDE on "NAME"',
        ),
        (
            TAGGED,
            (
                'values as the role SNOWMELT_ROLE sees them, masked or not; masking policy TESTS.{schema}.HIDE on "NAME" '
                "(by the tag TESTS.{schema}.PERSONAL)"
            ),
        ),
        (GROUPS, "aggregation policy TESTS.{schema}.GROUPS"),
        (SHOWN, 'projection policy TESTS.{schema}.SHOWN on "NAME"'),
    ],
    ids=["row access", "masking", "masking by a tag", "aggregation", "projection"],
)
def test_a_copy_under_a_policy_says_so_in_log_report_and_page(people, statements, said, caplog):
    people.sql(*statements)
    plan = people.plan(TABLE)
    said = said.format(schema=people.schema)
    assert plan.source_policies == said
    assert f"is copied as the role sees it: {said}" in caplog.text
    people.finish(plan, people.unload(plan))
    with people.target() as connection:
        report = load_report(connection, plan.run_id)
        with connection.cursor() as cursor:
            cursor.execute(READ_RUN, {"dag_id": "dag", "dag_run_id": "run", "keys": "keys"})
            page = dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))
    assert report.source_policies == page["source_policies"] == said
    assert f"| policies on the source | {said} |" in report.to_markdown()


def test_what_the_role_sees_is_what_arrives(people):
    people.sql(*ROWS, *MASK)
    people.run(TABLE)
    assert people.query("SELECT id, name FROM public.people ORDER BY id") == [(1, "***"), (3, "***")]


@pytest.mark.parametrize("statements", [ROWS, MASK, TAGGED])
def test_a_run_that_refuses_policies_stops_at_planning(people, statements):
    assert people.plan({**TABLE, "source_policies": "refuse"}).source_policies is None
    people.sql(*statements)
    with pytest.raises(
        ConfigurationError, match=r"`source_policies` is refuse. Nothing was unloaded. .* policy TESTS"
    ):
        people.plan({**TABLE, "source_policies": "refuse"})


def test_a_policy_on_a_column_that_is_not_read_is_no_matter(people):
    people.sql(*TAGGED)
    without = {**TABLE, "columns": {"exclude": ["NAME"]}}
    assert people.plan(without).source_policies is None
    # A filter reads the values that the role sees.
    assert "masking policy" in people.plan({**without, "source_filter": "NAME <> 'x'"}).source_policies


def test_policies_that_the_role_is_not_told_of_are_not_taken_for_none(people, sandbox, monkeypatch):
    role, user = f"ROLE_{uuid.uuid4().hex[:8]}", f"USER_{uuid.uuid4().hex[:8]}"
    people.sql(
        *ROWS,
        f'CREATE ROLE "{role}"',
        f'CREATE USER "{user}" DEFAULT_ROLE = "{role}"',
        f'GRANT ROLE "{role}" TO USER "{user}"',
        f'GRANT ALL PRIVILEGES ON DATABASE TESTS TO ROLE "{role}"',
        f'GRANT USAGE ON SCHEMA {people.schema} TO ROLE "{role}"',
        f'GRANT SELECT ON TABLE PEOPLE TO ROLE "{role}"',
        f'GRANT USAGE ON WAREHOUSE SNOWMELT_WH TO ROLE "{role}"',
        f'GRANT ALL PRIVILEGES ON DATABASE UTIL TO ROLE "{role}"',
        f'GRANT ALL PRIVILEGES ON SCHEMA UTIL.STAGING TO ROLE "{role}"',
        f'GRANT ALL PRIVILEGES ON STAGE UTIL.STAGING.SNOWMELT_STAGE TO ROLE "{role}"',
    )
    connection = json.loads(sandbox.env["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    limited = connection | {"login": user, "extra": connection["extra"] | {"role": f'"{role}"'}}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(limited))
    try:
        with snowflake_session("snowflake_default") as session:
            loader = replace(people, snowflake=session)
            refused = loader.plan(TABLE).source_policies
            assert refused.startswith(
                "whether policies hide rows or values cannot be told: POLICY_REFERENCES was refused ("
            )
            # APPLY on another policy lets the role ask, and hides this one.
            people.sql(*MASK, f'GRANT APPLY ON MASKING POLICY HIDE TO ROLE "{role}"')
            partly = loader.plan(TABLE).source_policies
            assert "masking policy" in partly
            assert "whether other policies hide rows or values cannot be told" in partly
            assert "the owner is SYSADMIN" in partly
            with pytest.raises(ConfigurationError, match="cannot be told"):
                loader.plan({**TABLE, "columns": {"exclude": ["NAME"]}, "source_policies": "refuse"})
    finally:
        people.sql(f'DROP USER "{user}"', f'DROP ROLE "{role}"')


def test_a_view_may_read_tables_under_policies(people):
    people.sql(*ROWS, "CREATE VIEW V AS SELECT ID FROM PEOPLE")
    said = people.plan({"source": "V"}).source_policies
    assert said.startswith("whether policies hide rows or values cannot be told: ")
    assert "is a view, and policies on the tables that it reads are not listed" in said
