"""Why answers differ: a line for each difference, settled by the documentation. A difference without one fails the target,
and so does a line whose difference is gone or has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class Party(StrEnum):
    """What has to be fixed."""

    STAND_IN = "fix the stand-in"
    PRODUCT = "fix the product"
    BOTH = "fix both"
    NONE = "ours is right"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one or more differences."""

    #: Names of probes; `*` stands for anything.
    probes: str
    #: documentation, an ordinary session, or the other engine.
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


_READ, _USUAL = "documentation", "an ordinary session"
_DATES = "DATE_INPUT_FORMAT decides how the texts of bounds and of the fingerprint's 1970-01-01 are read."
_TIMESTAMPS = "TIMESTAMP_INPUT_FORMAT decides how bounds and the instant of AT are read."
_TIMES = "TIME_INPUT_FORMAT decides how the '00:00:00' in the SELECT of every TIME column is read."
_CASE = 'QUOTED_IDENTIFIERS_IGNORE_CASE turns "Visit Id" into VISIT ID.'
_PRINTED = "TO_JSON prints times inside of a VARIANT by the session's *_OUTPUT_FORMAT."
_SET = "The product has to set it on connecting."
_HONOUR = "The stand-in does not look at it."

VERDICTS: tuple[Verdict, ...] = (
    Verdict("staged *: VARIANT_", _READ, ('"12:34:56.123456"; *',), Party.BOTH, f"{_PRINTED} By default a TIMESTAMP has three digits and a TIME none, so digits are lost and the fingerprint sees none of it; an offset stays, and +0000 is Z. The stand-in prints six digits in UTC."),
    Verdict("*, staged parquet: VARIANT_", _READ, ('"12:34:56.123456"; *',), Party.STAND_IN, f"{_PRINTED} {_HONOUR}"),
    Verdict("*, staged parquet: VARIANT_", _USUAL, ('*.123456789"',), Party.PRODUCT, f"{_PRINTED} {_SET}"),
    Verdict("staged *: OBJECT_", _READ, ('{"t":"2024-01-01 12:34:56.123456"}',), Party.BOTH, "As in a VARIANT."),
    Verdict("staged *: VARIANT_FLOAT", _READ, ("1.23; 0.30000000000000004",), Party.BOTH, "A FLOAT inside of a VARIANT prints 16 digits, so the last bit can be lost; the stand-in prints the shortest text that reads back. The product has to say so, or to offer an exact way."),
    Verdict("doctor: JSON floats", _READ, ("0.30000000000000004, 1.7976931348623157e308",), Party.BOTH, "As above: the doctor's question expects digits that no account prints."),
    Verdict("staged *: ARRAY_", _READ, ("?1,null?",), Party.BOTH, "A SQL NULL in an ARRAY prints `undefined`, which is no JSON: the stand-in has to print it, and the product to load it as null."),
    Verdict("dates as *", _READ, ("2", "5, 43152938210294275582, *"), Party.STAND_IN, f"{_DATES} {_HONOUR}"),
    Verdict("dates as *", _USUAL, ("error 100040",), Party.PRODUCT, f"{_DATES} {_SET}"),
    Verdict("timestamps as *", _READ, ("1", "2", "2024-02-03"), Party.STAND_IN, f"{_TIMESTAMPS} {_HONOUR}"),
    Verdict("timestamps as *", _USUAL, ("error 100035",), Party.PRODUCT, f"{_TIMESTAMPS} {_SET}"),
    Verdict("timestamps as *", _USUAL, ("2024-03-02",), Party.PRODUCT, f"{_TIMESTAMPS} Day and month of a watermark change places without a word. {_SET}"),
    Verdict("times as *", _READ, ("0; 86399999999; NULL",), Party.STAND_IN, f"{_TIMES} {_HONOUR}"),
    Verdict("times as *", _USUAL, ("error: Time '00:00:00' is not recognized",), Party.PRODUCT, f"{_TIMES} {_SET}"),
    Verdict("identifiers without case, *", _READ, ("7",), Party.STAND_IN, f"{_CASE} {_HONOUR}"),
    Verdict("identifiers without case, *", _USUAL, ("error 000904: *",), Party.PRODUCT, f"{_CASE} {_SET}"),
    Verdict("snapshot: * ahead", _READ, ("2",), Party.BOTH, "An instant in the future is refused. The stand-in answers as of now; the product has to try such a refusal again (its number is documented nowhere), and to take its snapshot in the past."),
    Verdict("changes: since a snapshot", _READ, ("error 000904: *METADATA$ACTION*",), Party.STAND_IN, "CHANGES is passed over by the stand-in, and no METADATA$ column is there."),
    Verdict("changes: tracking is off", _READ, ("0",), Party.STAND_IN, "CHANGES is passed over by the stand-in: it answers as the table is."),
    Verdict("collation: fingerprint of two collations", _READ, ("2, *",), Party.BOTH, "|| of texts under two collations is refused. The stand-in drops collations; the product's row text has to cast each text to VARCHAR."),
    Verdict("collation: concatenation", _READ, ("Ab; aB",), Party.STAND_IN, "The stand-in drops collations."),
    Verdict("collation: bound", _READ, ("1",), Party.BOTH, "A comparison goes by the column's collation. The stand-in compares code points; the product's chunks and watermarks over such a column are cut otherwise in PostgreSQL, so it has to cast the key, or refuse it."),
    Verdict("metadata: computed column", _READ, ("error 002003: *COMPUTED*",), Party.BOTH, "The stand-in takes no computed column. DESCRIBE calls its kind VIRTUAL, and the product leaves such a column out without a word."),
    Verdict("unload: CSV, NULL and texts", _READ, ("*5,\\N⏎",), Party.BOTH, "With FIELD_OPTIONALLY_ENCLOSED_BY a NULL's text is enclosed, so NULL arrives as the text \\N. The product has to unload with NULL_IF = () and to load an empty field as NULL."),
    Verdict("error: function that is missing", _READ, ("error 002140: *",), Party.STAND_IN, "The number is right, the text is the database's underneath."),
    Verdict("error: text that is no number", _READ, ("error 100038: Conversion Error: *",), Party.STAND_IN, "The number is right, the text is the database's underneath."),
    Verdict("error: text that is no *", _READ, ("error 100038: Conversion Error: *",), Party.STAND_IN, "Each type has a number and a text of its own; the stand-in has one for all."),
    Verdict("error: division by zero", _READ, ("inf; inf; NULL",), Party.STAND_IN, "Snowflake refuses a division by zero; the stand-in answers with an infinity, which no test of a source_filter or mask notices."),
    Verdict("staged csv: FLOAT_64", "fakesnow", ("3.0000000000000004E-01; *",), Party.NONE, "TME is scientific notation (sql-reference/sql-format-models); fakesnow does not look at the model. Both texts read back as the same float, and the doctor asks an account."),
    Verdict("doctor: JSON numbers", "fakesnow", ("*-0.1234567890123456789012345678901234567*",), Party.NONE, "A number inside of a VARIANT has up to 38 digits (user-guide/data-types-semistructured); fakesnow turns it into a float. The doctor asks an account."),
)  # fmt: skip
