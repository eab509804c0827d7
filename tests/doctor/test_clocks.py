"""Whose clock is wrong: the worker's, PostgreSQL's or Snowflake's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from snowmelt.doctor.clocks import check_clocks, compare_clocks
from snowmelt.doctor.findings import Status


@pytest.mark.parametrize(("ahead", "who"), [(0, "worker"), (-3600, "worker"), (3600, "worker")])
def test_a_worker_whose_clock_is_wrong(patient, ahead, who):
    with patient.as_role(autocommit=True) as connection:
        (finding,) = check_clocks(
            patient.session, connection, lambda: datetime.now(UTC) + timedelta(seconds=ahead)
        )
    assert finding.subject == who
    assert finding.status is (Status.WRONG if ahead else Status.OK)
    if ahead:
        assert f"Snowflake {-ahead:+.1f} s" in finding.found
        assert finding.remedy.where == "the worker"


def test_whose_clock_is_wrong():
    assert [compare_clocks(*ahead)[0].subject for ahead in ((0, 90), (-90, 0), (90, 90), (60, 0))] == [
        "PostgreSQL", "Snowflake", "worker", "worker",
    ]  # fmt: skip
    assert compare_clocks(60, 0)[0].status is Status.OK
