"""What two fingerprints that disagree say."""

from __future__ import annotations

from decimal import Decimal

import pytest

from snowmelt.compare.canonical import Detail, Measure
from snowmelt.compare.differences import find_fingerprint_differences, list_approximate, show_value
from snowmelt.compare.fingerprint import ColumnFingerprint, Fingerprint, parse_fingerprint
from snowmelt.types.type_table import Comparison
from tests.compare.fingerprint_cases import column


def one(kind=Comparison.INTEGER, hash_=None, **measures):
    return ColumnFingerprint(
        "AMOUNT", kind, {Measure[name]: value for name, value in measures.items()}, hash_
    )


def whole(*columns, rows=10, hash_=1):
    return Fingerprint(rows, hash_, columns)


def test_equal_ones_say_nothing():
    assert find_fingerprint_differences(whole(one(COUNT=5)), whole(one(COUNT=5))) == []


def test_every_difference_is_told_at_once():
    left = whole(one(COUNT=5, LOW=-1, TOTAL=1234567), rows=1000)
    right = whole(one(COUNT=4, LOW=-2, TOTAL=1234566), rows=999, hash_=2)
    assert find_fingerprint_differences(left, right) == [
        "1,000 rows in Snowflake, 999 in PostgreSQL",
        (
            'column "AMOUNT": values that are not NULL 5 in Snowflake, 4 in PostgreSQL; least value -1 in Snowflake, -2 in PostgreSQL; '
            "sum 1,234,567 in Snowflake, 1,234,566 in PostgreSQL"
        ),
    ]


def test_only_the_rows_hash_differs():
    assert find_fingerprint_differences(whole(one(COUNT=5)), whole(one(COUNT=5), hash_=2)) == [
        (
            "the hash of all rows is 0000000000000001 in Snowflake, 0000000000000002 in PostgreSQL, while each column by itself holds "
            "the same values: they are in other rows"
        )
    ]


def test_without_measures_the_hashes_are_named_alone():
    assert find_fingerprint_differences(whole(), whole(hash_=2)) == [
        "the hash of all rows is 0000000000000001 in Snowflake, 0000000000000002 in PostgreSQL"
    ]


def test_trailing_zeros_and_the_digits_of_a_printed_float_do_not_count():
    left = whole(one(Comparison.DECIMAL, TOTAL=Decimal("1.50")), one(Comparison.FLOAT, LOW=0.1, HIGH=0.0))
    right = whole(
        one(Comparison.DECIMAL, TOTAL=Decimal("1.5000")),
        one(Comparison.FLOAT, LOW=0.10000000000000002, HIGH=-0.0),
    )
    assert find_fingerprint_differences(left, right) == []


def test_no_value_at_all_is_a_difference():
    assert find_fingerprint_differences(whole(one(LOW=None)), whole(one(LOW=0))) == [
        'column "AMOUNT": least value none in Snowflake, 0 in PostgreSQL'
    ]


@pytest.mark.parametrize(
    ("kind", "measure", "value", "shown"),
    [
        (Comparison.DATE, Measure.LOW, -719162, "0001-01-01"),
        (Comparison.DATE, Measure.HIGH, 10**9, "1000000000 days since 1970"),
        (Comparison.INSTANT, Measure.LOW, -1, "1969-12-31 23:59:59.999999"),
        (Comparison.INSTANT, Measure.HIGH, 10**18, "1000000000000000000 microseconds since 1970"),
        (Comparison.INSTANT, Measure.TOTAL, 10**6, "1,000,000"),
        (Comparison.TIME, Measure.HIGH, 43_200_000_001, "12:00:00.000001"),
        (Comparison.BOOLEAN, Measure.LOW, 0, "false"),
        (Comparison.DECIMAL, Measure.TOTAL, Decimal("1E+3"), "1000"),
        (Comparison.FLOAT, Measure.LOW, 1e-300, "1e-300"),
        (Comparison.TEXT, Measure.HIGH, 1000, "1000"),
    ],
)
def test_values_are_shown_as_a_person_reads_them(kind, measure, value, shown):
    assert show_value(kind, measure, value) == shown


def test_signed_and_unsigned_hashes_are_the_same():
    columns = [column("A", "BOOLEAN")]
    unsigned = parse_fingerprint(("2", str(2**65 - 3)), columns)
    signed = parse_fingerprint(("2", "-3"), columns)
    assert unsigned == signed
    assert unsigned.hash == 2**64 - 3


def test_a_float_comes_as_bytes_or_as_digits():
    columns = [column("A", "FLOAT")]
    snowflake = ("1", "5", "1", "1.0000000000000001E-01", "-1.7976931348623157E+308", "0", "0", "0", "7")
    postgres = ("1", "5", "1", "x3fb999999999999a", "xffefffffffffffff", "0", "0", "0", "7")
    source, target = (parse_fingerprint(row, columns, detail=Detail.COLUMNS) for row in (snowflake, postgres))
    assert source == target


def test_loose_columns_are_listed():
    assert list_approximate([column("A", "VARIANT"), column("B", "VARCHAR")]) == ("A",)
