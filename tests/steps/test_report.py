"""The report's words and values, from rows of the ledger as they are at different ends."""

from __future__ import annotations

import datetime as dt
import json

from snowmelt.steps.report import build_report

START = dt.datetime(2026, 1, 2, 3, 0, 0, tzinfo=dt.UTC)


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


PUBLISHED = {
    "run_id": "20260102T030000_1a2b3c4d",
    "dag_id": "migrate__s__visits",
    "dag_run_id": "scheduled__2026-01-02T03:00:00+00:00",
    "mode": "full",
    "source": "A.B.VISITS",
    "target": "public.visits",
    "snapshot": "2026-01-02 03:00:00.120000000 +0000",
    "snapshot_note": None,
    "source_policies": None,
    "outcome": "published",
    "error": None,
    "failed_step": None,
    "target_check": None,
    "filter": "",
    "column_rules": {"include": [], "exclude": [], "mask": {}},
    "audit": {"triggered_by": "ann", "snowflake_role": "SNOWMELT_ROLE", "config_sha256": None},
    "files_sha256": "c0ffee",
    "source_rows": 3000,
    "staged_files": 2,
    "staged_rows": 3000,
    "staged_bytes": 5_500_000,
    "loaded_rows": 2990,
    "rejected_rows": 10,
    "started_at": START,
    "staged_at": at(30),
    "load_started_at": at(31),
    "load_ended_at": at(41),
    "verified_at": at(46),
    "published_at": at(48.5),
    "finished_at": at(50),
    "verification": {
        "table_rows": 2990,
        "fingerprint": {"compared": True, "columns": 7, "rows": 2990, "hash": "00"},
    },
    "publish_result": {
        "method": "swap",
        "whole_target": {
            "source_rows": 3000,
            "target_rows": 2990,
            "missing": 10,
            "extra": 0,
            "reason": "10 rows were set aside",
        },
        "rows_before": 5,
        "rows_after": 2990,
        "inserted": 2990,
        "updated": 0,
        "deleted": 5,
    },
}
CHUNKS = [
    {"chunk": 0, "query_id": "01b-1", "files": 1, "rows": 1000, "bytes": 500_000, "seconds": 8.25},
    {"chunk": 1, "query_id": "01b-2", "files": 1, "rows": 2000, "bytes": 5_000_000, "seconds": 12.5},
]

MARKDOWN = """\
# A.B.VISITS → public.visits: published

|  |  |
| --- | --- |
| run | `20260102T030000_1a2b3c4d` |
| DAG run | migrate__s__visits, scheduled__2026-01-02T03:00:00+00:00 |
| mode | full |
| snapshot | 2026-01-02 03:00:00.120000000 +0000 |
| started | 2026-01-02T03:00:00+00:00 |
| ended | 2026-01-02T03:00:50+00:00 |
| files | 2, 5.5 MB |
| publish | swap: 2,990 rows after, 2,990 inserted, 5 deleted |
| whole target | 2,990 rows, 3,000 in the source at the snapshot; 10 rows of the source are missing: 10 rows were set aside |
| triggered by | ann |
| snowflake role | SNOWMELT_ROLE |

## Rows

| counted | rows |
| --- | --- |
| in Snowflake | 3,000 |
| in the files | 3,000 |
| loaded | 3,000 |
| set aside | 10 |
| in the table before its publish | 2,990 |
| fingerprints | 7 columns over 2,990 rows (all rows) agree, hash 00 |

## Time

| step | seconds | rows/s |
| --- | --- | --- |
| unload | 30.0 | 100 |
| load | 10.0 | 299 |
| verify | 5.0 | 598 |
| publish | 2.5 | - |
| all | 50.0 | 60 |

## Queries

| chunk | query | files | rows | seconds |
| --- | --- | --- | --- | --- |
| 000 | `01b-1` | 1 | 1,000 | 8.2 |
| 001 | `01b-2` | 1 | 2,000 | 12.5 |
"""


