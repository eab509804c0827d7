"""What a form may not have copied, whoever may trigger its DAG."""

from __future__ import annotations

import json

import pytest

from snowmelt.config.file import parse_config
from snowmelt.config.request import parse_request
from snowmelt.errors import ConfigurationError

RULES = {
    "exclude": ["Salary", "email"],
    "mask": {"SSN": {"expression": "SHA2(SSN)", "type": "VARCHAR(64)"}},
}


def make_config(*tables, forms=None):
    document = {
        "s3_staging": {"bucket": "staging"},
        "snowflake_unload": {"stage_database": "UTIL", "stage_schema": "STAGING", "stage_name": "S"},
        "sources": [
            {"source_name": "a", "source_database": "HR", "source_schema": "BI", "tables": list(tables)}
        ],
    }
    return parse_config(json.dumps(document | ({"forms": forms} if forms else {})), {})


def typed(table="PEOPLE", **parameters):
    return {"source_database": "hr", "source_schema": "bi", "source_table": table} | parameters


def faults(config, parameters, table=None):
    with pytest.raises(ConfigurationError) as raised:
        parse_request(parameters, config, table)
    return "\n".join(raised.value.faults)


PEOPLE = {"source": "PEOPLE", "columns": RULES}


@pytest.mark.parametrize(
    "parameters",
    [
        {"chunking_column": "ssn"},
        {"chunking_column": '"SSN"'},
        {"chunking_column": "Salary"},
        {"chunking_column": '"Salary"'},
        {"watermark_column": "EMAIL"},
        {"uniqueness_columns": ["ID", "Email"]},
        {"source_filter": "SSN LIKE '1%'"},
        {"source_filter": "ID > 1 AND NOT (UPPER(email) = 'X')"},
        {"source_filter": '"Salary"::NUMBER > 100'},
        {"source_filter": "IFF(ID = 1, \"SSN\", '') = '1'"},
    ],
)
@pytest.mark.parametrize("by", ["migrate_table", "its own DAG"])
def test_a_form_names_no_column_that_is_hidden(parameters, by):
    config = make_config(PEOPLE)
    found = faults(config, typed(**parameters), config.tables[0] if by == "its own DAG" else None)
    assert "The configuration leaves it out or masks it" in found, found
    assert next(iter(parameters)) in found


def test_only_what_is_included_may_be_named():
    config = make_config({"source": "PEOPLE", "columns": {"include": ["ID", "NAME"]}})
    assert "leaves it out" in faults(config, typed(chunking_column="SSN"))
    assert "leaves it out" in faults(config, typed(source_filter="SSN = '1'"))
    assert parse_request(typed(chunking_column="id", source_filter="name = 'x'"), config)


def test_the_configuration_may_name_what_it_hides():
    config = make_config(PEOPLE | {"chunking_column": "SSN", "source_filter": "SSN <> '0'"})
    for table, parameters in (
        (config.tables[0], {}),
        (None, typed(chunking_column="SSN", source_filter="SSN <> '0'")),
    ):
        assert parse_request(parameters, config, table).chunking_column == "SSN"


def test_other_columns_and_other_tables_are_free():
    config = make_config(PEOPLE)
    assert parse_request(typed(chunking_column="ID", source_filter="salary_band = 1"), config)
    assert parse_request(typed("OTHER", chunking_column="SSN"), config)


def test_a_filter_of_a_form_asks_no_other_table():
    config = make_config(
        {"source": "PEOPLE", "filter_subqueries": True, "source_filter": "ID IN (SELECT ID FROM X)"}
    )
    assert parse_request({}, config, config.tables[0])
    found = faults(config, {"source_filter": "ID IN (SELECT ID FROM SECRETS)"}, config.tables[0])
    assert "source_filter" in found


@pytest.mark.parametrize(
    "entry",
    [
        PEOPLE | {"chunk_rows": "many"},
        {"source": "PEOPLE", "columns": 7},
        {"source": 7, "columns": RULES},
        7,
        PEOPLE | {"colums": {}},
    ],
)
def test_a_broken_entry_loses_no_rule(entry):
    assert "configuration is broken" in faults(make_config(entry), typed())


def test_a_source_whose_tables_cannot_be_read_is_not_copied():
    config = parse_config(
        json.dumps(
            {
                "s3_staging": {"bucket": "staging"},
                "snowflake_unload": {"storage_integration": "S3"}
                | {"stage_database": "U", "stage_schema": "S", "stage_name": "S"},
                "sources": [
                    {"source_name": "a", "source_database": "HR", "source_schema": "BI", "tables": {}}
                ],
            }
        ),
        {},
    )
    assert "configuration is broken" in faults(config, typed())


# --- tables


@pytest.mark.parametrize(
    "parameters",
    [
        {"source_table": "PAYROLL"},
        {"source_database": "OTHER"},
        {"target_table": "payroll"},
        {"target_schema": "other"},
    ],
)
def test_the_dag_of_a_table_copies_its_own_table(parameters):
    config = make_config(PEOPLE)
    (own,) = config.tables
    assert "this DAG copies its own table" in faults(config, parameters, own)
    assert parse_request({"source_table": '"PEOPLE"', "target_table": "people"}, config, own)
    allowed = make_config(PEOPLE, forms={"allow_other_tables": True})
    other = {"target_table": "free"} | parameters  # the configured target has its one owner
    assert parse_request(other, allowed, allowed.tables[0])


def test_migrate_table_copies_what_the_lists_allow():
    config = make_config(
        PEOPLE, forms={"sources": ["HR.PUBLIC.*", 'HR."bi".T'], "targets": ["staging.*", "public.t"]}
    )
    here = {"source_database": "HR", "target_schema": "staging"}
    assert parse_request(typed(), config), "a configured table goes where it is configured"
    for schema, table in (("PUBLIC", "ANY"), ('"bi"', "T")):
        assert parse_request(here | {"source_schema": schema, "source_table": table}, config)
    for schema, table in (("BI", "T"), ('"bi"', "U"), ('"Public"', "X")):
        found = faults(config, here | {"source_schema": schema, "source_table": table})
        assert 'add it to "sources"' in found
    target = {"source_schema": "PUBLIC", "source_table": "T", "source_database": "HR"}
    assert parse_request(target | {"target_schema": "public", "target_table": "t"}, config)
    assert 'add it to "targets"' in faults(config, target | {"target_schema": "public", "target_table": "u"})


@pytest.mark.parametrize("pattern", ["HR", "HR.*", "HR.BI.T.U", "HR.B*.T", "*.*", ""])
def test_a_pattern_has_whole_parts(pattern):
    with pytest.raises(ConfigurationError, match="forms"):
        make_config(forms={"sources": [pattern]})


@pytest.mark.parametrize(
    "schema", ["snowmelt", "SNOWMELT", "pg_catalog", "information_schema", "pg_toast", "pg_temp_3"]
)
def test_schemas_of_the_server_and_of_the_ledger_are_no_target(schema):
    assert "never a target" in faults(make_config(), typed(target_schema=schema))
    config = make_config()
    assert config.tables == ()
    broken = parse_config(
        json.dumps(
            {
                "s3_staging": {"bucket": "staging"},
                "snowflake_unload": {"stage_database": "U", "stage_schema": "S", "stage_name": "S"},
                "sources": [
                    {
                        "source_name": "a",
                        "source_database": "HR",
                        "source_schema": "BI",
                        "target_schema": schema,
                        "tables": [PEOPLE],
                    }
                ],
            }
        ),
        {},
    ).broken
    assert "never a target" in str(broken[0].faults)
