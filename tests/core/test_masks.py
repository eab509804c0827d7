"""A mask is one scalar expression over columns of the table, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.core.columns.masks import find_mask_faults

COLUMNS = ["Name", "A", "B"]


@pytest.mark.parametrize(
    "expression",
    [
        'SHA2("Name")',
        'SHA2("Name", 256)',
        "a + B",
        "LEFT(a, 2) || '***'",
        "'it''s; -- no comment'",
        "NULL",
        'CAST("A" AS VARIANT)',
        '"A"::VARIANT',
        "A:b.c::string",
        "IFF(A IS NULL, NULL, 'x')",
        "CASE WHEN A > 1 THEN 'a' ELSE NULL END",
        "DATE_PART(hour, A)",
        "TO_TIMESTAMP_TZ(TO_VARCHAR(A, 'YYYY-MM-DD HH24:MI:SS.FF9') || ' +00:00')",
        "TO_JSON(CAST(A AS ARRAY))",
        "PARSE_JSON(A)",
        "(a)",
    ],
)
def test_scalar_expressions_pass(expression):
    assert find_mask_faults(expression, COLUMNS) == []


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "not exactly one expression"),
        ("A, B", "not exactly one expression"),
        ("A AS x", "not exactly one expression"),
        ("A x", "not exactly one expression"),
        ("(SELECT 1)", "not exactly one expression"),
        ("A) , (B", "cannot be read|not an expression that can be read"),
        ("A FROM other", "not an expression that can be read"),
        ("A WHERE 1 = 1", "not an expression that can be read"),
        ("A; DROP TABLE t", "not an expression that can be read"),
        ("'open", "not an expression that can be read"),
        ("A IN (SELECT B FROM other)", "holds a query"),
        ("COUNT(*)", "one value for one row"),
        ("MAX(A)", "one value for one row"),
        ("ROW_NUMBER() OVER (ORDER BY A)", "one value for one row"),
        ("$1", "one value for one row"),
        ("*", "one value for one row"),
        ("SYSTEM$CANCEL_QUERY('x')", "SYSTEM\\$CANCEL_QUERY is not allowed"),
        ("A -- c", "holds a comment"),
        ("A /* c */", "holds a comment"),
        ("A // c", "holds a comment"),
        ("other.A", "names a table"),
        ('"Nme"', 'the table has no column "Nme". Did you mean "Name"?'),
        ("name", 'the table has no column "NAME". Did you mean "Name"?'),
    ],
)
def test_anything_else_is_refused(expression, words):
    import re

    faults = " ".join(find_mask_faults(expression, COLUMNS))
    assert words in faults or re.search(words, faults), faults


@given(st.text(st.sampled_from("AB\"'();,-/*$ \n\\=|:[]{}@?.1"), max_size=30))
def test_no_text_breaks_the_check_or_leaves_its_parentheses(text):
    if find_mask_faults(text, COLUMNS):
        return
    depth, quote = 0, ""
    position = 0
    while position < len(text):
        character = text[position]
        if quote:
            if character == "\\" and quote == "'":
                position += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
            assert depth >= 0
            assert character != ";"
        position += 1
    assert depth == 0
    assert not quote
