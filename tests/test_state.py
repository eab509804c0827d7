"""What makes the state of a target one of another copy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowmelt.errors import ConfigurationError
from snowmelt.state import (
    Scope,
    TargetIdentity,
    TargetNow,
    TargetState,
    describe_difference,
    find_changes,
    refuse_changes,
)

SCOPE = Scope(
    source="A.B.T",
    created_on="2026-01-01 00:00:00 +0000",
    source_filter="N < 2",
    columns={"id": '"ID"', "name": '"NAME"'},
    unique_key=("ID",),
    watermark_column="AT",
)
IDENTITY = TargetIdentity(oid=1, filenode=10)
STATE = TargetState(
    run_id="r1", target=IDENTITY, scope=SCOPE, rows=100, missing=0, snapshot="2026-01-02 00:00:00 +0000"
)
SAME = TargetNow(identity=IDENTITY, rows=100)


def test_what_is_as_it_was_goes_on():
    assert find_changes(STATE, SCOPE, SAME) == ()
    assert find_changes(STATE, SCOPE, TargetNow(identity=IDENTITY, rows=None)) == ()
    assert find_changes(STATE, SCOPE, TargetNow(identity=replace(IDENTITY, filenode=11), rows=100)) == ()
    assert find_changes(STATE, replace(SCOPE, created_on=None), SAME) == ()


@pytest.mark.parametrize(
    ("scope", "target", "said"),
    [
        (
            SCOPE,
            TargetNow(identity=replace(IDENTITY, oid=2), rows=100),
            "target table: the one that was filled",
        ),
        (
            SCOPE,
            TargetNow(identity=replace(IDENTITY, filenode=11), rows=0),
            "rows of the target: 100 → 0 (it was",
        ),
        (SCOPE, TargetNow(identity=IDENTITY, rows=99), "rows of the target: 100 → 99"),
        (replace(SCOPE, source="A.B.U"), SAME, "source: A.B.T → A.B.U"),
        (
            replace(SCOPE, created_on="2026-01-05"),
            SAME,
            "source table created on: 2026-01-01 00:00:00 +0000 → 2026",
        ),
        (replace(SCOPE, source_filter=""), SAME, "source_filter: N < 2 → none"),
        (replace(SCOPE, unique_key=("ID", "N")), SAME, "uniqueness_columns: ID → ID, N"),
        (replace(SCOPE, watermark_column="DAY"), SAME, "watermark_column: AT → DAY"),
        (replace(SCOPE, columns=SCOPE.columns | {"x": '"X"'}), SAME, 'column "x": not copied → copied'),
        (replace(SCOPE, columns=SCOPE.columns | {"name": "'*'"}), SAME, 'column "name": "NAME" → \'*\''),
    ],
)
def test_what_differs_is_named_with_both_values(scope, target, said):
    changes = find_changes(STATE, scope, target)
    assert len(changes) == 1
    assert said in str(changes[0])
    with pytest.raises(ConfigurationError, match=r"public\.t is not as run r1") as refused:
        refuse_changes(changes, "public.t", "r1")
    assert "Nothing was unloaded" in str(refused.value)
    assert said in str(refused.value)
    assert "on_change" in str(refused.value)


def test_a_target_that_never_had_a_watermark_may_get_one():
    assert find_changes(replace(STATE, scope=replace(SCOPE, watermark_column=None)), SCOPE, SAME) == ()


@pytest.mark.parametrize(
    ("published", "said"),
    [
        (None, ""),
        ({"method": "merge"}, ""),
        ({"whole_target": {"missing": 0, "extra": 0}}, ""),
        (
            {"whole_target": {"missing": 0, "extra": 1200, "reason": "they stay"}},
            "1,200 rows more than the source: they stay",
        ),
        (
            {"whole_target": {"missing": 3, "extra": 0, "reason": "set aside"}},
            "3 rows of the source are missing: set aside",
        ),
    ],
)
def test_a_difference_is_reported_with_its_reason(published, said):
    assert describe_difference(published) == said


def test_a_full_copy_needs_no_key_and_a_column_less_is_no_longer_the_copys():
    assert find_changes(replace(STATE, scope=replace(SCOPE, unique_key=())), SCOPE, SAME) == ()
    assert find_changes(STATE, replace(SCOPE, columns={"id": '"ID"'}), SAME) == ()
