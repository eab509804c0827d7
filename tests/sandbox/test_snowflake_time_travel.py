"""AT and BEFORE answer from the past; statements see one snapshot."""

from __future__ import annotations

import threading
import time

import pytest

NOW = "SELECT TO_VARCHAR(CURRENT_TIMESTAMP(), 'YYYY-MM-DD HH24:MI:SS.FF6 TZHTZM')"


@pytest.fixture
def table(client) -> str:
    """A table of two rows; returns a time at which it held just these."""
    client.rows("CREATE TABLE T (ID NUMBER(38,0), X VARCHAR, AT TIMESTAMP_TZ)")
    client.rows("INSERT INTO T VALUES (1, 'a', '2024-01-01 00:00:00 +05:30'), (2, 'b', NULL)")
    moment = client.one(NOW)
    time.sleep(0.01)
    return moment


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO T VALUES (3, 'c', NULL)",
        "UPDATE T SET X = 'changed' WHERE ID = 1",
        "DELETE FROM T WHERE ID = 1",
        "MERGE INTO T USING (SELECT 1 AS ID, 'm' AS X) S ON T.ID = S.ID WHEN MATCHED THEN UPDATE SET X = S.X",
        "TRUNCATE TABLE T",
        "INSERT OVERWRITE INTO T SELECT 9, 'z', NULL",
        "ALTER TABLE T ADD COLUMN MORE NUMBER",
        "ALTER TABLE T DROP COLUMN X",
    ],
)
def test_every_change_leaves_the_past_as_it_was(client, table, change):
    client.rows("INSERT INTO T VALUES (7, 'later', NULL)")
    client.rows("DELETE FROM T WHERE ID = 7")
    before = client.run(change).sfqid
    past = [(1, "a"), (2, "b")]
    at = f"AT(TIMESTAMP => '{table}'::TIMESTAMP_TZ)"
    assert client.rows(f"SELECT ID, X FROM T {at} ORDER BY ID") == past
    assert client.rows(f"SELECT COUNT(*), MAX(Q.X) FROM T {at} AS Q WHERE Q.ID > 0") == [(2, "b")]
    assert client.rows(f"SELECT S.ID FROM (SELECT ID FROM T {at}) S ORDER BY 1") == [(1,), (2,)]
    assert client.rows(f"SELECT ID, X FROM T BEFORE(STATEMENT => '{before}') ORDER BY ID") == past
    assert client.one(f"SELECT AT::VARCHAR FROM T {at} WHERE ID = 1") == "2024-01-01 00:00:00.000 +0530"


def test_many_versions_each_answer_for_their_time(client, table):
    moments = []
    for step in range(3, 8):
        client.rows(f"INSERT INTO T (ID) VALUES ({step})")
        if step == 5:
            client.rows("DELETE FROM T WHERE ID = 1")
        moments.append(client.one(NOW))
        time.sleep(0.005)
    counts = [client.one(f"SELECT COUNT(*) FROM T AT(TIMESTAMP => '{m}'::TIMESTAMP_LTZ)") for m in moments]
    assert counts == [3, 4, 4, 5, 6]


def test_an_unload_reads_the_pinned_snapshot(client, stage, table):
    client.rows("DELETE FROM T")
    [(name, _, rows)] = client.rows(
        f"COPY INTO @ST/t/ FROM (SELECT ID FROM T AT(TIMESTAMP => '{table}'::TIMESTAMP_TZ)) "
        "FILE_FORMAT = (TYPE = PARQUET) DETAILED_OUTPUT = TRUE"
    )
    assert (name, rows) == ("t/data_0_0_0.snappy.parquet", 2)


def test_offsets_and_expressions(client, table):
    time.sleep(5.1)
    client.rows("TRUNCATE TABLE T")
    assert client.one("SELECT COUNT(*) FROM T AT(OFFSET => -5)") == 2
    five_seconds_ago = "DATEADD(MILLISECOND, -5000, CURRENT_TIMESTAMP())"
    assert client.one(f"SELECT COUNT(*) FROM T AT(TIMESTAMP => {five_seconds_ago})") == 2
    assert client.one("SELECT COUNT(*) FROM T AT(TIMESTAMP => CURRENT_TIMESTAMP())") == 0
    utc = client.one("SELECT TO_VARCHAR(DATEADD(SECOND, -5, SYSDATE()), 'YYYY-MM-DD HH24:MI:SS.FF6')")
    assert client.one(f"SELECT COUNT(*) FROM T AT(TIMESTAMP => '{utc}'::TIMESTAMP_NTZ)") == 2


