"""The page that errors end with a link to, served beside the others: docs/troubleshooting.md, which the wheel carries."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from snowmelt.errors import PAGE

_HERE = Path(__file__).parent
#: In the wheel it is beside this module, in a checkout below docs/.
_PLACES = (_HERE / Path(PAGE).name, _HERE.parents[2] / PAGE)
_ADDRESS = re.compile(rf"(?:See )?{re.escape(PAGE)}#([a-z0-9-]+)")


def link_sections(text: str) -> Markup:
    """An error's text, escaped, in which each address of the page is a link."""
    parts = []
    start = 0
    for found in _ADDRESS.finditer(text):
        parts += [
            escape(text[start : found.start()]),
            Markup('<a href="troubleshooting#{0}">How to solve it: {0}</a>').format(found[1]),
        ]
        start = found.end()
    return Markup("").join([*parts, escape(text[start:])])


@cache
def render_troubleshooting() -> Markup:
    """The page's HTML; a heading has its text as its anchor, and a link to another page of the repository is plain text."""
    path = next(place for place in _PLACES if place.is_file())
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(path.read_text(encoding="utf-8"))
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", re.sub(r"[^a-z0-9]+", "-", inline.content.lower()).strip("-"))
    for token in tokens:
        token.children = token.children and _drop_links(token.children)
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704 - our own page, without raw HTML


def _drop_links(tokens: list[Token]) -> list[Token]:
    """The tokens of a line without links that lead out of the page."""
    kept: list[Token] = []
    inner = True
    for token in tokens:
        if token.type == "link_open":
            inner = str(token.attrGet("href") or "").startswith("#")
        if inner or token.type not in {"link_open", "link_close"}:
            kept.append(token)
    return kept
