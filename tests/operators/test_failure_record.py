"""A note in the ledger that cannot be written never hides a task's own error, nor ends an unload."""

from __future__ import annotations

import logging
from types import SimpleNamespace

from snowmelt.airflow.records import RunRecords, describe_failure, note_submitted

TI = SimpleNamespace(dag_id="d", run_id="r", task_id="load", map_index=3, try_number=2, max_tries=9)
RECORDS = RunRecords("there_is_no_such_connection", lambda params: {})


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
    context = {"ti": TI, "exception": ValueError("why"), "task": SimpleNamespace(retries=6)}
    dag_context = {"dag": SimpleNamespace(dag_id="d"), "run_id": "r", "reason": "timed_out"}
    with caplog.at_level(logging.WARNING):
        RECORDS.record_try(context)
        RECORDS.record_failure(context)
        RECORDS.reopen(context)
        RECORDS.record_dag_failure(dag_context)
    assert caplog.text.count("could not be recorded in the ledger") == 4


def test_an_unload_goes_on_when_its_query_cannot_be_noted(caplog):
    submitted = {"query_id": "01b0", "submitted_at": 1767225600.0}
    with caplog.at_level(logging.WARNING):
        note_submitted("there_is_no_such_connection", "run", 0, submitted)
    assert "Query 01b0 of chunk 0 could not be recorded in the ledger" in caplog.text
