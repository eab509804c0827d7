"""`airflow snowmelt config check` and `config show`: what a person, and a script, is told of a file."""

from __future__ import annotations

import argparse
import json

import pytest

from snowmelt.cli import config as commands
from snowmelt.cli.definition import get_snowmelt_cli_commands

DOCUMENT = {
    "s3_staging": {"bucket": "staging", "file_format": "csv"},
    "snowflake_unload": {"stage_database": "UTIL", "stage_schema": "S", "stage_name": "ST"},
    "connections": {"postgres": "mart"},
    "sources": [
        {
            "source_name": "sales",
            "source_database": "SALES",
            "source_schema": "PUBLIC",
            "target_schema": "mart",
            "schedule": "@daily",
            "tables": [
                {
                    "source": "ORDERS",
                    "watermark_column": "AT",
                    "uniqueness_columns": ["ID"],
                    "chunk_rows": 1000,
                    "connections": {"snowflake": "other"},
                    "columns": {"exclude": ["NOTE"]},
                },
                {"source": "LINES", "target": "order_lines", "schedule": None},
            ],
        }
    ],
}


@pytest.fixture
def run(tmp_path, capfd):
    def call(command, document, **options):
        path = tmp_path / "config.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        code = 0
        try:
            command(argparse.Namespace(config=str(path), **options))
        except SystemExit as ended:
            code = ended.code
        return code, capfd.readouterr().out

    return call


def show(run, name):
    code, out = run(commands.run_show, DOCUMENT, table=name, json=True)
    assert code == 0
    return {one["name"]: (one["value"], one["origin"]) for one in json.loads(out)}


def test_each_setting_is_shown_with_its_origin(run):
    settled = show(run, "SALES.PUBLIC.ORDERS")
    assert {name: settled[name] for name in (
        "source", "target", "mode", "chunk_rows", "schedule", "file_format", "duplicates", "columns.exclude",
        "connections.snowflake", "connections.postgres", "connections.aws", "prefix", "s3_staging.bucket",
    )} == {
        "source": ("SALES.PUBLIC.ORDERS", "table"),
        "target": ("mart.orders", "rule"),
        "mode": ("incremental", "rule"),
        "chunk_rows": (1000, "table"),
        "schedule": ("@daily", "source"),
        "file_format": ("csv", "s3_staging"),
        "duplicates": ("last", "default"),
        "columns.exclude": (["NOTE"], "table"),
        "connections.snowflake": ("other", "table"),
        "connections.postgres": ("mart", "connections"),
        "connections.aws": ("aws_default", "default"),
        "prefix": ("SALES/PUBLIC/ORDERS/", "rule"),
        "s3_staging.bucket": ("staging", "s3_staging"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["migrate__sales__order_lines", "sales.public.lines", "lines", "mart.order_lines", "Order_Lines"]
)
def test_a_table_is_found_by_any_of_its_names(run, name):
    assert show(run, name)["dag_id"][0] == "migrate__sales__order_lines"


def test_a_table_that_is_not_there_is_named_with_those_that_are(run):
    code, _ = run(commands.run_show, DOCUMENT, table="ordres", json=False)
    assert (
        "no table is called 'ordres'. Name one by its DAG: migrate__sales__orders, migrate__sales__order_lines."
        in code
    )


def test_the_lines_are_read_by_a_person(run):
    _, out = run(commands.run_show, DOCUMENT, table="orders", json=False)
    lines = [line.split() for line in out.splitlines()]
    assert ["chunk_rows", "1000", "table"] in lines
    assert ["source_filter", "-", "default"] in lines


def test_a_file_is_checked_and_every_fault_reported(run):
    code, out = run(commands.run_check, DOCUMENT, json=False)
    assert code == 0
    assert out.endswith("config.json: 2 tables can be copied\n")
    broken = json.loads(json.dumps(DOCUMENT))
    broken["sources"][0]["tables"][1]["chunk_row"] = 5
    broken["sources"][0]["tables"][0]["mode"] = "sometimes"
    code, out = run(commands.run_check, broken, json=True)
    answer = json.loads(out)
    assert (code, answer["tables"]) == (1, 0)
    assert [fault.split(":")[0] for fault in answer["faults"]] == [
        "sources[0].tables[0].mode",
        "sources[0].tables[1].chunk_row",
    ]
    code, out = run(commands.run_check, broken, json=False)
    assert code == 1
    assert "0 tables can be copied" in out
    assert out.count("\nfault: ") == 2


def test_a_file_that_is_no_json_is_a_fault(run):
    code, out = run(commands.run_check, "{", json=True)
    assert code == 1
    assert json.loads(out)["faults"]
    code, _ = run(commands.run_check, "{", json=False)
    assert "config.json cannot be used" in code


def test_every_command_says_what_it_does_and_how_it_ends():
    [group] = get_snowmelt_cli_commands()
    commands_ = [each for one in group.subcommands for each in getattr(one, "subcommands", (one,))]
    assert {command.name for command in commands_} >= {"setup-sql", "doctor", "check", "show"}
    for command in commands_:
        assert command.help, command.name
        assert command.description, command.name
        assert all(argument.kwargs.get("help") for argument in command.args), command.name
