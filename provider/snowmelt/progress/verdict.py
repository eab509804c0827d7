"""What a run's fingerprints say, for its log, its report and its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The scope of a comparison that no row is left out of. Of a sample it is "12 of 300 chunks".
ALL_ROWS = "all rows"


def describe_fingerprint(found: Mapping[str, Any]) -> str:
    """One sentence on what was compared.

    :param found: the `fingerprint` of a run's verification in the ledger.
    """
    if not found.get("compared"):
        return str(found.get("reason") or "no reason was recorded")
    text = (
        f"{found['columns']:,} columns over {int(found['rows']):,} rows ({found.get('scope', ALL_ROWS)}) agree, "
        f"hash {found['hash']}"
    )
    if aside := found.get("set_aside"):
        text += f", without the {int(aside):,} rows that were set aside"
    approximate = found.get("approximate") or found.get("loosely") or []  # the word of 0.1.0
    listed = (
        ("compared by the staged text", found.get("staged") or []),
        ("compared approximately", approximate),
    )
    return text + "".join(f"; {how}: {', '.join(map(str, names))}" for how, names in listed if names)
