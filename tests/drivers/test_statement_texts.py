"""The log of a run shows every statement that was sent to Snowflake, with its names quoted, and no secret."""

from __future__ import annotations

import json
import logging

from tests.security.logs import Ears


def test_each_statement_is_in_the_log(run_world, sandbox, caplog):
    run_world.sql(
        "CREATE TABLE T AS SELECT SEQ4()::NUMBER(9,0) \"Visit Id\", 'x' NAME FROM TABLE(GENERATOR(ROWCOUNT => 100))"
    )
    ears = Ears(sandbox.env)
    with caplog.at_level(logging.INFO, logger="snowmelt"):
        run_world.run({"source": "T", "chunking_column": '"Visit Id"', "chunk_rows": 40})
    # The connector reads the result of an earlier query by a statement of its own.
    sent = [sql for sql in ears.snowflake() if "result_scan" not in sql]
    shown = caplog.text
    assert len([sql for sql in sent if sql.startswith("COPY INTO")]) >= 4
    for sql in sent:
        assert f"To Snowflake: {sql[:4000]}" in shown
    assert f'FROM "TESTS"."{run_world.schema}"."T" AT(TIMESTAMP => ' in shown
    for name, value in sandbox.env.items():
        if name.startswith("AIRFLOW_CONN_"):
            secret = json.loads(value).get("password")
            assert not secret or len(secret) < 5 or secret not in shown, name
        elif "SECRET" in name:
            assert value not in shown, name
