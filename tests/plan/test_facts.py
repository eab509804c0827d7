"""Source statistics: one statement, and what it says about digits that PostgreSQL does not have."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError, ValueRefused
from snowmelt.plan.facts import SourceStatistics, StatisticsQuestion, refuse_nanoseconds
from snowmelt.plan.watermark import build_highest, build_since, build_target_highest
from snowmelt.types.target_types import Range, nanosecond_predicate
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.vocabulary import Nanoseconds

NANOSECONDS = {"T": nanosecond_predicate('"T"'), "U": nanosecond_predicate('"U"')}


def test_one_statement_counts_rows_watermark_and_digits():
    sql = StatisticsQuestion('("A" > 1)', {"T": "P1", "U": "P2"}, "MAX(W)").sql("T AT(X)")
    assert sql == 'SELECT COUNT(*), MAX(W), COUNT_IF(P1), COUNT_IF(P2) FROM T AT(X) WHERE ("A" > 1)'
    assert StatisticsQuestion().sql("T") == "SELECT COUNT(*), NULL FROM T"
    assert StatisticsQuestion(nanoseconds={"T": "P1"}, measured={"A": '"A"', "B": '"B"'}).sql("T") == (
        'SELECT COUNT(*), NULL, COUNT_IF(P1), MIN("A"), MAX("A"), MIN("B"), MAX("B") FROM T'
    )


def test_ranges_come_after_the_counts():
    question = StatisticsQuestion(nanoseconds={"T": "P"}, measured={"A": '"A"', "B": '"B"'})
    found = question.parse((5, None, 0, "-3", 10**30, None, None))
    assert found.ranges == {"A": Range(-3, 10**30), "B": Range(None, None)}


def test_only_columns_with_such_values_are_named():
    question = StatisticsQuestion(nanoseconds=NANOSECONDS)
    found = question.parse((10, "w", 0, 3))
    assert found == SourceStatistics(10, {"U": 3}, "w")
    with pytest.raises(
        ValueRefused, match=r"A\.B\.T holds times with digits beyond the microsecond.*: U \(3 values\)"
    ):
        refuse_nanoseconds(found, Nanoseconds.REFUSE, "A.B.T")
    assert refuse_nanoseconds(found, Nanoseconds.TRUNCATE, "A.B.T").endswith(
        "nanoseconds = truncate says: U (3 values)"
    )
    assert refuse_nanoseconds(question.parse((10, None, 0, 0)), Nanoseconds.REFUSE, "A.B.T") is None
    assert refuse_nanoseconds(question.parse((0, None, None, None)), Nanoseconds.REFUSE, "A.B.T") is None


def test_a_catch_up_takes_the_watermark_itself_and_nulls_again():
    instant = parse_snowflake_type("TIMESTAMP_TZ(6)")
    assert build_since('A"t', instant, "2026-01-01 09:00:00.123456000", 0) == (
        '"A""t" >= \'2026-01-01 09:00:00.123456000 +00:00\'::TIMESTAMP_TZ(9) OR "A""t" IS NULL'
    )
    assert build_since("AT", instant, None) == ""
    with pytest.raises(ConfigurationError, match="is not a bound of type TIMESTAMP_TZ"):
        build_since("AT", instant, "'; DROP TABLE x")


def test_the_highest_watermark_is_read_with_all_its_digits_on_both_sides():
    assert build_highest("AT", parse_snowflake_type("TIMESTAMP_NTZ(9)")) == (
        "TO_VARCHAR(MAX(\"AT\"), 'YYYY-MM-DD HH24:MI:SS.FF9')"
    )
    assert build_target_highest("public", "t", "at", parse_snowflake_type("TIMESTAMP_LTZ(9)")) == (
        "SELECT to_char(max(\"at\") AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '000' FROM \"public\".\"t\""
    )
    assert build_target_highest("public", "t", "at", parse_snowflake_type("VARCHAR")) is None
