"""Micro-partitions, pruning and cheap statistics as Snowflake documents them: pages below docs.snowflake.com/en."""

from __future__ import annotations

import json

import pytest

from tests.sandbox.snowflake_server import Client

#: Rows of one partition in the stand-in.
ROWS = 10_000


@pytest.fixture(scope="module")
def wide(shared) -> Client:
    """Five partitions: ID grows with them, MIXED is the same in each, DAY grows and has a NULL partition."""
    shared.rows(
        f"CREATE TABLE T AS SELECT SEQ8() AS ID, MOD(SEQ8() * 7919, 50000) AS MIXED,"
        f" IFF(SEQ8() < {ROWS}, NULL, DATEADD(DAY, FLOOR(SEQ8() / {ROWS}), '2024-01-01'::DATE)) AS DAY,"
        f" DATEADD(SECOND, SEQ8(), '2024-01-01'::TIMESTAMP_NTZ) AS AT FROM TABLE(GENERATOR(ROWCOUNT => {5 * ROWS}))"
    )
    return shared


def explained(client: Client, query: str) -> tuple[int, int]:
    """partitionsAssigned and partitionsTotal."""
    found = json.loads(client.one(f"EXPLAIN USING JSON {query}"))
    assert {"partitionsTotal", "partitionsAssigned", "bytesAssigned"} == set(found["GlobalStats"])
    return found["GlobalStats"]["partitionsAssigned"], found["GlobalStats"]["partitionsTotal"]


@pytest.mark.parametrize(
    ("condition", "assigned"),
    [
        ("TRUE", 5),
        ("ID < 10000", 1),
        ("ID <= 10000", 2),
        ("15000 > ID", 2),
        ("ID >= 20000 AND ID < 30000", 1),
        ("ID BETWEEN 9999 AND 20000", 3),
        ("ID = 1 OR ID = 49999", 2),
        ("ID IN (1, 2, 10001)", 2),
        ("ID > 100000", 0),
        ("MIXED < 10000", 5),
        ("DAY >= '2024-01-04'::DATE", 2),
        ("DAY < '2030-01-01'", 4),
        ("AT < '2024-01-01 02:00:00'::TIMESTAMP_NTZ", 1),
        ("ID::NUMBER(12,2) < 10000", 1),
        ("ABS(ID) < 10000", 5),
        ("1 = 0", 0),
    ],
)
def test_explain_counts_the_partitions_whose_ranges_meet_the_conditions(wide, condition, assigned):
    """sql-reference/sql/explain, user-guide/tables-clustering-micropartitions (query pruning)."""
    assert explained(wide, f"SELECT * FROM T WHERE {condition}") == (assigned, 5)


def test_explain_looks_through_views_and_queries_that_hand_columns_on(wide):
    wide.rows("CREATE OR REPLACE VIEW V AS SELECT ID AS KEY, AT FROM T")
    assert explained(wide, "SELECT * FROM V WHERE KEY < 5") == (1, 5)
    assert explained(wide, "SELECT N FROM (SELECT ID N FROM T WHERE ID >= 10000) WHERE N < 20000") == (1, 5)
    assert explained(wide, "SELECT A.ID FROM T A JOIN T B ON A.ID = B.ID WHERE A.ID < 5") == (6, 10)
    assert explained(wide, "SELECT MAX(ID) OVER () M FROM T") == (5, 5)


def test_explain_knows_the_past(wide):
    wide.rows("CREATE OR REPLACE TABLE P AS SELECT SEQ8() ID FROM TABLE(GENERATOR(ROWCOUNT => 15000))")
    moment = wide.one("SELECT CURRENT_TIMESTAMP()::VARCHAR")
    wide.rows("INSERT INTO P SELECT SEQ8() + 15000 FROM TABLE(GENERATOR(ROWCOUNT => 15000))")
    assert explained(wide, f"SELECT * FROM P AT (TIMESTAMP => '{moment}'::TIMESTAMP_LTZ)") == (2, 2)
    assert explained(wide, "SELECT * FROM P WHERE ID >= 20000") == (1, 3)


