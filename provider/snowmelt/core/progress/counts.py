"""What a run's verification found, as a table for people: the same rows in four places, and the fingerprints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PLACES = {
    "source_rows": "Snowflake, at the snapshot",
    "staged_rows": "Files in S3, as the unload returned",
    "loaded_rows": "Ledger, as PostgreSQL's COPY counted",
    "table_rows": "Table in PostgreSQL, counted",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Rows in one of the places that they passed."""

    name: str
    #: None: not counted yet.
    rows: int | None
    #: Whether this is as many as the place before says; None: nothing to compare yet.
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verification of a run."""

    #: verified, differs or open.
    word: str
    places: tuple[Place, ...]
    rejected: int
    fingerprint: str
    error: str | None


def build_verdict(run: Mapping[str, Any], *, staged_rows: int | None, loaded_rows: int | None) -> Verdict:
    """The verdict of a run; before its verification, what the ledger knows so far.

    :param run: the row of snowmelt.run.
    """
    found = run["verification"] or {
        "source_rows": run["source_rows"],
        "staged_rows": staged_rows,
        "loaded_rows": loaded_rows,
    }
    rejected = int(found.get("rejected_rows") or 0)
    places = []
    expected: int | None = None
    for name, title in _PLACES.items():
        rows = found.get(name)
        counted = None if rows is None else int(rows)
        wanted = None if expected is None else expected - (rejected if name == "table_rows" else 0)
        agrees = None if counted is None or wanted is None else counted == wanted
        if (
            agrees is False
            and run["verification"] is None
            and counted is not None
            and counted < (wanted or 0)
        ):
            agrees = None  # the run is still on its way
        places.append(Place(title, counted, agrees))
        expected = counted if counted is not None else expected
    verified = run["verified_at"] is not None
    word = "verified" if verified else "differs" if run["verification"] and run["error"] else "open"
    return Verdict(
        word, tuple(places), rejected, describe_fingerprint(found.get("fingerprint")), run["error"]
    )


def describe_fingerprint(fingerprint: object) -> str:
    """One sentence on the fingerprints."""
    if not isinstance(fingerprint, Mapping):
        return str(fingerprint) if fingerprint else "not compared yet"
    if fingerprint.get("compared"):
        loosely = fingerprint.get("loosely") or []
        text = f"{fingerprint['columns']} columns over {int(fingerprint['rows']):,} rows agree, hash {fingerprint['hash']}"
        if loosely:
            text += f"; compared loosely: {', '.join(map(str, loosely))}"
        return text
    return str(fingerprint.get("reason") or "not compared yet")