def test_before_creation_and_beyond_retention_are_refused(client, table):
    for at in ("AT(OFFSET => -3600)", "AT(TIMESTAMP => '2020-01-01 00:00:00 +0000'::TIMESTAMP_TZ)"):
        error = client.refused(f"SELECT * FROM T {at}")
        assert (error.errno, error.sqlstate) == (707, "02000")
        assert "Time travel data is not available for table T." in error.msg


def test_a_table_without_retention_has_no_past(client):
    client.rows("CREATE TABLE Z (ID NUMBER) DATA_RETENTION_TIME_IN_DAYS = 0")
    client.rows("INSERT INTO Z VALUES (1)")
    moment = client.one(NOW)
    client.rows("DELETE FROM Z")
    assert client.refused(f"SELECT * FROM Z AT(TIMESTAMP => '{moment}'::TIMESTAMP_TZ)").errno == 707
    assert client.one("SELECT RETENTION_TIME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'Z'") == 0


def test_a_replaced_table_starts_anew(client, table):
    client.rows("CREATE OR REPLACE TABLE T (ID NUMBER)")
    assert client.refused(f"SELECT * FROM T AT(TIMESTAMP => '{table}'::TIMESTAMP_TZ)").errno == 707


def test_a_statement_sees_one_state_while_others_write(client):
    client.rows("CREATE TABLE PAIRS (K NUMBER, V NUMBER)")
    client.rows("INSERT INTO PAIRS SELECT SEQ8(), 0 FROM TABLE(GENERATOR(ROWCOUNT => 1000))")
    stop = threading.Event()
    writer = client.again()

    def write() -> None:
        while not stop.is_set():
            writer.rows("UPDATE PAIRS SET V = V + 1")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        seen = [client.rows("SELECT MIN(V), MAX(V), COUNT(*) FROM PAIRS") for _ in range(15)]
    finally:
        stop.set()
        thread.join()
    assert all(low == high and count == 1000 for [(low, high, count)] in seen)
    assert seen[-1][0][0] > seen[0][0][0]


def test_a_transaction_is_seen_at_its_commit(client, table):
    other = client.again()
    client.rows("BEGIN")
    client.rows("INSERT INTO T (ID) VALUES (3)")
    client.rows("UPDATE T SET X = 'new'")
    assert client.rows("SELECT COUNT(*), MIN(X) FROM T") == [(3, "new")]
    assert other.rows("SELECT COUNT(*), MIN(X) FROM T") == [(2, "a")]
    client.rows("COMMIT")
    assert other.rows("SELECT COUNT(*), MIN(X) FROM T") == [(3, "new")]
    assert other.rows(f"SELECT COUNT(*), MIN(X) FROM T AT(TIMESTAMP => '{table}'::TIMESTAMP_TZ)") == [
        (2, "a")
    ]
    client.rows("BEGIN")
    client.rows("DELETE FROM T")
    client.rows("ROLLBACK")
    assert client.one("SELECT COUNT(*) FROM T") == 3


def test_a_past_moment_stays_the_same_while_rows_are_added(client):
    client.rows("CREATE TABLE GROWING (N NUMBER)")
    stop = threading.Event()
    writer = client.again()

    def write() -> None:
        while not stop.is_set():
            writer.rows("INSERT INTO GROWING VALUES (1)")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(10):
            at = f"AT(TIMESTAMP => '{client.one(NOW)}'::TIMESTAMP_TZ)"
            counts = {client.one(f"SELECT COUNT(*) FROM GROWING {at}") for _ in range(4)}
            assert len(counts) == 1
    finally:
        stop.set()
        thread.join()


def test_at_reaches_through_a_view_and_no_further(client, table):
    client.rows("CREATE VIEW V AS SELECT ID FROM T")
    client.rows("DELETE FROM T WHERE ID = 1")
    at = f"AT(TIMESTAMP => '{table}'::TIMESTAMP_TZ)"
    client.rows("CREATE OR REPLACE VIEW V AS SELECT ID FROM T")
    assert client.rows(f"SELECT P.ID, N.ID FROM V {at} P LEFT JOIN V N ON N.ID = P.ID ORDER BY 1") == [
        (1, None),
        (2, 2),
    ]
