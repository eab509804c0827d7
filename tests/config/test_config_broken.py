"""One broken table, one broken source, a broken file: what each takes with it, and what is said."""

from __future__ import annotations

import json
import re
from copy import deepcopy

import pytest

from snowmelt.config.file import parse_config
from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import TableName

MINIMAL = {
    "s3_staging": {"bucket": "staging"},
    "snowflake_unload": {"stage_database": "UTIL", "stage_schema": "STAGING", "stage_name": "SNOWMELT_STAGE"},
    "sources": [
        {
            "source_name": "analytics",
            "source_database": "ANALYTICS",
            "source_schema": "BI",
            "tables": [{"source": "DIMPAYER"}],
        }
    ],
}


def config_with(table=None, *, tables=None, source=None, staging=None, unload=None, **top):
    document = deepcopy(MINIMAL) | top
    document["s3_staging"] |= staging or {}
    document["snowflake_unload"] |= unload or {}
    document["sources"][0] |= source or {}
    if tables is not None:
        document["sources"][0]["tables"] = tables
    elif table is not None:
        document["sources"][0]["tables"] = [{"source": "DIMPAYER"} | table]
    return document


def parse(document, environment=None):
    return parse_config(json.dumps(document), environment or {}, origin="config.json")


def faults_of_file(document, environment=None):
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(ConfigurationError) as raised:
        parse_config(text, environment or {}, origin="config.json")
    return raised.value.faults


def faults_of_table(table, environment=None, **rest):
    config = parse(config_with(table, **rest), environment)
    assert config.tables == ()
    (broken,) = config.broken
    return broken.faults


# --- one broken table, one broken source, a broken file


def test_a_broken_table_leaves_the_others():
    config = parse(
        config_with(tables=[{"source": "A"}, {"source": "B", "chunk_rows": "many"}, {"source": "C"}])
    )
    assert [table.source_table for table in config.tables] == ["A", "C"]
    (broken,) = config.broken
    assert (broken.path, broken.name) == ("sources[0].tables[1]", "migrate__analytics__b")
    assert broken.names == ("ANALYTICS", "BI", "B")
    assert config.broken_of(TableName("ANALYTICS", "BI", "C")) == ()
    assert config.broken_of(TableName("ANALYTICS", "BI", "B")) == (broken,)


def test_a_target_that_the_environment_does_not_give_names_no_dag():
    (broken,) = parse(config_with({"target": "${NONE}"})).broken
    assert broken.name == "sources[0].tables[0]"
    assert len(broken.faults) == 1


def test_a_broken_source_leaves_the_others_and_names_its_tables():
    document = config_with(tables=[{"source": "A"}], source={"source_schema": 7})
    document["sources"].append(MINIMAL["sources"][0] | {"source_name": "other"})
    config = parse(document)
    assert [table.dag_id for table in config.tables] == ["migrate__other__dimpayer"]
    source, table = config.broken
    assert (source.path, source.name) == ("sources[0]", "analytics")
    assert source.faults == (
        "sources[0].source_schema: found 7; expected one name of Snowflake, of at most 255 characters.",
    )
    assert (table.path, table.name) == ("sources[0].tables[0]", "migrate__analytics__a")
    assert table.faults == ("sources[0]: its source is broken, see there.",)


def test_two_tables_with_one_target_break_the_later_one():
    config = parse(config_with(tables=[{"source": "A", "target": "t"}, {"source": "B", "target": "t"}]))
    assert [table.source_table for table in config.tables] == ["A"]
    assert config.broken[0].faults == (
        (
            "sources[0].tables[1].target: found the DAG id migrate__analytics__t, which sources[0].tables[0] has already; "
            "expected one DAG for each table. Give one of the two another target, or put it under another source_name."
        ),
    )


def shared(**other):
    """Two sources with one target."""
    document = config_with(
        tables=[{"source": "A", "target": "t", "publish": "replace", "owned_rows": "c = 1"}]
    )
    first = document["sources"][0]
    tables = [{"source": "B", "target": "t", "publish": "replace"} | other]
    document["sources"].append(first | {"source_name": "other", "tables": tables})
    return parse(document)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"owned_rows": "C=1"},
        {"columns": {"source_tag": {"column": "c", "value": "1"}}, "owned_rows": None},
    ],
)
def test_each_row_of_a_target_has_one_owner(other):
    config = shared(**other)
    if "columns" in other:  # another predicate
        assert config.broken == ()
        return
    assert config.broken[0].faults == (
        (
            "sources[1].tables[0].target: found public.t, which sources[0].tables[0] fills from ANALYTICS.BI.A; expected one owner for "
            "each row. Give one of the two another target, or both their own rows, by owned_rows or columns.source_tag."
        ),
    )


def test_one_source_may_fill_a_target_by_two_dags():
    assert shared(source="A").broken == ()


def test_dag_ids_that_only_look_alike_are_kept_apart():
    config = parse(config_with(tables=[{"source": "A", "target": "a b"}, {"source": "A", "target": "a_b"}]))
    assert [table.dag_id for table in config.tables] == [
        "migrate__analytics__a_b_7e0713d3",
        "migrate__analytics__a_b",
    ]


def test_two_tables_that_would_share_a_folder_break_the_later_one():
    document = config_with(tables=[{"source": "A"}], staging={"prefix_pattern": "{source_table}/"})
    document["sources"].append(
        document["sources"][0] | {"source_name": "other", "source_schema": "OTHER"},
    )
    config = parse(document)
    assert config.broken[0].faults == (
        (
            'sources[1].tables[0].source: found the prefix "A/", which sources[0].tables[0] (ANALYTICS.BI.A) has already; '
            "expected a folder of its own for each table. Put more placeholders into s3_staging.prefix_pattern."
        ),
    )


