"""The cast of one column, or why there is none."""

from __future__ import annotations

from snowmelt.core.columns.types import parse_postgres_type
from snowmelt.core.load.casts import plan_cast
from snowmelt.core.load.target import LoadColumn


def plan(form, arrow, target, **rest):
    return plan_cast(LoadColumn("SRC", form, "dst", parse_postgres_type(target), **rest), arrow)
