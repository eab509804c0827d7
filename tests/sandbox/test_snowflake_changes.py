"""CHANGES gives the net difference of a tracked table between two instants, as the documentation says."""

from __future__ import annotations

import itertools
import time

import pytest
from snowflake.connector.errors import ProgrammingError

NOW = "SELECT TO_VARCHAR(CURRENT_TIMESTAMP(), 'YYYY-MM-DD HH24:MI:SS.FF6 TZHTZM')"


def moment(client) -> str:
    """An instant after everything before and before everything after."""
    found = client.one(NOW)
    time.sleep(0.01)
    return found


def between(since: str, until: str = "") -> str:
    end = f" END(TIMESTAMP => '{until}'::TIMESTAMP_TZ)" if until else ""
    return f"T CHANGES(INFORMATION => DEFAULT) AT(TIMESTAMP => '{since}'::TIMESTAMP_TZ){end}"


def read(client, since: str, until: str = "") -> list[tuple]:
    """(id, x, action, whether it is a part of an update), in their order."""
    return client.rows(
        f"SELECT ID, X, METADATA$ACTION, METADATA$ISUPDATE FROM {between(since, until)} ORDER BY 1, 3"
    )


@pytest.fixture
def table(client) -> str:
    client.rows("CREATE TABLE T (ID NUMBER(38,0), X VARCHAR, AT TIMESTAMP_TZ(9))")
    client.rows("ALTER TABLE T SET CHANGE_TRACKING = TRUE")
    client.rows(
        "INSERT INTO T VALUES (1, 'a', '2024-01-01 00:00:00.123456789 +05:30'), (2, 'b', NULL), (3, 'c', NULL)"
    )
    return moment(client)


MERGE = (
    "MERGE INTO T USING (SELECT 1 AS ID, 'm' AS X UNION ALL SELECT 5, 'n') S ON T.ID = S.ID "
    "WHEN MATCHED THEN UPDATE SET X = S.X WHEN NOT MATCHED THEN INSERT (ID, X) VALUES (S.ID, S.X)"
)

