from __future__ import annotations

import re

from snowmelt.sql.names import PAGE_SESSION, TASK_SESSION, TASK_SESSION_PATTERN, load_session_name

KEY = "base/ANALYTICS/T/run_20261122T120000_1a2b3c4d/chunk_012/data_01b2c3d4-0_3_0.snappy.parquet"


def test_a_load_is_named_by_its_run_and_file():
    name = load_session_name("run", KEY)
    assert re.fullmatch(r"snowmelt [0-9a-f]{12} data_01b2c3d4-0_3_0\.snappy\.parquet", name)
    assert name == load_session_name("run", KEY)
    assert len({name, load_session_name("other", KEY), load_session_name("run", KEY + "2")}) == 3
    assert len(load_session_name("run", "x" * 200)) == 63
    assert load_session_name("run", "Größe/ü").endswith(" ?")


def test_tasks_are_recognised_and_pages_are_not():
    ours = [TASK_SESSION, load_session_name("run", KEY)]
    assert all(re.search(TASK_SESSION_PATTERN, name) for name in ours)
    assert not any(
        re.search(TASK_SESSION_PATTERN, name) for name in (PAGE_SESSION, "snowmelting", "psql", "")
    )
