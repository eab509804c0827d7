"""The pages are made of whatever was measured, and the numbers computed from it are right."""

from __future__ import annotations

import json

import pytest

from benchmarks import report
from benchmarks.estimate import render_estimate
from benchmarks.plot_growth import draw_growth

SECONDS = {"plan": 1, "unload": 2, "manifest": 1, "files": 1, "load": 100, "verify": 20}


def ran(rows=1_000_000, files=10):
    steps = {
        name: {"seconds": taken, "cpu": 0, "statements": 4, "xcom": 1000} for name, taken in SECONDS.items()
    }
    steps["verify, counts alone"] = {"seconds": 2, "cpu": 0, "statements": 5}
    steps["publish"] = {"seconds": 7, "cpu": 0, "statements": 45}
    return {
        "rows": rows,
        "files": files,
        "bytes": 10**8,
        "unload_tasks": 10,
        "load_tasks": files,
        "published": rows,
        "index_seconds": 4,
        "steps": steps,
        "grown_mb": 30,
    }


def mapped(settings, tasks, wall):
    parts = {"scheduler": 10, "api": 20, "tasks": 100, "dag processor": 5, "triggerer": 1}
    return {
        "settings": settings,
        "set": {},
        "tasks": tasks,
        "wall": wall,
        "each": 2,
        "queued": 1,
        "run_seconds": 120,
        "cpu": parts,
    }


BENCH = {
    "load": {
        "fact": {"columns": 15, "rows": 1_000_000, "bytes": 10**8, "samples": {"s3": [{"seconds": 1.0}]}}
    },
    "side_by_side": {"seconds": {"1": [1.0], "2": [1.0]}},
    "levers": {
        "rows": 500_000,
        "samples": {
            "three indexes built afterwards": [{"seconds": 4.0}],
            "a plain table": [{"seconds": 1.0}],
        },
    },
}
SCALE = {
    "by_rows": [ran(10_000), ran()],
    "by_files": [ran(10, 1), ran(10_000, 1_000)],
    "scheduler": [
        mapped("Airflow's defaults", 100, 150),
        mapped("as in docker-compose.yaml, one worker", 100, 60),
    ],
}


def test_the_scale_page_holds_its_tables_the_plot_and_the_estimate(tmp_path):
    raw, tuning = tmp_path / "raw", tmp_path / "tuning.md"
    raw.mkdir()
    for name, values in SCALE.items():
        (raw / f"{name}.json").write_text(json.dumps(values))
    tuning.write_text(
        "before\n<!-- bench: scheduler -->\nold\n<!-- end -->\n<!-- bench: load -->\nkept\n<!-- end -->\n"
    )
    report.write_report(raw, tmp_path, tuning)
    page = (tmp_path / "SCALE.md").read_text()
    assert (
        "| 1,000,000 | 10 | 100 | 1.00 | 2.00 | 1.00 | 1.00 | 100.00 | 20.00 | 4.00 | 3.00 | 2.00 | 30 |"
        in page
    )
    assert "| 1,000,000 | 132.0 | 1% | 2% | 1% | 1% | 76% | 15% | 3% | 2% | 7,576 |" in page
    # 60 s over 100 tasks.
    assert (
        "0.6 s (as in docker-compose.yaml, one worker), so its files should take at least ten times that to load, 6 s"
        in page
    )
    assert "Not computed: the parts levers, load, side_by_side were not measured (`make bench`)." in page
    assert "![Seconds of each step by rows and by files](scale.svg)" in page
    assert "as in docker-compose.yaml" in tuning.read_text()
    assert "kept" in tuning.read_text()
    assert not (tmp_path / "RESULTS.md").exists()
    drawn = (tmp_path / "scale.svg").read_text()
    assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert drawn.endswith("</svg>\n")
    assert drawn.count("<polyline") == 11


@pytest.mark.parametrize("kept", [("by_rows",), ("by_files",), ("by_rows", "by_files")])
def test_the_plot_draws_what_there_is(kept):
    lines = draw_growth({name: SCALE[name] for name in kept}).count("<polyline")
    assert lines == sum({"by_rows": 6, "by_files": 5}[name] for name in kept)


def test_the_estimate_scales_what_was_measured():
    lines = dict(
        line.strip("| ").rsplit(" | ", 1)
        for line in render_estimate(BENCH | SCALE).splitlines()
        if line.startswith("| ") and not line.startswith(("| | ", "| ---"))
    )
    # 1 µs a row of 15 columns: 3 µs of 45; 272 million rows are 816 s, and two loaders are twice as fast.
    assert lines["loading, one loader through S3"] == "0.23"
    assert lines["loading, two loaders (2.00 times as fast as one, as measured)"] == "0.11"
    # 4 s a million rows, times 272, times log2(272e6) / log2(1e6) = 1.406: 1,530 s.
    assert lines["the primary key, built afterwards (from 1,000,000 rows, with ANALYZE)"] == "0.42"
    # 2 s and 3 s a million rows of 8 columns: 3,060 s and 4,590 s of 45.
    assert lines["verify by counts"] == "0.85"
    assert lines["publish, its own count included"] == "1.27"
    # 55 chunks twice and 300 load tasks at 0.6 s.
    assert lines["Airflow: 410 mapped tasks, were none of it hidden behind the loads"] == "0.07"
    assert lines["**two loaders and the primary key, verified and published, with Airflow's**"] == "2.73"


def test_the_estimate_does_without_the_scale_parts():
    # A second for each of three indexes on half a million rows.
    assert "from a third of three on 500,000 rows) | 0.22 |" in render_estimate(BENCH)
