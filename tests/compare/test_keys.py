"""Keys that differ between two tables are counted exactly, whichever buckets they are in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snowmelt.compare import keys
from snowmelt.compare.keys import KeyDifference

HASHES = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 20), max_size=40, unique=True)


def sums(hashes, buckets):
    rows = {}
    for value in hashes:
        count, total = rows.get(value % buckets, (0, 0))
        rows[value % buckets] = (count + 1, total + value)
    return keys.parse_sums((bucket, count, str(total)) for bucket, (count, total) in rows.items())


@given(HASHES, HASHES, st.sampled_from([1, 4, 1024]), st.sampled_from([2, 10, keys.MAX_HASHES]))
def test_missing_and_extra_keys_are_both_counted(source, target, buckets, limit):
    before, keys.MAX_HASHES = keys.MAX_HASHES, limit
    try:
        ours, theirs = sums(target, buckets), sums(source, buckets)
        differing = keys.find_differing(theirs, ours)
        chosen = keys.choose_buckets(differing, theirs, ours)
    finally:
        keys.MAX_HASHES = before
    found = keys.count_differences(
        (str(value) for value in source if value % buckets in chosen),
        # PostgreSQL writes the same 64 bits with a sign.
        (str(value - 2**64 if value >= 2**63 else value) for value in target if value % buckets in chosen),
        keys.count_keys(differing[len(chosen) :], theirs, ours),
    )
    missing, extra = len({*source} - {*target}), len({*target} - {*source})
    if found.exact:
        assert found == KeyDifference(missing, extra)
    else:
        assert (found.missing <= missing, found.extra <= extra) == (True, True)
    assert bool(differing) == ({*source} != {*target})


def test_a_bucket_has_about_a_thousand_keys():
    assert [keys.count_buckets(rows) for rows in (0, 999, 1_000_000, 10**9)] == [1, 1, 1024, 65536]
