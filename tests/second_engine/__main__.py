"""`make test-second-engine`: every form of statement that the product sends, asked of the stand-in and held against what
Snowflake's documentation and another engine say.

Exit code 1: a difference has no verdict (verdicts.py), or a verdict is on a difference that is gone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

from tests.second_engine.compare import compare, find_stale
from tests.second_engine.engines import Engine, running_fakesnow, running_stand_in
from tests.second_engine.page import group_by_verdict, write_page
from tests.second_engine.probes import Answer, Error, Probe
from tests.second_engine.readings import READINGS
from tests.second_engine.statements import probes
from tests.second_engine.tables import make_tables

_MADE = re.compile(r"(?:TABLE|INTO|STAGE|INTEGRATION) (\w+)")
#: From here on numbers are the connector's own: the server broke, or did not answer.
_CONNECTORS_OWN = 250_000
_NAMED = re.compile(r'"(\w+)"')


def main() -> int:
    asked = list(probes())
    if len({probe.name for probe in asked}) != len(asked):
        raise SystemExit("Two probes of statements.py have one name.")
    unknown = set(READINGS) - {probe.name for probe in asked}
    if unknown:
        raise SystemExit(f"readings.py tells about probes that nobody asks: {', '.join(sorted(unknown))}.")
    with running_stand_in() as engine:
        make_tables(engine)
        ours: Mapping[str, Answer] = {probe.name: engine.answer(probe) for probe in asked}
    with running_fakesnow() as engine:
        theirs = _ask_all(engine, asked, make_tables(engine))
    counts, differences = compare(asked, ours, theirs, engine.name, READINGS)
    write_page(counts, engine.name, differences)
    print(
        f"{counts.asked} statements: {counts.read} documented ({counts.read_alike} alike), "
        f"{counts.answered} answered by {engine.name} ({counts.answered_alike} alike, {counts.decided} decided by documentation)."
    )
    for verdict, found in group_by_verdict(differences).items():
        print(f"\n{verdict.party}: {verdict.why}")
        for one in found:
            print(
                f"  {one.probe.name}\n    stand-in: {one.ours}\n    {one.source or one.against}: {one.theirs}"
            )
    unexplained = [difference for difference in differences if difference.verdict is None]
    stale = find_stale(differences)
    for one in unexplained:
        print(
            f"\nNO VERDICT: {one.probe.name}, against {one.against}\n  {one.probe.sql}\n  stand-in: {one.ours}\n  documented: {one.theirs} {one.source}"
        )
    for verdict in stale:
        print(
            f"\nGONE: {verdict.probes}, against {verdict.against}: nothing differs so any more. Remove the line from verdicts.py."
        )
    print(f"\n{len(differences) - len(unexplained)} passed, {len(unexplained) + len(stale)} failed")
    return 1 if unexplained or stale else 0


def _ask_all(engine: Engine, asked: list[Probe], refused: Mapping[str, Error]) -> Mapping[str, Answer | None]:
    """The engine's answers; None where it could not make what the statement reads, or gave no answer at all."""
    lacks = {name for sql in refused for name in _MADE.findall(sql)}
    answers: dict[str, Answer | None] = {}
    for probe in asked:
        answer = None if lacks & set(_NAMED.findall(probe.sql)) else engine.answer(probe)
        silent = isinstance(answer, Error) and (answer.number or 0) >= _CONNECTORS_OWN
        answers[probe.name] = None if silent else answer
    return answers


if __name__ == "__main__":
    sys.exit(main())
