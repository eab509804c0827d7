"""Why answers differ: a line for each difference, settled by the documentation. A difference without one fails the target,
and so does a line whose difference is gone or has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class Party(StrEnum):
    """What has to be corrected."""

    STAND_IN = "correct the stand-in"
    PRODUCT = "correct the product"
    NONE = "ours is right"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one or more differences."""

    #: Names of probes; `*` stands for anything.
    probes: str
    #: documentation, or the other engine.
    against: str
    #: The answers that are explained, so that another wrong answer is a new difference; `*` stands for anything.
    ours: tuple[str, ...]
    party: Party
    why: str

    def explains(self, probe: str, against: str, ours: str) -> bool:
        """Whether the verdict is about this difference."""
        return (
            against == self.against
            and fnmatchcase(probe, self.probes)
            and any(fnmatchcase(ours, answer) for answer in self.ours)
        )


_READ = "documentation"

VERDICTS: tuple[Verdict, ...] = (
    Verdict("collation: bound", _READ, ("1",), Party.STAND_IN, "A comparison goes by the column's collation (sql-reference/collation); the stand-in compares by bytes. The product casts a collated text before it compares it, and such statements agree."),
    Verdict("staged csv: FLOAT_64", "fakesnow", ("3.0000000000000004E-01; *",), Party.NONE, "TME is scientific notation (sql-reference/sql-format-models); fakesnow does not look at the model. Both texts read back as the same float, and the doctor asks an account."),
    Verdict("doctor: JSON numbers", "fakesnow", ("*-0.1234567890123456789012345678901234567*",), Party.NONE, "A number inside of a VARIANT has up to 38 digits (user-guide/data-types-semistructured); fakesnow turns it into a float. The doctor asks an account."),
    Verdict("doctor: JSON NULL", "fakesnow", ("*undefined*",), Party.NONE, "A SQL NULL in an ARRAY is printed as undefined (user-guide/semistructured-considerations); fakesnow prints null. The product loads both as a JSON null."),
    Verdict("doctor: JSON times", "fakesnow", ("*.123456789*",), Party.NONE, "TO_JSON prints times by the session's output formats, here with nine digits (sql-reference/parameters); fakesnow keeps six."),
    Verdict("doctor: literals", "fakesnow", ("2024-02-01, 2024-02-01 03:04:05.123456789",), Party.NONE, "TIMESTAMP_NTZ(9) has nine digits (sql-reference/data-types-datetime); fakesnow keeps six."),
)  # fmt: skip
