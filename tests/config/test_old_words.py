"""Words of earlier versions: understood wherever a person writes them, with one warning, and in what is stored."""

from __future__ import annotations

import json
import logging

import pytest
from airflow.sdk import DAG, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from snowmelt.config.file import parse_config
from snowmelt.config.form import build_form
from snowmelt.config.request import MigrationRequest, parse_request

KEYS = {"uniqueness_columns": ["ID"], "watermark_column": "AT"}
SOURCE = {"source_database": "D", "source_schema": "S", "source_table": "T"}


def make_config(*tables):
    return parse_config(
        json.dumps(
            {
                "s3_staging": {"bucket": "staging"},
                "snowflake_unload": {"storage_integration": "S3"},
                "sources": [
                    {
                        "source_name": "a",
                        "source_database": "D",
                        "source_schema": "S",
                        "tables": list(tables),
                    }
                ],
            }
        ),
        {},
    )


OLD = make_config(
    {"source": "A", "mode": "catch_up", **KEYS}, {"source": "B", "publish": "truncate"}, {"source": "C"}
)
NEW = make_config(
    {"source": "A", "mode": "incremental", **KEYS}, {"source": "B", "publish": "replace"}, {"source": "C"}
)


def test_the_file_is_read_the_same_and_warns_once_for_each_old_word():
    assert OLD.broken == ()
    assert OLD.tables == NEW.tables
    assert OLD.warnings == (
        'sources[0].tables[0].mode: "catch_up" is an old word, which still works. Write "incremental".',
        'sources[0].tables[1].publish: "truncate" is an old word, which still works. Write "replace".',
    )
    assert NEW.warnings == ()


def test_a_policy_of_the_same_word_is_not_an_old_word():
    config = make_config({"source": "A", "nanoseconds": "truncate"})
    assert (config.warnings, config.tables[0].policies.nanoseconds) == ((), "truncate")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_run_logs_the_old_words_of_its_own_table(place, caplog):
    with caplog.at_level(logging.WARNING):
        request = parse_request({}, OLD, OLD.tables[place])
    assert request == parse_request({}, NEW, NEW.tables[place])
    assert caplog.messages == [text for text in OLD.warnings if f"tables[{place}]" in text]


def test_a_run_logs_the_old_words_of_its_parameters(caplog):
    with caplog.at_level(logging.WARNING):
        request = parse_request(SOURCE | KEYS | {"mode": "catch_up", "publish": "truncate"}, NEW)
    assert request == parse_request(SOURCE | KEYS | {"mode": "incremental", "publish": "replace"}, NEW)
    assert sorted(caplog.messages) == [
        'mode: "catch_up" is an old word, which still works. Write "incremental".',
        'publish: "truncate" is an old word, which still works. Write "replace".',
    ]


def test_the_form_offers_the_words_of_today_and_takes_the_old_ones():
    form = build_form(NEW, None)
    assert form["mode"].schema["enum"] == [
        "full",
        "incremental",
        "changes",
        "compare",
        "repair",
        "unload",
        "load",
        "test",
    ]
    assert form["publish"].schema["enum"] == ["swap", "replace", "append"]
    with DAG(
        "migrate_table", schedule=None, params={name: Param(**f.param()) for name, f in form.items()}
    ) as dag:
        pass
    stored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    for params in (ParamsDict(dag.params), stored.params):  # a task's process; the API and the scheduler
        conf = SOURCE | {"mode": "catch_up", "publish": "truncate"}
        checked = params.deep_merge(conf) if hasattr(params, "deep_merge") else _update(params, conf)
        assert checked.validate() | conf == checked.validate()
    with pytest.raises(ParamValidationError):
        _update(ParamsDict(dag.params), SOURCE | {"mode": "catchup"}).validate()


def _update(params, conf):
    params.update(conf)
    return params


def test_a_stored_request_of_an_earlier_version_is_read_and_compares_equal():
    for table in (0, 1):
        today = parse_request({}, NEW, NEW.tables[table])
        stored = json.loads(json.dumps(today.to_json()).replace("incremental", "catch_up"))
        stored = json.loads(json.dumps(stored).replace('"publish": "replace"', '"publish": "truncate"'))
        assert stored != today.to_json()
        again = MigrationRequest.from_json(stored)
        assert again == today
        assert again.differences(today) == ()
        assert again.fingerprint() == today.fingerprint()


@pytest.mark.parametrize(("old", "today"), [(True, "hard"), (False, "auto")])
def test_a_stored_request_with_the_old_setting_for_deletes_is_read(old, today):
    stored = json.loads(json.dumps(parse_request({}, NEW, NEW.tables[0]).to_json()))
    del stored["policies"]["deletes"], stored["policies"]["deleted_column"]
    stored["policies"]["reconcile_deletes"] = old
    assert MigrationRequest.from_json(stored).policies.deletes == today