CASES = {
    "an insert": (["INSERT INTO T (ID, X) VALUES (4, 'd')"], [(4, "d", "INSERT", False)]),
    "an update": (
        ["UPDATE T SET X = 'z' WHERE ID = 1"],
        [(1, "z", "INSERT", True), (1, "a", "DELETE", True)],
    ),
    "a delete": (["DELETE FROM T WHERE ID = 2"], [(2, "b", "DELETE", False)]),
    "a truncate": (
        ["TRUNCATE TABLE T"],
        [(1, "a", "DELETE", False), (2, "b", "DELETE", False), (3, "c", "DELETE", False)],
    ),
    "inserted and deleted is nothing": (
        ["INSERT INTO T (ID, X) VALUES (4, 'd')", "DELETE FROM T WHERE ID = 4"],
        [],
    ),
    "inserted and updated is an insert": (
        ["INSERT INTO T (ID, X) VALUES (4, 'd')", "UPDATE T SET X = 'e' WHERE ID = 4"],
        [(4, "e", "INSERT", False)],
    ),
    "updated and deleted is a delete": (
        ["UPDATE T SET X = 'z' WHERE ID = 1", "DELETE FROM T WHERE ID = 1"],
        [(1, "a", "DELETE", False)],
    ),
    "updated twice is one update": (
        ["UPDATE T SET X = 'y' WHERE ID = 1", "UPDATE T SET X = 'z' WHERE ID = 1"],
        [(1, "z", "INSERT", True), (1, "a", "DELETE", True)],
    ),
    "deleted and inserted again is another row": (
        ["DELETE FROM T WHERE ID = 2", "INSERT INTO T (ID, X) VALUES (2, 'b')"],
        [(2, "b", "DELETE", False), (2, "b", "INSERT", False)],
    ),
    "an update of the key": (
        ["UPDATE T SET ID = 9 WHERE ID = 3"],
        [(3, "c", "DELETE", True), (9, "c", "INSERT", True)],
    ),
    "a merge": (
        [MERGE],
        [(1, "m", "INSERT", True), (1, "a", "DELETE", True), (5, "n", "INSERT", False)],
    ),
    "in a transaction": (
        ["BEGIN", "INSERT INTO T (ID, X) VALUES (4, 'd')", "DELETE FROM T WHERE ID = 2", "COMMIT"],
        [(2, "b", "DELETE", False), (4, "d", "INSERT", False)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_net_difference(client, table, case):
    statements, expected = CASES[case]
    for statement in statements:
        client.rows(statement)
    assert sorted(read(client, table)) == sorted(expected)
    assert sorted(read(client, table, moment(client))) == sorted(expected)


def test_consecutive_intervals_have_no_gap_and_no_overlap(client, table):
    moments = [table]
    for number in range(4, 9):
        client.rows(f"INSERT INTO T (ID, X) VALUES ({number}, 'n')")
        moments.append(moment(client))
    found = [read(client, a, b) for a, b in itertools.pairwise(moments)]
    assert found == [[(number, "n", "INSERT", False)] for number in range(4, 9)]
    assert read(client, moments[2], moments[2]) == []


def test_a_row_keeps_its_id_and_its_values_to_the_last_digit(client, table):
    client.rows("UPDATE T SET X = 'z' WHERE ID = 1")
    rows = client.rows(
        f"SELECT METADATA$ROW_ID, TO_VARCHAR(AT, 'YYYY-MM-DD HH24:MI:SS.FF9 TZHTZM') FROM {between(table)} ORDER BY METADATA$ACTION"
    )
    assert len({row[0] for row in rows}) == 1
    assert {row[1] for row in rows} == {"2024-01-01 00:00:00.123456789 +0530"}
    assert client.one(f"SELECT COUNT(*) FROM {between(table)} WHERE METADATA$ACTION = 'DELETE'") == 1
    names = [column.name for column in client.run(f"SELECT * FROM {between(table)}").description]
    assert names == ["ID", "X", "AT", "METADATA$ACTION", "METADATA$ISUPDATE", "METADATA$ROW_ID"]


def test_columns_that_came_in_between(client, table):
    client.rows("ALTER TABLE T ADD COLUMN MORE NUMBER")
    assert read(client, table) == []
    client.rows("UPDATE T SET MORE = 7 WHERE ID = 1")
    assert client.rows(f"SELECT METADATA$ACTION, MORE FROM {between(table)} ORDER BY 1") == [
        ("DELETE", None),
        ("INSERT", 7),
    ]


def test_what_is_not_tracked_is_refused(client, table):
    client.rows("CREATE TABLE U (ID NUMBER(38,0))")
    untracked = between(table).replace("T CHANGES", "U CHANGES", 1)
    with pytest.raises(ProgrammingError, match="before the object creation time"):
        client.rows(f"SELECT * FROM {untracked}")
    since = moment(client)
    message = r"Change tracking is not enabled or has been missing for the time range requested on table"
    untracked = between(since).replace("T CHANGES", "U CHANGES", 1)
    with pytest.raises(ProgrammingError, match=message):
        client.rows(f"SELECT * FROM {untracked}")
    client.rows("ALTER TABLE U SET CHANGE_TRACKING = TRUE")
    with pytest.raises(ProgrammingError, match=message):
        client.rows(f"SELECT * FROM {untracked}")
    client.rows("ALTER TABLE T SET CHANGE_TRACKING = FALSE")
    with pytest.raises(ProgrammingError, match=message):
        read(client, table)
    client.rows("CREATE VIEW W AS SELECT * FROM T")
    with pytest.raises(ProgrammingError, match="CHANGES"):
        client.rows(f"SELECT * FROM {between(since).replace('T CHANGES', 'W CHANGES', 1)}")


def test_show_tables_says_what_is_tracked(client):
    client.rows("CREATE TABLE A (ID NUMBER) CHANGE_TRACKING = TRUE")
    client.rows("CREATE TABLE B (ID NUMBER)")
    shown = client.run("SHOW TABLES")
    names = [column.name for column in shown.description]
    rows = [dict(zip(names, row, strict=True)) for row in shown.fetchall()]
    assert {row["name"]: row["change_tracking"] for row in rows} == {"A": "ON", "B": "OFF"}


def test_a_table_that_was_created_again_has_no_changes_of_before(client, table):
    client.rows("CREATE OR REPLACE TABLE T CHANGE_TRACKING = TRUE AS SELECT 1 AS ID, 'a' AS X")
    with pytest.raises(ProgrammingError, match="before the object creation time"):
        read(client, table)


def test_a_masking_policy_applies_to_what_has_changed(client, table):
    client.rows("CREATE MASKING POLICY M AS (V VARCHAR) RETURNS VARCHAR -> '***'")
    client.rows("ALTER TABLE T MODIFY COLUMN X SET MASKING POLICY M")
    client.rows("UPDATE T SET ID = 9 WHERE ID = 3")
    assert read(client, table) == [(3, "***", "DELETE", True), (9, "***", "INSERT", True)]
