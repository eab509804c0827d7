"""The census: one statement, and what it says about digits that PostgreSQL does not have."""

from __future__ import annotations

import pytest

from snowmelt.errors import ConfigurationError, ValueRefused
from snowmelt.plan.statistics import Census, build_census, parse_census, refuse_nanoseconds
from snowmelt.plan.watermark import build_highest, build_since, build_target_highest
from snowmelt.types.expressions import nanosecond_predicate
from snowmelt.types.narrow import Range
from snowmelt.types.type_names import parse_snowflake_type

NANOSECONDS = {"T": nanosecond_predicate('"T"'), "U": nanosecond_predicate('"U"')}


def test_one_statement_counts_rows_watermark_and_digits():
    sql = build_census("T AT(X)", '("A" > 1)', {"T": "P1", "U": "P2"}, "MAX(W)")
    assert sql == 'SELECT COUNT(*), MAX(W), COUNT_IF(P1), COUNT_IF(P2) FROM T AT(X) WHERE ("A" > 1)'
    assert build_census("T", "", {}) == "SELECT COUNT(*), NULL FROM T"
    assert build_census("T", "", {"T": "P1"}, measured={"A": '"A"', "B": '"B"'}) == (
        'SELECT COUNT(*), NULL, COUNT_IF(P1), MIN("A"), MAX("A"), MIN("B"), MAX("B") FROM T'
    )


def test_ranges_stand_behind_the_counts():
    census = parse_census((5, None, 0, "-3", 10**30, None, None), {"T": "P"}, {"A": '"A"', "B": '"B"'})
    assert census.ranges == {"A": Range(-3, 10**30), "B": Range(None, None)}


def test_only_columns_with_such_values_are_named():
    census = parse_census((10, "w", 0, 3), NANOSECONDS)
    assert census == Census(10, {"U": 3}, "w")
    with pytest.raises(
        ValueRefused, match=r"A\.B\.T holds times with digits beyond the microsecond.*: U \(3 values\)"
    ):
        refuse_nanoseconds(census, "refuse", "A.B.T")
    assert refuse_nanoseconds(census, "truncate", "A.B.T").endswith(
        "nanoseconds = truncate says: U (3 values)"
    )
    assert refuse_nanoseconds(parse_census((10, None, 0, 0), NANOSECONDS), "refuse", "A.B.T") is None
    assert refuse_nanoseconds(parse_census((0, None, None, None), NANOSECONDS), "refuse", "A.B.T") is None


def test_a_catch_up_takes_the_watermark_itself_and_nulls_again():
    instant = parse_snowflake_type("TIMESTAMP_TZ(6)")
    assert build_since('A"t', instant, "2026-01-01 09:00:00.123456000", 0) == (
        '"A""t" >= \'2026-01-01 09:00:00.123456000 +00:00\'::TIMESTAMP_TZ(9) OR "A""t" IS NULL'
    )
    assert build_since("AT", instant, None) == ""
    with pytest.raises(ConfigurationError, match="is no bound of type TIMESTAMP_TZ"):
        build_since("AT", instant, "'; DROP TABLE x")


def test_the_highest_watermark_is_read_with_all_its_digits_on_both_sides():
    assert build_highest("AT", parse_snowflake_type("TIMESTAMP_NTZ(9)")) == (
        "TO_VARCHAR(MAX(\"AT\"), 'YYYY-MM-DD HH24:MI:SS.FF9')"
    )
    assert build_target_highest("public", "t", "at", parse_snowflake_type("TIMESTAMP_LTZ(9)")) == (
        "SELECT to_char(max(\"at\") AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '000' FROM \"public\".\"t\""
    )
    assert build_target_highest("public", "t", "at", parse_snowflake_type("VARCHAR")) is None
