"""The part of docs/live-account.md that the target writes."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.second_engine.compare import READ, Counts, Difference, split_difference
from tests.second_engine.readings import READINGS
from tests.second_engine.statements import CHANGED_BY, ODD_SETTINGS
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
    """The numbers, a line for each verdict and for each difference that has none, and the settings of an account."""
    numbers = (
        f"{counts.asked} statements were asked. Documentation, or a test that was run on an account, gives {counts.read} of the answers; "
        f"{counts.read_alike} of the stand-in's are the same. {engine} answers {counts.answered}: {counts.answered_alike} as the stand-in "
        f"does, and {counts.decided} otherwise than documented."
    )
    settings = (
        f"Each of {len(ODD_SETTINGS)} settings of an account or a user was tried, with and without the parameters that Snowmelt pins. "
        "These change an answer where nothing is pinned:"
    )
    return "\n".join(
        (
            numbers,
            "",
            "| statement | the stand-in answers | documented, or answered by the other engine | verdict |",
            "| --- | --- | --- | --- |",
            *_lines(differences),
            "",
            settings,
            "",
            "| setting | statement | documented, not pinned | Snowmelt's session |",
            "| --- | --- | --- | --- |",
            *(_settings_line(setting, name) for setting, names in CHANGED_BY.items() for name in names),
        )
    )


def _settings_line(setting: str, name: str) -> str:
    changed, usual = (READINGS[f"{setting}, {kind}: {name}"] for kind in ("not pinned", "pinned"))
    odd, pinned = split_difference(changed, usual)
    return _row(_code(ODD_SETTINGS[setting]), name, f"{_code(odd)} ({changed.source})", _code(pinned))


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
    who = first.source if first.against == READ else first.against
    return _row(f"{names}{more}", _code(first.ours), f"{_code(first.theirs)} ({who})", verdict)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _code(text: str) -> str:
    return f"<code>{html.escape(text, quote=False)}</code>" if text.strip() else "nothing"