def test_explain_in_a_table_has_a_line_for_each_scan(wide):
    """sql-reference/sql/explain: TABULAR is the default."""
    cursor = wide.run("EXPLAIN SELECT * FROM T WHERE ID < 10000")
    names = [c.name for c in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert [row["operation"] for row in rows] == ["GlobalStats", "Result", "TableScan"]
    assert (rows[2]["partitionsAssigned"], rows[2]["partitionsTotal"]) == (1, 5)
    assert rows[2]["objects"] == f"{wide.database}.S.T"


def test_explain_says_what_is_wrong_with_a_query(wide):
    assert wide.refused("EXPLAIN USING JSON SELECT NOT_THERE FROM T").errno == 904
    assert wide.refused("EXPLAIN USING JSON SELECT 1 FROM NOT_THERE").errno == 2003


def test_clustering_information_tells_how_partitions_overlap(wide):
    """sql-reference/functions/system_clustering_information."""
    sorted_by = json.loads(wide.one("SELECT SYSTEM$CLUSTERING_INFORMATION('T', '(ID)')"))
    assert sorted_by["cluster_by_keys"] == "LINEAR(ID)"
    assert (sorted_by["total_partition_count"], sorted_by["average_overlaps"]) == (5, 0)
    assert (sorted_by["average_depth"], sorted_by["partition_depth_histogram"]) == (1, {"00001": 5})
    mixed = json.loads(wide.one("SELECT SYSTEM$CLUSTERING_INFORMATION('T', '(MIXED, ID)')"))
    assert (mixed["average_overlaps"], mixed["average_depth"]) == (4, 5)
    days = json.loads(wide.one("SELECT SYSTEM$CLUSTERING_INFORMATION('T', '(DAY)')"))
    assert days["total_constant_partition_count"] == 5
    assert "is not clustered" in wide.refused("SELECT SYSTEM$CLUSTERING_INFORMATION('T')").msg
    wide.rows("CREATE OR REPLACE TABLE C CLUSTER BY (ID) AS SELECT ID FROM T")
    assert json.loads(wide.one("SELECT SYSTEM$CLUSTERING_INFORMATION('C')"))["average_depth"] == 1


def test_a_system_sample_takes_whole_partitions(wide):
    """sql-reference/constructs/sample: SYSTEM takes each block with that probability."""
    assert wide.one("SELECT COUNT(*) FROM T SAMPLE SYSTEM (100)") == 5 * ROWS
    assert wide.one("SELECT COUNT(*) FROM T SAMPLE SYSTEM (0)") == 0
    taken = {wide.one(f"SELECT COUNT(*) FROM T TABLESAMPLE BLOCK (50) SEED ({seed})") for seed in range(12)}
    assert len(taken) > 1
    assert {count % ROWS for count in taken} == {0}
    assert wide.one("SELECT COUNT(*) FROM T AT (OFFSET => 0) SAMPLE SYSTEM (100)") == 5 * ROWS
    assert "fixed size" in wide.refused("SELECT COUNT(*) FROM T SAMPLE SYSTEM (10 ROWS)").msg


def test_approximate_percentiles_and_equal_buckets(wide):
    """sql-reference/functions/approx_percentile, sql-reference/functions/width_bucket."""
    assert wide.one("SELECT APPROX_PERCENTILE(ID, 0.5) FROM T") == pytest.approx(25_000, rel=0.05)
    assert wide.one("SELECT APPROX_PERCENTILE(ID, 0.9) FROM T SAMPLE SYSTEM (100)") == pytest.approx(
        45_000, rel=0.05
    )
    buckets = "SELECT WIDTH_BUCKET(ID, 0, 50000, 5) B, COUNT(*), MIN(ID) FROM T GROUP BY B ORDER BY B"
    assert wide.rows(buckets) == [(i + 1, ROWS, i * ROWS) for i in range(5)]
