"""The answers beside one another: what differs, and whether a verdict explains it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.second_engine.probes import Answer, Error, Probe, Reading, Rows
from tests.second_engine.verdicts import VERDICTS, Verdict

READ = "documentation"
#: A statement whose answer depends on how an account or a user has set the session.
ORDINARY = "an ordinary session"
#: Rows of a long answer that are shown.
_SHOWN_ROWS = 4
#: Volatile parts of an answer: the rest is compared.
_SHOWN = 150


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the stand-in does not say what another says."""

    probe: Probe
    #: Who says otherwise: `READ`, or an engine's name.
    against: str
    #: What differs of the stand-in's answer, and of the other's; under an odd setting: of what is read, and of the usual answer.
    ours: str
    theirs: str
    #: The page that is read, for a difference to a reading.
    source: str = ""

    @property
    def verdict(self) -> Verdict | None:
        return next(
            (verdict for verdict in VERDICTS if verdict.explains(self.probe.name, self.against, self.ours)),
            None,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """How many statements were asked, and what became of them."""

    asked: int
    read: int
    read_alike: int
    answered: int
    answered_alike: int
    #: Differences to the other engine that a reading decides for the stand-in.
    decided: int


def compare(
    probes: Sequence[Probe],
    ours: Mapping[str, Answer],
    theirs: Mapping[str, Answer | None],
    engine: str,
    readings: Mapping[str, Reading],
) -> tuple[Counts, list[Difference]]:
    """All differences, in the order of the probes.

    :param theirs: None where the other engine lacks what it would need to answer.
    """
    differences: list[Difference] = []
    read = read_alike = answered = alike = decided = 0
    for probe in probes:
        answer, other, reading = ours[probe.name], theirs[probe.name], readings.get(probe.name)
        if reading is not None:
            read += 1
            if reading.agrees(answer):
                read_alike += 1
            else:
                differences.append(Difference(probe, READ, *_parts(answer, reading), reading.source))
        if probe.ordinary and reading is not None and reading != readings[probe.ordinary]:
            usual = readings[probe.ordinary]
            differences.append(Difference(probe, ORDINARY, *_parts(reading, usual), reading.source))
        if other is None or (isinstance(other, Error) and isinstance(answer, Rows)):
            continue  # a refusal of the other engine says that it lacks something, or that Snowflake refuses: readings tell
        answered += 1
        if _same(answer, other) or (reading is not None and reading.agrees(answer) and reading.agrees(other)):
            alike += 1
        elif reading is not None and not reading.agrees(other):
            decided += 1
        else:
            differences.append(Difference(probe, engine, *_parts(answer, other)))
    return Counts(len(probes), read, read_alike, answered, alike, decided), differences


def find_stale(differences: Sequence[Difference]) -> list[Verdict]:
    """Verdicts on what differs no longer."""
    used = {id(difference.verdict) for difference in differences}
    return [verdict for verdict in VERDICTS if id(verdict) not in used]


def _same(ours: Answer, theirs: Answer) -> bool:
    if isinstance(ours, Error) or isinstance(theirs, Error):
        return isinstance(ours, Error) and isinstance(theirs, Error) and ours.number == theirs.number
    return (ours.types, ours.values) == (theirs.types, theirs.values)


def _parts(ours: Answer | Reading, theirs: Answer | Reading) -> tuple[str, str]:
    """The two answers without what they have in common."""
    mine, values = (None if isinstance(one, Error) else one.values for one in (ours, theirs))
    if mine is not None and values is not None and len(mine) == len(values):
        places = [place for place, row in enumerate(values) if row != mine[place]]
        if places:
            return _short(_rows(mine, places)), _short(_rows(values, places))
    if isinstance(ours, Rows) and isinstance(theirs, Reading) and theirs.cells:
        cells = [f"{name}: {', '.join(map(str, ours.column(name) or ('none',)))}" for name in theirs.cells]
        return _short("; ".join(cells)), _short(str(theirs))
    if isinstance(ours, Rows) and mine == values:
        return (
            f"types {', '.join(ours.types)}",
            f"types {', '.join([] if isinstance(theirs, Error) else theirs.types)}",
        )
    return _short(str(ours)), _short(str(theirs))


def _rows(rows: Sequence[Sequence[str | None]], places: Sequence[int]) -> str:
    shown = [
        ", ".join("NULL" if value is None else value for value in rows[place])
        for place in places[:_SHOWN_ROWS]
    ]
    return "; ".join(shown) + (f"; and {len(places) - _SHOWN_ROWS} more" if len(places) > _SHOWN_ROWS else "")


def _short(text: str) -> str:
    flat = text.replace("\n", "⏎")
    return flat if len(flat) <= _SHOWN else f"{flat[: _SHOWN - 1]}…"
