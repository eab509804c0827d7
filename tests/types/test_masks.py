"""A mask is one scalar expression over columns of the table, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.types.columns import find_mask_faults

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
        ("(SELECT 1)", "the word SELECT, which begins something else at character 2"),
        ("A) , (B", "a bracket that was never opened at character 2"),
        ("A FROM other", "cannot be read as an expression from character 3 on: FROM other"),
        ("SHA2(A) +", "it breaks off: something is missing at its end"),
        ("x'zz'", "it cannot be read as an expression"),
        ("A WHERE 1 = 1", "the word WHERE, which begins something else at character 3"),
        ("A; DROP TABLE t", "a statement separator at character 2"),
        ("'open", "a text that is never closed at character 1"),
        ("A IN (SELECT B FROM other)", "the word SELECT, which begins something else at character 7"),
        ("COUNT(*)", "one value for one row"),
        ("MAX(A)", "one value for one row"),
        ("ROW_NUMBER() OVER (PARTITION BY A)", "one value for one row"),
        ("ROW_NUMBER() OVER (ORDER BY A)", "the word ORDER, which begins something else at character 20"),
        ("$1", "a variable or dollar-quoted text at character 1"),
        ("*", "one value for one row"),
        ("SYSTEM$CANCEL_QUERY('x')", "a system function at character 1"),
        ("GET_PRESIGNED_URL(A, A)", "GET_PRESIGNED_URL is not allowed"),
        ("A -- c", "holds a comment"),
        ("A /* c */", "holds a comment"),
        ("A // c", "holds a comment"),
        ("{:}", "holds a brace at character 1"),
        ("NOT " * 4000 + "A", "nested too deeply"),
        ("other.A", "names a table"),
        ('"Nme"', 'the table has no column "Nme". Did you mean "Name"?'),
        ("name", 'the table has no column "NAME". Did you mean "Name"?'),
    ],
)
def test_anything_else_is_refused(expression, words):
    assert words in " ".join(find_mask_faults(expression, COLUMNS))


def test_what_reaches_out_is_named_in_one_line_with_a_way_out():
    (fault,) = find_mask_faults("A IN (SELECT B FROM other WHERE A = 1)", COLUMNS)
    assert fault == (
        "it holds the word SELECT, which begins something else at character 7: SELECT; "
        "the word WHERE, which begins something else at character 27: WHERE. "
        'Write one expression over the row, such as SHA2("Name"), or copy from a view'
    )


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