def test_one_table_may_be_copied_to_two_targets():
    assert len(parse(config_with(tables=[{"source": "A"}, {"source": "A", "target": "b"}])).tables) == 2


def test_a_broken_section_breaks_the_file_and_all_faults_are_told():
    document = config_with(
        {"chunk_rows": 0},
        staging={"bucket": "s3://mine", "file_fromat": "csv"},
        unload={"stage_schema": None, "warehouse_size": "huge"},
        sorces=[],
    )
    assert faults_of_file(document) == (
        (
            "sorces: found a key that is not known; expected one of s3_staging, snowflake_unload, connections, execution, forms, sources. "
            'Did you mean "sources"?'
        ),
        (
            's3_staging.bucket: found "s3://mine"; expected the name of an S3 bucket. '
            "Give the name alone, without s3://, path or ARN."
        ),
        (
            "s3_staging.file_fromat: found a key that is not known; expected one of bucket, prefix_pattern, file_format, "
            'compression, max_file_size_mb, cleanup_after_load. Did you mean "file_format"?'
        ),
        (
            'snowflake_unload.warehouse_size: found "huge"; expected one of XSMALL, SMALL, MEDIUM, LARGE, XLARGE, XXLARGE, '
            "XXXLARGE, X4LARGE, X5LARGE, X6LARGE."
        ),
        "snowflake_unload.stage_schema: found nothing; expected all of stage_name, stage_database, stage_schema. Give it.",
        "sources[0].tables[0].chunk_rows: found 0; expected a whole number from 1 to 1,000,000,000,000,000.",
    )


def test_the_error_names_the_file_and_counts_the_faults():
    with pytest.raises(ConfigurationError) as raised:
        parse_config('{"s3_staging": {"bucket": "abc"}, "sources": []}', {}, origin="conf.json")
    assert str(raised.value) == (
        "conf.json cannot be used (1 fault):\n"
        "  - snowflake_unload.stage_name: found neither a stage nor a storage_integration; expected the external stage that "
        "the unload writes to. Make a stage with the storage integration (docs/setup.md) and name it here."
    )


def test_missing_sections_are_named():
    assert [fault.split(";")[0] for fault in faults_of_file({})] == [
        "sources: found nothing",
        "s3_staging.bucket: found nothing",
        "snowflake_unload.stage_name: found neither a stage nor a storage_integration",
    ]


def test_an_integration_alone_will_do_but_then_somebody_has_to_clean_up():
    document = config_with({"cleanup_after_load": True})
    document["snowflake_unload"] = {"storage_integration": "S3"}
    (fault,) = parse(document).broken[0].faults
    assert fault.startswith(
        "sources[0].tables[0].cleanup_after_load: found true, with neither a stage nor connections.aws_cleanup;"
    )
    document["connections"] = {"aws_cleanup": "aws_cleanup"}
    assert parse(document).broken == ()


# --- slips in the JSON


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "found an empty file; expected a JSON object. Write the configuration into it."),
        ("[]", "found a list of 0; expected a JSON object."),
        ("null", "found null; expected a JSON object."),
        (
            '{\n  "s3_staging": {"bucket": "a",},\n}',
            (
                "found invalid JSON at line 2, column 32 (Expecting property name enclosed in double quotes); expected JSON. "
                "JSON allows no comma after the last entry."
            ),
        ),
        (
            '{\n  // the bucket\n  "s3_staging": {}\n}',
            (
                "found invalid JSON at line 2, column 3 (Expecting property name enclosed in double quotes); expected JSON. "
                "JSON has no comments: move it to the documentation."
            ),
        ),
        (
            "{'a': 1}",
            (
                "found invalid JSON at line 1, column 2 (Expecting property name enclosed in double quotes); expected JSON. "
                'JSON takes double quotes: "…".'
            ),
        ),
        (
            '{"a": 1\n "b": 2}',
            (
                "found invalid JSON at line 2, column 2 (Expecting ',' delimiter); expected JSON. "
                "Check this place and the one just before it: a comma, quote or bracket is missing or too much."
            ),
        ),
        ("[" * 100_000, "found thousands of nested brackets; expected a JSON object."),
    ],
)
def test_a_slip_in_the_json(text, fault):
    (found,) = faults_of_file(text)
    # The decoder's own words, in brackets, and the column of a trailing comma differ from one Python to the next.
    assert re.sub(r", column \d+ \(.*\)", "", found) == re.sub(r", column \d+ \(.*\)", "", fault)


def test_a_key_given_twice():
    text = json.dumps(MINIMAL).replace('"source": "DIMPAYER"', '"source": "A", "source": "B"')
    assert parse_config(text, {}).broken[0].faults == (
        "sources[0].tables[0].source: found the key more than once; expected each key once. Keep the one that is meant.",
    )


def test_a_byte_order_mark_is_left_out():
    assert parse_config("\ufeff" + json.dumps(MINIMAL), {}).broken == ()


def test_half_a_surrogate_pair_is_not_a_name():
    (fault,) = faults_of_table({"source": "A\ud800"})
    assert fault == (
        'sources[0].tables[0].source: found "A\\ud800"; expected one name of Snowflake, of at most 255 characters. '
        "It contains half of a surrogate pair, which is not a character."
    )
