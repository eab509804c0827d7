"""The part of docs/live-account.md that the target writes."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.second_engine.compare import ORDINARY, READ, Counts, Difference
from tests.second_engine.verdicts import VERDICTS, Verdict

PAGE = Path(__file__).parents[2] / "docs" / "live-account.md"
BEGIN = "<!-- begin: written by make test-second-engine -->"
END = "<!-- end: written by make test-second-engine -->"
#: Probes of one line that are named.
_NAMED = 2


def write_page(counts: Counts, engine: str, differences: Sequence[Difference]) -> None:
    """Put the table between the page's two markers.

    :raises SystemExit: the page has no markers.
    """
    text = PAGE.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks the lines {BEGIN} and {END}: put them back where the table belongs.")
    PAGE.write_text(f"{before}{BEGIN}\n{build_table(counts, engine, differences)}\n{END}{after}")


def build_table(counts: Counts, engine: str, differences: Sequence[Difference]) -> str:
    """The numbers, then a line for each verdict and for each difference that has none: in two tables."""
    sessions = [one for one in differences if one.against == ORDINARY]
    answers = [one for one in differences if one.against != ORDINARY]
    numbers = (
        f"{counts.asked} statements were asked. {counts.read} of the answers are documented elsewhere; the stand-in gives "
        f"{counts.read_alike} of them as documented. {engine} answers {counts.answered}: {counts.answered_alike} as the stand-in does, and "
        f"{counts.decided} otherwise than documented."
    )
    return "\n".join(
        (
            numbers,
            "",
            "| statement | the stand-in answers | documented otherwise | verdict |",
            "| --- | --- | --- | --- |",
            *_lines(answers),
            "",
            "Settings of an account or a user that change an answer, because the product does not set them itself:",
            "",
            "| setting, statement | the account answers | an ordinary session answers | verdict |",
            "| --- | --- | --- | --- |",
            *_lines(sessions),
        )
    )


def _lines(differences: Sequence[Difference]) -> list[str]:
    explained = [
        _line(found, f"**{verdict.party}.** {verdict.why}")
        for verdict, found in group_by_verdict(differences).items()
    ]
    return explained + [
        _line([found], "**no verdict yet**") for found in differences if found.verdict is None
    ]


def group_by_verdict(differences: Sequence[Difference]) -> Mapping[Verdict, list[Difference]]:
    """The explained differences by their verdicts, in the order of verdicts.py."""
    groups: dict[Verdict, list[Difference]] = {verdict: [] for verdict in VERDICTS}
    for difference in differences:
        if difference.verdict is not None:
            groups[difference.verdict].append(difference)
    return {verdict: found for verdict, found in groups.items() if found}


def _line(found: Sequence[Difference], verdict: str) -> str:
    first = found[0]
    names = "; ".join(one.probe.name for one in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    who = first.source if first.against in {READ, ORDINARY} else first.against
    cells = (f"{names}{more}", _code(first.ours), f"{_code(first.theirs)} ({who})", verdict)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _code(text: str) -> str:
    return f"<code>{html.escape(text, quote=False)}</code>" if text.strip() else "nothing"
