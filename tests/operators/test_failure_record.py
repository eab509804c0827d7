"""A note in the ledger that cannot be written never hides a task's own error, nor ends an unload."""

from __future__ import annotations

import logging
from types import SimpleNamespace

from snowmelt.airflow.records import build_failure_record, describe_failure, note_submitted

TI = SimpleNamespace(dag_id="d", run_id="r", task_id="load", map_index=3, try_number=2)


def test_what_is_kept():
    context = {
        "ti": TI,
        "exception": ValueError("x" * 9000 + "\x00"),
        "task": SimpleNamespace(map_label="file 3"),
    }
    kept = describe_failure(context)
    assert kept | {"error": ""} == {
        "dag_id": "d", "dag_run_id": "r", "task_id": "load", "map_index": 3, "try_number": 2, "label": "file 3", "error": "",
    }  # fmt: skip
    assert kept["error"] == "x" * 8000
    assert describe_failure({"ti": TI, "exception": KeyError()})["error"] == "KeyError"
    assert "its log says more" in describe_failure({"ti": TI})["error"]


def test_no_ledger_no_harm(caplog):
    with caplog.at_level(logging.WARNING):
        build_failure_record("there_is_no_such_connection")({"ti": TI, "exception": ValueError("why")})
    assert "could not be recorded in the ledger" in caplog.text


def test_an_unload_goes_on_when_its_query_cannot_be_noted(caplog):
    submitted = {"query_id": "01b0", "submitted_at": 1767225600.0}
    with caplog.at_level(logging.WARNING):
        note_submitted("there_is_no_such_connection", "run", 0, submitted)
    assert "Query 01b0 of chunk 0 could not be recorded in the ledger" in caplog.text
