"""Whole DAG runs by Airflow: no text from data is rendered as a template, and no secret is kept anywhere.

Jobs that succeed and jobs that fail in each connection; then everything that Airflow, PostgreSQL and the Snowflake stand-in
kept is searched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import psycopg
import pytest

from tests.dags.conftest import migrate
from tests.security.hostile import literal, quote

SOURCE = "{{ 7 * 7 }} {{ conn.postgres_default.password }}"
TARGET = "{{ 7 * 7 }}{% if 1 %}"
COLUMN = "{{ conn.aws_default.password }}"
WRONG = "marked-wrong-password-0123456789"
SNOWFLAKE_CHANGES = {"extra": {"port": 1, "login_timeout": 1}}


@pytest.fixture(scope="module")
def templates(demo, snowflake_session):
    with snowflake_session.cursor() as cursor:
        for statement in (
            f"CREATE OR REPLACE TABLE ANALYTICS.BI.{quote(SOURCE)} (ID INT PRIMARY KEY, {quote(COLUMN)} VARCHAR COMMENT {literal(COLUMN)})",
            f"INSERT INTO ANALYTICS.BI.{quote(SOURCE)} VALUES (1, '{{{{ 7 * 7 }}}}'), (2, '{{{{ var.value.x }}}}'), (3, 'z')",
        ):
            cursor.execute(statement)
    return demo


@pytest.fixture(scope="session")
def snowflake_session(demo):
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    connection = SnowflakeHook("snowflake_default").get_conn()
    yield connection
    connection.close()


def changed(demo, conn_id, **changes):
    name = f"AIRFLOW_CONN_{conn_id}"
    values = json.loads(demo.env[name])
    extra = values.get("extra", {}) | changes.pop("extra", {})
    return {name: json.dumps(values | changes | {"extra": extra})}


@pytest.fixture(scope="module")
def ran(templates, run_dags):
    demo = templates
    job = migrate(
        quote(SOURCE),
        target_table=quote(TARGET),
        source_filter=f"{quote(COLUMN)} <> '{{{{ 7 * 7 }}}} {{{{ conn.aws_default.password }}}}'",
        chunking_column=quote(COLUMN),
        chunk_rows=1,
        publish="swap",
    )
    nobody = {
        "login": demo.env["SNOWMELT_SANDBOX_NOBODY_ACCESS_KEY_ID"],
        "password": demo.env["SNOWMELT_SANDBOX_NOBODY_SECRET_ACCESS_KEY"],
    }
    session = {
        "login": demo.env["SNOWMELT_SANDBOX_SESSION_ACCESS_KEY_ID"],
        "password": demo.env["SNOWMELT_SANDBOX_SESSION_SECRET_ACCESS_KEY"],
        "extra": {"aws_session_token": demo.env["SNOWMELT_SANDBOX_SESSION_SESSION_TOKEN"]},
    }
    dimension = migrate("DIMPAYER", target_table="dim_secrets")
    return run_dags(
        job,
        dimension | {"environment": changed(demo, "AWS_DEFAULT", **session)},
        dimension | {"environment": changed(demo, "POSTGRES_DEFAULT", password=WRONG)},
        dimension | {"environment": changed(demo, "AWS_DEFAULT", **nobody)},
        dimension | {"environment": changed(demo, "SNOWFLAKE_DEFAULT", password=WRONG, **SNOWFLAKE_CHANGES)},
        {
            "dag": "migration_doctor",
            "environment": changed(demo, "POSTGRES_DEFAULT", password=WRONG),
        },
    )


def test_templates_in_data_stay_what_they_are(ran, app):
    assert ran[0].state == "success", ran[0].log[-3000:]
    assert len(ran[0].states("unload")) > 1
    rows = app.execute(f"SELECT * FROM public.{quote(TARGET)} ORDER BY 1").fetchall()
    assert [row[1] for row in rows] == ["{{ 7 * 7 }}", "{{ var.value.x }}", "z"]
    names = app.execute(
        "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 2",
        (f"public.{quote(TARGET)}",),
    ).fetchall()
    assert names == [(COLUMN, COLUMN)]
    where = app.execute(
        "SELECT plan->>'where' FROM snowmelt.run WHERE target = %s", (f"public.{TARGET}",)
    ).fetchone()[0]
    assert "{{ 7 * 7 }} {{ conn.aws_default.password }}" in where


def test_the_runs_end_as_they_should(ran):
    assert [one.state for one in ran] == ["success", "success", "failed", "failed", "failed", "failed"]


def secrets(env: dict[str, str]) -> dict[str, str]:
    found = {"the wrong password": WRONG}
    for name, value in env.items():
        if name.endswith(("SECRET_ACCESS_KEY", "SESSION_TOKEN")):
            found[name] = value
        if name.startswith("AIRFLOW_CONN_"):
            found[name] = json.loads(value).get("password") or ""
    return {name: value for name, value in found.items() if len(value) >= 8}


def kept(env: dict[str, str], superuser_dsn) -> Iterator[tuple[str, str]]:
    """Everything that was kept, and where: databases row by row, log files as they are, one at a time (a server's log of
    every statement is large after a long session)."""
    for database in ("airflow", "app"):
        with psycopg.connect(superuser_dsn(database), autocommit=True) as connection:
            tables = connection.execute(
                "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            for schema, table in tables:
                rows = connection.execute(
                    f"SELECT string_agg(t::text, E'\\n') FROM {quote(schema)}.{quote(table)} AS t"
                ).fetchone()
                yield f"{database}.{schema}.{table}", (rows[0] if rows else "") or ""
    roots = [Path(env["AIRFLOW_HOME"]), Path(env["SNOWMELT_SANDBOX_PG_STATEMENT_LOG"]).parent]
    roots.append(Path(env["SNOWMELT_SANDBOX_S3_LOG"]).parent)
    for root in roots:
        for folder, _, files in os.walk(root):
            for name in files:
                path = Path(folder) / name
                # Airflow's own settings file, which it writes for the signing of its tokens.
                if name != "simple_auth_manager_passwords.json.generated":
                    yield str(path), path.read_text(errors="replace")


def test_no_secret_is_kept_anywhere(ran, demo, sandbox):
    hidden = secrets(demo.env)
    hits, searched, statements = [], [], False
    outputs = ((f"the output of job {index}", one.log) for index, one in enumerate(ran))
    for place, text in chain(kept(demo.env, sandbox.superuser_dsn), outputs):
        searched.append(place)
        statements |= place.endswith("postgres.json") and "CREATE" in text
        hits += [
            (name, place)
            for name, secret in hidden.items()
            if secret in text or json.dumps(secret)[1:-1] in text
            # The sandbox's own preparations: CREATE ROLE … PASSWORD, by its superuser, before anything ran.
            if not (place.endswith("postgres.json") and "PASSWORD" in text.split(secret)[0][-40:].upper())
        ]
    assert "airflow.public.xcom" in searched
    assert "airflow.public.rendered_task_instance_fields" in searched
    assert "app.snowmelt.run" in searched
    assert statements
    assert any(place.endswith(".log") for place in searched)
    assert hits == []


def test_no_field_is_rendered_from_data(ran, sandbox):
    """`49` and `***` would be a rendered template; the filter's braces stand in the ledger, not among the fields."""
    with psycopg.connect(sandbox.superuser_dsn("airflow")) as connection:
        rows = connection.execute(
            "SELECT task_id, rendered_fields::text FROM rendered_task_instance_fields "
            "WHERE task_id = 'unload' AND run_id = %s",
            (ran[0].run_id,),
        ).fetchall()
    assert rows
    for _, text in rows:
        assert set(json.loads(text)) == {"run_id"}, text
        assert "***" not in text
        assert "49" not in text
