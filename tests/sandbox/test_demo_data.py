"""`python -m sandbox fill`: the demo's tables, seen by the real connector."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from sandbox.demo_data import demo_tables, surroundings
from tests.sandbox.sandbox_copy import CHECKOUT, Sandbox

ROWS = 5000
FACT = "ANALYTICS.BI.FACTVISITCALLPERFORMANCE_CR"
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning", "ignore::ResourceWarning"
    ),  # the connector's own
]


@pytest.fixture(scope="module")
def sandbox():
    with tempfile.TemporaryDirectory(prefix="snowmelt-demo-") as folder:
        Path(folder).chmod(0o755)
        sandbox = Sandbox(CHECKOUT, Path(folder) / "state")
        sandbox.run("up")
        assert f"{FACT}: {ROWS:,} rows in " in sandbox.run("fill", "--rows", str(ROWS))
        yield sandbox
        sandbox.run("down", "--purge")


@pytest.fixture(scope="module")
def query(sandbox):
    import snowflake.connector

    env = sandbox.env_by_shell()
    given = json.loads(env["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    names = ("account", "host", "port", "database", "warehouse", "role", "insecure_mode")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", env["REQUESTS_CA_BUNDLE"])
        with snowflake.connector.connect(
            user=given["login"], password=given["password"], schema=given["schema"],
            **{name: given["extra"][name] for name in names},
        ) as connection:  # fmt: skip
            yield lambda sql: connection.cursor().execute(sql).fetchall()


def test_a_second_fill_changes_nothing_and_another_size_makes_it_anew(sandbox, query):
    before = query(f"SELECT HASH_AGG(*) FROM {FACT}")
    log = Path(sandbox.env_by_shell()["SNOWMELT_SANDBOX_SNOWFLAKE_STATEMENT_LOG"])
    length = len(log.read_text())
    assert sandbox.run("fill", "--rows", str(ROWS)).splitlines() == [
        "ANALYTICS.BI.DIMPAYER: 500 rows are there",
        f"{FACT}: {ROWS:,} rows are there",
    ]
    assert "INSERT" not in log.read_text()[length:]
    assert "ANALYTICS.BI.DIMPAYER: 500 rows are there" in sandbox.run("fill", "--rows", "7")
    assert query(f"SELECT COUNT(*) FROM {FACT}") == [(7,)]
    sandbox.run("fill", "--rows", str(ROWS))
    assert query(f"SELECT HASH_AGG(*) FROM {FACT}") == before


def test_rows_and_keys(query):
    assert query(f'SELECT COUNT(*), COUNT(DISTINCT "Visit Id"), MIN("Visit Id") FROM {FACT}') == [
        (ROWS, ROWS, 1000000)
    ]
    assert query(
        "SELECT COUNT(*), COUNT(DISTINCT PAYER_KEY), COUNT(DISTINCT PAYER_CODE) FROM ANALYTICS.BI.DIMPAYER"
    ) == [(500, 500, 500)]
    orphans = (
        f"SELECT COUNT(*) FROM {FACT} WHERE PAYER_KEY NOT IN (SELECT PAYER_KEY FROM ANALYTICS.BI.DIMPAYER)"
    )
    assert query(orphans) == [(0,)]
    keys = [row[4] for row in query(f"SHOW PRIMARY KEYS IN TABLE {FACT}")]
    assert keys == ["Visit Id"]


@pytest.mark.parametrize(
    ("condition", "least", "most"),
    [
        ("FIRST_CONTACT IS NULL", 0.85, 0.95),
        ("RARE_REMARK IS NULL", 0.85, 0.95),
        ("EMPTY_OR_NULL = ''", 0.2, 0.5),
        ("EMPTY_OR_NULL IS NULL", 0.2, 0.5),
        ("BIRTH_DATE < '1582-10-15'", 0.0001, 0.01),
        ("BIRTH_DATE = '9999-12-31'", 0.0001, 0.01),
        ("BIRTH_DATE < '1970-01-01'", 0.2, 0.8),
        ("FIRST_CONTACT < '1970-01-01'", 0.01, 0.1),
        ("PAID_AMOUNT < 0", 0.01, 0.2),
        ("ABS(EXACT_TOTAL) > 90000000000000000000000000000000000000", 0.99, 1),
        ("SCORE = 'NaN'::FLOAT", 0.0001, 0.01),
        ("SCORE = 'inf'::FLOAT", 0.0001, 0.01),
        ("LENGTH(NOTES) > 10000", 0.0001, 0.01),
        ("NOTES LIKE '%' || CHR(10) || '%'", 0.02, 0.3),
        ("CONTAINS(NOTES, CHR(92))", 0.05, 0.5),
        ("CONTAINS(\"Patient Name\", '𝄞')", 0.02, 0.3),
        ("DATE_PART(EPOCH_MICROSECOND, LAST_MODIFIED) % 1000 <> 0", 0.9, 1),
        ("DETAILS IS NULL", 0.01, 0.2),
        ("IS_NULL_VALUE(DETAILS)", 0.01, 0.2),
        ("SIGNATURE IS NULL", 0.3, 0.7),
    ],
)
def test_every_kind_of_value_is_there(query, condition, least, most):
    share = query(f"SELECT COUNT_IF({condition}) FROM {FACT}")[0][0] / ROWS
    assert least <= share <= most


def test_offsets_differ(query):
    offsets = query(
        f"SELECT DISTINCT RIGHT(TO_VARCHAR(\"Check In\", 'YYYY-MM-DD TZH:TZM'), 6) FROM {FACT} ORDER BY 1"
    )
    assert [row[0] for row in offsets] == [
        "+00:00",
        "+01:00",
        "+05:30",
        "+13:45",
        "-03:30",
        "-05:00",
        "-08:00",
    ]


def test_declared_as_a_real_table(query):
    columns = query(
        "SELECT COLUMN_NAME, DATA_TYPE, IS_NULLABLE FROM ANALYTICS.INFORMATION_SCHEMA.COLUMNS"
        " WHERE TABLE_NAME = 'FACTVISITCALLPERFORMANCE_CR' ORDER BY ORDINAL_POSITION"
    )
    assert len(columns) == 42
    assert columns[0] == ("Visit Id", "NUMBER", "NO")
    assert {
        "TIMESTAMP_TZ",
        "TIMESTAMP_LTZ",
        "TIMESTAMP_NTZ",
        "VARIANT",
        "ARRAY",
        "OBJECT",
        "BINARY",
        "TIME",
        "FLOAT",
    } <= {column[1] for column in columns}


def test_the_names_are_those_of_the_configuration():
    config = json.loads((CHECKOUT / "include" / "config" / "s3copyconfig.json").read_text())
    unload = config["snowflake_unload"]
    stage = f"{unload['stage_database']}.{unload['stage_schema']}.{unload['stage_name']}"
    created = " ".join(surroundings("bucket"))
    assert f"STAGE IF NOT EXISTS {stage} " in created
    assert f"STORAGE INTEGRATION IF NOT EXISTS {unload['storage_integration']} " in created
    source = config["sources"][0]
    configured = {
        f"{source['source_database']}.{source['source_schema']}.{table['source']}"
        for table in source["tables"]
    }
    made = {table.name: {column.name.strip('"') for column in table.columns} for table in demo_tables(1)}
    assert configured == set(made)
    for table in source["tables"]:
        named = {
            table.get("chunking_column"),
            table.get("watermark_column"),
            *table.get("uniqueness_columns", []),
        } - {None}
        assert named <= made[f"ANALYTICS.BI.{table['source']}"]


def test_without_a_server_it_says_so():
    with tempfile.TemporaryDirectory() as folder:
        output = Sandbox(CHECKOUT, Path(folder) / "state").run("fill", code=1)
    assert "The Snowflake stand-in does not run. Start it first: make sandbox" in output
