"""What logs and pages say about how far a run is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from snowmelt.airflow.links import build_query_url, build_s3_url, build_tab_url
from snowmelt.progress.board import build_verdict
from snowmelt.progress.pace import (
    Pace,
    show_age,
    show_bytes,
    show_percent,
    show_rate,
    show_seconds,
    show_waiting,
)
from snowmelt.progress.plots import Span, TaskState, build_steps, pack_lanes, plot_gantt, plot_rate
from snowmelt.progress.table_status import parse_moment

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def span(start, end, rows=100, label="chunk 000", step="load", **rest):
    return Span(step, label, at(start), None if end is None else at(end), rows, rows * 10, **rest)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (show_seconds(4.26), "4.3 s"),
        (show_seconds(59.4), "59 s"),
        (show_seconds(59.6), "1 min 0 s"),
        (show_seconds(3_725), "1 h 2 min"),
        (show_seconds(200_000), "2 d 7 h"),
        (show_seconds(None), "-"),
        (show_bytes(999), "999 B"),
        (show_bytes(123_456_789), "123.5 MB"),
        (show_bytes(2.5e15), "2.5 PB"),
        (show_rate(0), "-"),
        (show_rate(3.21), "3.2 rows/s"),
        (show_rate(1_234_567), "1,234,567 rows/s"),
        (show_percent(0.9999), "99 %"),
        (show_percent(1.0), "100 %"),
        (show_age(at(-90), NOON), "1 min 30 s ago"),
        (show_age(at(7200), NOON), "in 2 h 0 min"),
    ],
)
def test_words(shown, expected):
    assert shown == expected


def test_the_pace_of_the_last_half_minute_decides():
    pace = Pace(10_000)
    pace.mark(seconds=100, rows=1_000, size=100_000)
    for second in (110, 120, 130, 140):
        pace.mark(
            seconds=second, rows=1_000 + (second - 100) * 100, size=100_000 + (second - 100) * 10_000_000
        )
    assert pace.rate == 100
    assert pace.seconds_left == 50
    assert pace.line() == "5,000 of 10,000 rows (50 %), 400.1 MB, 100 rows/s, 10.0 MB/s, 50 s left"


def test_a_pace_without_a_total_or_without_a_start():
    assert Pace().line() == "0 rows, 0 B"
    assert Pace(0).line() == "0 of 0 rows (100 %), 0 B"
    unknown = Pace()
    unknown.mark(seconds=2, rows=0, size=3_000_000)  # CSV: bytes are known, rows are not
    assert unknown.line() == "0 rows, 3.0 MB, -, 1.5 MB/s"
    begun = Pace(100, done_rows=40)
    begun.mark(seconds=1, rows=10, size=1)
    assert (begun.rows, begun.rate, begun.seconds_left) == (50, 10, 5)


def test_the_line_of_a_waiting_unload():
    submitted = {
        "query_id": "01b2",
        "submitted_at": 1000.0,
        "title": "A.B.C, chunk 001: ID 1 … 9",
        "rows": 5_000,
    }
    assert (
        show_waiting(submitted, 1065.0)
        == "Snowflake still unloads A.B.C, chunk 001: ID 1 … 9 (5,000 rows): query 01b2, 1 min 5 s so far"
    )


def test_spans_that_do_not_overlap_share_a_lane():
    lanes = pack_lanes([span(0, 10, label="a"), span(5, 8, label="b"), span(10, None, label="c")], at(20))
    assert [[each.label for each in lane] for lane in lanes] == [["a", "c"], ["b"]]


def test_plots_are_whole_and_escaped():
    hostile = '</title><script>alert("1")</script>'
    spans = [
        span(0, 60, step="unload", label=hostile, worker="<b>"),
        span(60, None, state="running"),
        span(61, 61, rows=0),
    ]
    for drawn in (plot_gantt(spans, at(90)), plot_rate(spans, at(90)), plot_rate(spans, at(90), "bytes")):
        root = ElementTree.fromstring(drawn)  # noqa: S314 - our own text
        assert root.tag == "svg"
        assert not [each for each in root.iter() if each.tag in {"script", "b"}]
    drawn = ElementTree.fromstring(plot_gantt(spans, at(90)))  # noqa: S314 - likewise
    titles = [title.text for title in drawn.iter("title")]
    assert titles[0] == f"{hostile}: 100 rows, 1 kB, 1 min 0 s on <b>"
    even = [span(0, 100, rows=100_000)]
    assert [">1 k<" in plot_rate(even, at(100)), ">10 kB<" in plot_rate(even, at(100), "bytes")] == [
        True,
        True,
    ]
    assert (plot_gantt([], NOON), plot_rate([], NOON)) == ("", "")


def test_a_plot_of_what_goes_on_runs_until_now():
    spans = [span(0, 60, rows=6000)]
    assert ">10 min<" in plot_rate(spans, at(600), live=True)
    assert ">10 min<" not in plot_rate(spans, at(600))
    assert ">10 min<" in plot_gantt(spans, at(600), live=True)


def test_steps_show_the_loudest_state():
    tasks = [
        TaskState("plan", -1, "success", started=at(0), ended=at(5)),
        TaskState("load", 0, "success", started=at(10), ended=at(20)),
        TaskState("load", 1, "failed", started=at(10), ended=at(30)),
        TaskState("load", 2, "deferred", started=at(12)),
        TaskState("verify", -1, "upstream_failed", started=at(40), ended=at(40)),
        TaskState("strange", -1, "success"),
    ]
    shown = {
        step.task_id: (step.word, step.done, step.total, step.seconds) for step in build_steps(tasks, at(50))
    }
    assert shown["plan"] == ("done", 1, 1, 5)
    assert shown["load"] == ("failed", 1, 3, 40)
    assert shown["verify"] == ("blocked", 0, 1, None)
    assert shown["unload"] == ("waiting", 0, 0, None)
    assert "strange" not in shown


RUN = {"verification": None, "verified_at": None, "error": None, "source_rows": 100}


def test_a_verdict_on_the_way():
    verdict = build_verdict(RUN, staged_rows=100, loaded_rows=60)
    assert verdict.word == "open"
    assert [(place.rows, place.agrees) for place in verdict.places] == [
        (100, None), (100, True), (60, None), (None, None),
    ]  # fmt: skip
    assert verdict.fingerprint == "not compared yet"


def test_a_verdict_that_differs_and_one_that_agrees():
    found = {"source_rows": 100, "staged_rows": 100, "loaded_rows": 100, "rejected_rows": 2, "table_rows": 97}
    verdict = build_verdict(
        RUN | {"verification": found, "error": "one is missing"}, staged_rows=100, loaded_rows=100
    )
    assert verdict.word == "differs"
    assert verdict.places[-1].agrees is False
    found |= {
        "table_rows": 98,
        "fingerprint": {
            "compared": True,
            "rows": 98,
            "hash": "00ff",
            "columns": 3,
            "approximate": ["V"],
        },
    }
    verdict = build_verdict(
        RUN | {"verification": found, "verified_at": NOON}, staged_rows=100, loaded_rows=100
    )
    assert (verdict.word, verdict.places[-1].agrees, verdict.rejected) == ("verified", True, 2)
    assert (
        verdict.fingerprint == "3 columns over 98 rows (all rows) agree, hash 00ff; compared approximately: V"
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22 12:00:00.123456789 +0000", datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-22 12:00:00", NOON),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("20261122", None),
        ("12345", None),
        ("0.5", None),
        ("zebra-", None),
        ("", None),
        (None, None),
    ],
)
def test_a_watermark_as_a_moment(text, moment):
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    ("account", "region", "url"),
    [
        ("myorg-prod_1", None, "https://app.snowflake.com/myorg/prod_1"),
        ("xy12345.eu-west-1", None, "https://app.snowflake.com/eu-west-1/xy12345"),
        ("xy12345", "eu-central-1", "https://app.snowflake.com/eu-central-1/xy12345"),
        ("xy12345.us-east-2.aws", None, "https://app.snowflake.com/us-east-2.aws/xy12345"),
    ],
)
def test_a_query_in_snowsight(account, region, url):
    assert build_query_url(account, region, "01b2-3") == f"{url}/#/compute/history/queries/01b2-3/detail"


@pytest.mark.parametrize("account", [None, "", "sandbox", "a/b-c", "evil.com/x.y", 'o-"><script>'])
def test_no_address_is_guessed(account):
    assert build_query_url(account, None, "01b2") is None


def test_folders_and_tabs_are_escaped():
    assert (
        build_s3_url("lake", 'A/B/"T" & x/', "eu-west-1")
        == "https://console.aws.amazon.com/s3/buckets/lake?region=eu-west-1&prefix=A%2FB%2F%22T%22%20%26%20x%2F&showversions=false"
    )
    assert build_s3_url("lake", "x/", "us-gov-west-1").startswith(
        "https://console.amazonaws-us-gov.com/s3/buckets/lake?"
    )
    assert build_s3_url("lake", "x/", "cn-north-1").startswith(
        "https://console.amazonaws.cn/s3/buckets/lake?"
    )
    assert (
        build_tab_url("https://airflow.example/a/", "dag", "manual__2026-11-22T12:00:00+00:00")
        == "https://airflow.example/a/dags/dag/runs/manual__2026-11-22T12%3A00%3A00%2B00%3A00/plugin/migration"
    )
    assert re.fullmatch(r"/dags/a%2Fb/runs/r/plugin/migration", build_tab_url("", "a/b", "r"))
