"""The one free SQL text: what is a filter, what is not, and that nothing gets out of its parentheses."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from snowmelt.errors import ConfigurationError
from snowmelt.sql.predicate import find_filter_faults, parse_source_filter
from snowmelt.sql.text import find_text_faults

FILTERS = [
    '"Visit Id" > 5',
    "a = 1 AND b = 2 OR NOT c",
    "x IS NULL",
    "x IS DISTINCT FROM y",
    "x IN (1, 2, 3)",
    "(a, b) IN ((1, 2), (3, 4))",
    "x BETWEEN 1 AND 2",
    "name LIKE 'a;b--c%'",
    "name LIKE 'a!_%' ESCAPE '!'",
    "name ILIKE ANY ('a', 'b')",
    "REGEXP_LIKE(name, '\\\\d+')",
    "name = 'it''s'",
    "name = 'it\\'s'",
    "name = 'ünïcode 😀'",
    '"a""b" = 1',
    '"semi;colon -- /*" = 1',
    '"SELECT" = 1',
    "flag",
    "TRUE",
    "(flag)",
    "data:key.other[0]::string = 'x'",
    "data['key'] = 2",
    "STARTSWITH(name, 'x')",
    "CASE WHEN a THEN TRUE ELSE FALSE END",
    "IFF(a, b, c)",
    "x::date = '2024-01-01'",
    "LAST_MODIFIED >= '2024-01-01'::TIMESTAMP_TZ",
    '"DAY" >= DATEADD(day, -30, CURRENT_DATE())',
    "EXTRACT(YEAR FROM d) = 2024",
    "MOD(id, 10) = 3",
    "a = 1\n  AND b = 2",
    "ARRAY_CONTAINS(1::variant, list)",
]


@pytest.mark.parametrize("text", FILTERS)
def test_filters(text):
    assert parse_source_filter(f"  {text}\n").sql == text


REFUSED = [
    ("", "it is empty; leave the filter out to copy every row"),
    ("WHERE a = 1", "it begins with WHERE at character 1; leave that word out"),
    ("a = 1; DROP TABLE x", "a statement separator at character 6: ; DROP TABLE x"),
    ("a = 1 -- x", "a comment, which could swallow what follows at character 7: -- x"),
    ("a = 1 // x", "a comment, which could swallow what follows at character 7: // x"),
    ("a = 1 /* x */", "a comment, which could swallow what follows at character 7: /* x */"),
    ("a = 1) OR (1 = 1", "a bracket that was never opened at character 6: )"),
    ("(a = 1", "a bracket that is never closed at character 1: ("),
    ("(a = [1)]", "a bracket that was never opened at character 8: )"),
    ("a = 'x", "a text that is never closed at character 5: 'x"),
    ("a = 'x\\'", "a text that is never closed at character 5: 'x\\'"),
    ('a = "x', 'a quoted name that is never closed at character 5: "x'),
    ("a = $$x$$", "a dollar-quoted text at character 5: $$x$$"),
    ("a = $x", "a variable or dollar-quoted text at character 5: $x"),
    ("a = &x", "a variable at character 5: &x"),
    ("a = ?", "a placeholder at character 5: ?"),
    ("a = :x", "a variable, :x: write its value"),
    ("a = @stage", "a stage at character 5: @stage"),
    ("{{ params.x }}", "a brace at character 1: {{ params.x }}"),
    ("a = 1 ->> SELECT 1", "an arrow at character 7: ->> SELECT 1"),
    ("a IN (SELECT 1)", "the word SELECT, which begins something else at character 7: SELECT"),
    ("EXISTS (SELECT 1 FROM t)", "the word SELECT, which begins something else at character 9: SELECT"),
    ("a = 1 ORDER BY b", "the word ORDER, which begins something else at character 7: ORDER"),
    ("DELETE FROM t", "the word DELETE, which begins something else at character 1: DELETE"),
    ("a IN (TABLE(x))", "the word TABLE, which begins something else at character 7: TABLE"),
    ("SYSTEM$CANCEL_QUERY('x') IS NULL", "a system function at character 1: SYSTEM$CANCEL_QUERY"),
    ("IDENTIFIER('x') = 1", "a name that is made while the statement runs at character 11: IDENTIFIER("),
    ("a\u200b = 1", "the character '\\u200b' at character 2: \\u200b = 1"),
    ("а = 1", "the character '\\u0430' at character 1: а = 1"),
    ("a = '\u202e'", "a character that cannot be seen at character 6: '\\u202e'"),
    ("a = '\x00'", "a character that cannot be seen at character 6: '\\x00'"),
    ("(" * 60 + "a" + ")" * 60, "brackets nested more than 50 deep at character 51: ("),
    ("a" * 20_001, "more than 20,000 characters at character 20001: …"),
    ("a = 1 LIMIT 5", "it cannot be read as an expression from character 7 on: LIMIT 5"),
    ("(a = 1) AND", "it breaks off: something is missing at its end"),
    ("a b", None),
    ("CALL x()", None),
    ("a = 1 AT (TIMESTAMP => x)", None),
    ("NOT " * 4000 + "a", "it is nested too deeply to be read"),
    ("a, b", "it is more than one expression"),
    ("*", "a star"),
    ("1", "1 is neither true nor false for a row; compare it with something"),
    ("'x'", "'x' is neither true nor false for a row; compare it with something"),
    ("a + 1", "a + 1 is neither true nor false for a row; compare it with something"),
    ("NULL", "NULL is neither true nor false for a row; compare it with something"),
    ("CURRENT_DATE", "CURRENT_DATE is neither true nor false for a row; compare it with something"),
    ("MAX(a) > 1", "MAX(a), which looks at many rows: WHERE looks at one"),
    ("RANDOM() > 5", None),
    ("UUID_STRING() = a", None),
    ("SEQ4() = 1", "the function SEQ4: a filter looks at the row alone, and gives the same answer each time"),
    ("seq.NEXTVAL > 1", "a sequence, seq.NEXTVAL"),
    (
        "db.sch.fn(a) = 1",
        "the function db.sch.fn(a): only Snowflake's own functions, without a schema, are allowed",
    ),
]


@pytest.mark.parametrize(("text", "fault"), REFUSED)
def test_an_invalid_filter(text, fault):
    with pytest.raises(ConfigurationError) as raised:
        parse_source_filter(text)
    assert raised.value.faults
    if fault is not None:
        assert raised.value.faults[0] == fault


SUBQUERIES = [
    "ID IN (SELECT KEY FROM OTHER)",
    "EXISTS (SELECT 1 FROM A.B.C c WHERE c.ID = T.ID AND c.X > 3)",
    "X > (SELECT MAX(Y) FROM Z) AND Y = 1",
    "ID IN (SELECT ID FROM A UNION SELECT ID FROM B)",
    "ID NOT IN (SELECT c.ID FROM A c JOIN B USING (ID) GROUP BY c.ID HAVING COUNT(*) > 1)",
    "ID = ANY (SELECT ID FROM A ORDER BY ID LIMIT 3)",
]


@pytest.mark.parametrize("text", SUBQUERIES)
def test_subqueries_only_where_they_are_allowed(text):
    assert parse_source_filter(text, subqueries=True).sql == text
    assert "which begins something else" in find_filter_faults(text)[0]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ID IN (SELECT ID FROM A) UNION SELECT 1", "the word UNION, which begins something else"),
        ("SELECT 1", "the word SELECT, which begins something else"),
        ("(SELECT 1)", "it is more than one expression"),
        ("ID IN (SELECT ID FROM A) AND COUNT(*) > 1", "COUNT(*), which looks at many rows"),
        ("ID IN (SELECT T.ID FROM '@stage/x' T)", "a stage or table function, '@stage/x' AS T"),
        ("ID IN (SELECT ID FROM TABLE(F(1)))", "the word TABLE"),
        ("ID IN (SELECT ID FROM DB.F(1))", "a stage or table function"),
        ("ID IN (SELECT F(ID) FROM A)", "the function F, which is not known"),
        ("ID IN (SELECT RANDOM() FROM A)", "the function RAND"),
        ("ID IN (SELECT S.NEXTVAL FROM A)", "a sequence, S.NEXTVAL"),
        ("ID IN (SELECT SYSTEM$WAIT(3))", "a system function"),
        ("ID IN (SELECT ID INTO X FROM A)", "the word INTO"),
        ("ID IN (INSERT INTO A SELECT 1)", "the word INSERT"),
        ("ID IN (WITH A AS (SELECT 1) SELECT 1)", "the word WITH"),
        ("ID IN (SELECT 1); DROP TABLE A", "a statement separator"),
    ],
)
def test_what_no_subquery_may_hold(text, fault):
    assert any(fault in found for found in find_filter_faults(text, subqueries=True))


def test_the_message():
    with pytest.raises(ConfigurationError) as raised:
        parse_source_filter("a = 1; DROP TABLE x")
    assert str(raised.value) == (
        "source_filter is not one predicate. Write one condition, such as \"Clinic\" = 'North' AND LAST_MODIFIED >= "
        "'2024-01-01'.\n  - a statement separator at character 6: ; DROP TABLE x"
    )


PIECES = st.sampled_from(
    [
        *FILTERS, "a", "1", "'", "''", '"', "(", ")", "[", "]", "--", "//", "/*", "*/", ";", "$$", "\\", "\\'", "\n", " ",
        " AND ", " OR ", "NOT ", "=", "SELECT", "UNION ", "FROM t", "@s", "{{", "'x'", '"x"', ",", "::int", ":x", "?", "->>",
        "SYSTEM$X()", "TABLE(", "WHERE", "ORDER BY 1", "LIMIT 1", "é", "\x00", "\u2028",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map("".join))
def test_what_passes_stays_inside_its_parentheses(text):
    if find_filter_faults(text):
        return
    where = parse_source_filter(text).sql
    statement = f'SELECT "A" FROM "D"."S"."T" WHERE ({where}) AND ("K" >= 5) LIMIT 7'
    (tree,) = sqlglot.parse(statement, read="snowflake")
    assert isinstance(tree, exp.Select)
    assert tree.args["limit"].expression.name == "7"
    both = tree.args["where"].this
    assert isinstance(both, exp.And)
    assert isinstance(both.this, exp.Paren)
    assert both.expression.sql(dialect="snowflake") == '("K" >= 5)'
    assert [table.sql(dialect="snowflake") for table in tree.find_all(exp.Table)] == ['"D"."S"."T"']
    assert not list(tree.find_all(exp.Subquery, exp.Command, exp.DML))
    assert not any(node.comments for node in tree.walk())


@given(st.text(max_size=40))
def test_any_text_is_judged_and_nothing_else_is_raised(text):
    find_filter_faults(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"]), max_size=30))
def test_any_value_in_quotes_passes(value):
    quoted = value.replace("\\", "\\\\").replace("'", "''")
    assert find_filter_faults(f"\"Name\" = '{quoted}'") == []
    assert find_text_faults(f"'{quoted}'") == []
