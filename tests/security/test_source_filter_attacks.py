"""Attacks on the one free SQL text. Each is refused by the form, by the operator, and before anything reaches Snowflake."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError
from snowmelt.sql.predicate import FUNCTIONS, find_filter_faults, find_unknown_functions

ATTACKS = [
    # another statement
    "1=1; DROP TABLE victim", "1=1;", "TRUE\n;\nCALL p()", "1=1)); DROP TABLE victim; --", "EXECUTE IMMEDIATE 'DROP TABLE x'",
    "BEGIN DROP TABLE x; END", "1=1 ; -- ", "CALL p()", "1=1 -> SELECT 2", "1=1 ->> DROP TABLE x",
    # another query or clause
    "1=1) UNION ALL SELECT * FROM (SELECT 1", "ID IN (SELECT ID FROM payroll)", "EXISTS (TABLE payroll)", "ID = ANY (VALUES (1))",
    "ID = (WITH x AS (SELECT 1) SELECT * FROM x)", "1=1 ORDER BY 1", "1=1 LIMIT 1", "1=1 QUALIFY 1=1", "1=1 GROUP BY ID", "1=1 HAVING 1=1",
    "ID IN (FROM payroll)", "1=1 FETCH FIRST 1 ROW ONLY", "1=1 MATCH_RECOGNIZE (x)", "1=1 AT (OFFSET => -60)", "1=1 CONNECT BY PRIOR ID = ID",
    "ID IN (SELECT $1 FROM @stage)", "1=1 FOR UPDATE", "1=1 MINUS (SELECT 1)", "1=1 INTERSECT SELECT 1", "LATERAL FLATTEN(input => x) = 1",
    # comments
    "1=1 -- x", "1=1 // x", "1=1 /* x */", "1=1 /*", "*/ 1=1", "1=1 --", "1 /**/ = 1",
    # quotes
    "NAME = 'x", 'NAME" = 1', "NAME = $$x$$", "NAME = $$'; DROP TABLE victim; --$$", "NAME = $tag$x$tag$", "NAME = 'a\\'",
    "NAME = '\\u0027' OR 1=1; --", "NAME = '\\x27' ; x", 'NAME = "a""', "NAME = 'a''", "NAME = `a`", "NAME = ‘x’", "NAME ＝ 1", "NAME = 1；x",
    # stages, variables, placeholders
    "@stage IS NOT NULL", "NAME = @~/x", "$1 = 1", "$x = 1", "NAME = ?", "NAME = :x", "NAME = &x", "NAME = {{ params.x }}", "NAME = {x}", "!x",
    "IDENTIFIER('payroll') = 1", "IDENTIFIER ('x') = 1", "TABLE('x') = 1",
    # functions that reach out, act, or are somebody's own
    "SYSTEM$CANCEL_ALL_QUERIES(1) = 'x'", "system$wait(100) = 'x'", "SYSTEM$ABORT_SESSION(1) = 'x'", "SYSTEM$SEND_EMAIL('a','b','c','d') = ''",
    "SYSTEM$WAIT (5) = 1", '"SYSTEM$WAIT"(5) = 1', "my_udf(ID) = 1", "MY_UDF (ID)", '"My Udf"(ID) = 1', "db.sch.fn(ID) = 1", "sch.fn(ID) = 1",
    "EXTERNAL_FN(NAME) = 1", "SNOWFLAKE.CORTEX.COMPLETE('m', NAME) = 'x'", "AI_COMPLETE('m', NAME) = 'x'", "AI_FILTER(NAME)", "GETVARIABLE('X') = 'y'",
    "TO_FILE('@s', 'x') IS NULL", "TO_FILE(NAME) IS NULL", "READ_FILE(NAME) = 'x'", "GET_PRESIGNED_URL('s', 'x') = 'y'", "BUILD_SCOPED_FILE_URL('s','x')='y'",
    "RESULT_SCAN(LAST_QUERY_ID()) = 1", "LAST_QUERY_ID() = 'x'", "RANDOM() > 1", "UUID_STRING() = 'x'", "SEQ4() = 1", "s.NEXTVAL = 1", "UNIFORM(1, 2, 3) = 1",
    "GENERATOR(1) = 1", "FLATTEN(x) = 1", "IFF(my_udf(ID), TRUE, FALSE)", "UPPER(\"evil\"(NAME)) = 'X'", "db.sch.UPPER(NAME) = 'X'", "a.UPPER(NAME) = 'X'",
    "ID = NUMBER(1)", "VARCHAR(NAME) = 'x'", "TO_QUERY('x') = 1", "ENCRYPT(NAME, 'k') = 'x'",
    # many rows, or none
    "COUNT(*) > 1", "MAX(ID) = 1", "ROW_NUMBER() OVER (ORDER BY ID) = 1", "*", "ID, NAME", "ID AS x", "1", "'x'", "NULL", "",
    # what cannot be seen
    "ID\x00 = 1", "ID = 1\x00", "NAME = 'a\x00'", "ID\u200b = 1", "NAME = '\u202e'", "ID\u00a0= 1", "ID = 1\x1b[2J", "ІD = 1", "ID = １",
    # size
    "(" * 100 + "TRUE" + ")" * 100, "NAME = '" + "x" * 20_001 + "'", " OR ".join(["ID = 1"] * 5000),
]  # fmt: skip


@pytest.mark.parametrize("text", ATTACKS, ids=range(len(ATTACKS)))
def test_an_attack_is_refused(text):
    faults = find_filter_faults(text)
    assert faults, text
    assert all(len(fault) < 500 and "\x00" not in fault for fault in faults)


def test_none_of_them_reaches_snowflake(world, ears):
    world.sql("CREATE TABLE T (ID INT, NAME VARCHAR)")
    heard = ears()
    for text in ATTACKS:
        if text.strip():
            with pytest.raises(ConfigurationError):
                world.plan({"source": "T"}, source_filter=text)
    assert heard.snowflake() == []


@pytest.mark.parametrize("text", ["1=1; DROP TABLE x", "my_udf(ID)", "ID IN (SELECT 1)", "{{ x }}"])
def test_the_operator_by_itself_refuses_them_too(world, ears, text):
    from snowmelt.sql.names import TableName
    from snowmelt.unload.chunk import submit_unload
    from snowmelt.unload.chunks import Chunk
    from snowmelt.unload.statements import UnloadRequest

    request = UnloadRequest(
        source=TableName("TESTS", world.schema, "T"), path="x/", stage="UTIL.STAGING.SNOWMELT_STAGE", integration="", bucket="",
        columns=(("ID", '"ID"'),), where=text, chunk=Chunk(0, "", None, "all"), snapshot=None, row_limit=0,
        file_format="parquet", compression="snappy", max_file_bytes=1000,
    )  # fmt: skip
    heard = ears()
    with pytest.raises(ConfigurationError):
        submit_unload(world.snowflake, request)
    assert not any("COPY" in sql for sql in heard.snowflake())


HARMLESS = [
    '"Visit Id" > 5 AND UPPER(NAME) = \'X\'', "x::NUMBER(10, 2) > 1", "CAST(x AS VARCHAR(5)) = 'x'", "x IN (1, 2) AND (y OR NOT (z))",
    "CASE WHEN (a) THEN (b) ELSE (c) END", "LAST_MODIFIED >= DATEADD(DAY, -1, CURRENT_TIMESTAMP())", "EXTRACT(YEAR FROM (d)) = 2024",
    "COALESCE(a, b) IS NOT NULL", "NAME LIKE ANY ('a%', 'b%')", "data:a.b[0]::STRING = 'x'", "TRY_TO_NUMBER(x, 10, 2) > 1", "HASH(a, b) % 10 = 1",
    "TO_DATE(x) BETWEEN ('2024-01-01') AND ('2024-02-01')", "NAME = 'my_udf(x)'", '"my_udf" > (1)', "name = 'SYSTEM$WAIT(1)'",
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_a_filter_of_snowflakes_own_functions_passes(text):
    assert find_filter_faults(text) == []


def test_the_list_is_of_functions_alone():
    assert not FUNCTIONS & {
        "SELECT",
        "RANDOM",
        "TABLE",
        "IDENTIFIER",
        "RESULT_SCAN",
        "TO_FILE",
        "TO_QUERY",
        "GETVARIABLE",
    }
    assert not any(name.startswith(("SYSTEM$", "AI_", "SEQ")) for name in FUNCTIONS)
    assert find_unknown_functions("UPPER(x) = lower ( y ) AND z(1) AND z(2)") == ["z"]