def test_a_published_run_reads_as_people_ask():
    assert build_report(PUBLISHED, CHUNKS).to_markdown() == MARKDOWN


def test_its_json_has_everything_and_its_summary_is_small():
    report = build_report(PUBLISHED, CHUNKS * 500)
    document = json.loads(json.dumps(report.to_json()))
    assert document["snowmelt_report"] == 1
    assert [
        document[name] for name in ("snowflake_rows", "file_rows", "loaded_rows", "table_rows", "rejected_rows")
    ] == [3000, 3000, 3000, 2990, 10]  # fmt: skip
    assert len(document["queries"]) == 1000
    assert document["queries"][1] == {
        "chunk": 1,
        "query_id": "01b-2",
        "files": 1,
        "rows": 2000,
        "bytes": 5_000_000,
        "seconds": 12.5,
    }
    assert document["steps"][1] == {"name": "load", "seconds": 10.0, "rows": 2990}
    assert "queries" not in report.summary()
    assert len(json.dumps(report.summary())) < 2000
    assert report.to_markdown().count("\n| 00") == 10
    assert report.to_markdown().endswith("And 990 more, in the JSON report.\n")


def test_a_run_that_failed_says_how_far_it_came():
    nothing = dict.fromkeys(
        ("staged_files", "staged_rows", "staged_bytes", "staged_at", "load_started_at", "load_ended_at", "verified_at",
         "published_at", "finished_at", "verification", "publish_result", "snapshot")
    )  # fmt: skip
    planned = build_report(
        PUBLISHED
        | nothing
        | {
            "outcome": "running",
            "loaded_rows": 0,
            "rejected_rows": 0,
            "snapshot_note": "the table has no time travel",
        },
        [],
    )
    text = planned.to_markdown()
    assert text.startswith("# A.B.VISITS → public.visits: running\n")
    assert "| snapshot | none: the table has no time travel |" in text
    assert "| in Snowflake | 3,000 |\n| in the files | - |\n| loaded | - |" in text
    assert "| fingerprints | not compared yet |" in text
    assert "## Time" not in text

    differing = build_report(
        PUBLISHED
        | {
            "outcome": "running",
            "error": "2,990 rows by the ledger,\n2,989 in a|b",
            "published_at": None,
            "verified_at": None,
            "publish_result": None,
            "verification": {"table_rows": 2989},
        },
        CHUNKS,
    ).to_markdown()
    assert "**Error:** 2,990 rows by the ledger, 2,989 in a\\|b" in differing
    assert "| fingerprints | not compared: the counts differ |" in differing
    assert "| in the table before its publish | 2,989 |" in differing


def test_why_fingerprints_were_not_compared_is_told():
    verification = {
        "table_rows": 2990,
        "fingerprint": {"reason": "more than 5 rows: only counts were compared"},
    }
    text = build_report(PUBLISHED | {"verification": verification}, []).to_markdown()
    assert "| fingerprints | not compared: more than 5 rows: only counts were compared |" in text


def test_a_copy_of_a_part_never_reads_as_the_whole():
    rules = {"include": [], "exclude": ["NOTES"], "mask": {"PHONE": {}, "NAME": {}}}
    report = build_report(PUBLISHED | {"filter": '("YEAR" = 2026)', "column_rules": rules}, [])
    text = report.to_markdown()
    assert text.startswith("# A.B.VISITS → public.visits: published (a part of the source)\n")
    assert '| only rows where | `("YEAR" = 2026)` |' in text
    assert "| masked columns | NAME, PHONE |\n| excluded columns | NOTES |" in text
    values = report.to_json()
    assert (values["filter"], values["masked_columns"]) == ('("YEAR" = 2026)', ["NAME", "PHONE"])
    assert values["files_sha256"] == "c0ffee"


def test_a_failed_run_names_its_step_and_what_the_target_holds():
    failed = {"outcome": "failed", "failed_step": "publish", "target_check": "The target is unchanged."}
    text = build_report(PUBLISHED | failed, []).to_markdown()
    assert "| failed in | publish |\n| target | The target is unchanged. |" in text
