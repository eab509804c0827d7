"""The README and the pages: links lead somewhere, every command exists, and the README's commands do what it says."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text()
#: A state of its own: the demo, the tests and somebody's `make up` do not meet.
STATE = ".sandbox-readme"


def anchors(text):
    """GitHub's anchors of a page's headings, and those that it names itself."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {
        re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading)).strip().lower().replace(" ", "-")
        for heading in headings
    }
    return made | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found.read_text()), target


def test_every_page_is_linked_from_the_readme():
    text = PAGES[0].read_text()
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
    assert pages - set(re.findall(r"\]\((docs/[\w-]+\.md)\)", text)) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(page):
    named = set(
        re.findall(
            r"\bmake ((?:[a-z]+-)*[a-z]+)",
            " ".join(re.findall(r"`[^`\n]+`|^    .+$", page.read_text(), re.MULTILINE)),
        )
    )
    for target in named:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def commands(text):
    """The README's commands, in its order: its indented blocks, line by line."""
    return [line.strip() for line in re.findall(r"^ {4}(?! )(.+)$", text, re.MULTILINE)]


@pytest.mark.alone
def test_the_readmes_commands_work_one_after_another():
    lines = commands(PAGES[0].read_text())
    assert lines[:2] == ["make demo", "make test"]
    rest = [line for line in lines if line != "make test"]  # this is a part of it
    script = "\n".join(["set -euo pipefail", *rest, "make help", "make up", "make down"]).replace(
        ".sandbox/", f"{STATE}/"
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SNOWMELT_", "AIRFLOW"))
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env=environment | {"STATE": STATE, "ROWS": "5000"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-4000:]
    assert "verified" in output
    assert "http://localhost" in output or "http://127.0.0.1" in output
