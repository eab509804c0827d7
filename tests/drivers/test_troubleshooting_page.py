"""Every anchor that a message names stands on the page, every place of the page is named by some message."""

from __future__ import annotations

import re

from snowmelt.errors import PAGE, Topic, see
from tests.conftest import ROOT


def headings() -> list[str]:
    return re.findall(r"^### (\S+)$", (ROOT / PAGE).read_text(), re.MULTILINE)


def test_code_and_page_name_the_same_places():
    assert sorted(headings()) == sorted(topic.value for topic in Topic)


def test_every_place_is_used_by_some_message():
    sources = [
        path.read_text() for path in (ROOT / "provider").rglob("*.py") if path.name != "troubleshooting.py"
    ]
    text = "\n".join(sources)
    assert [topic.name for topic in Topic if f"Topic.{topic.name}" not in text] == []


def test_anchors_are_what_a_heading_becomes():
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", heading) for heading in headings())


def test_links_within_the_page_lead_somewhere():
    links = re.findall(r"\]\(#([^)]+)\)", (ROOT / PAGE).read_text())
    assert links
    assert set(links) <= set(headings())


def test_a_message_ends_with_the_address():
    assert see(Topic.LOCK_TIMEOUT) == "See docs/troubleshooting.md#lock-timeout"
