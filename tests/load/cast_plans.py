"""The cast of one column, or why there is none."""

from __future__ import annotations

from snowmelt.load.casts import plan_cast
from snowmelt.load.target import LoadColumn
from snowmelt.types.type_names import parse_postgres_type


def plan(form, arrow, target, **rest):
    return plan_cast(LoadColumn("SRC", form, "dst", parse_postgres_type(target), **rest), arrow)
