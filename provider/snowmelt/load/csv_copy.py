"""The COPY of a CSV file: by the client, or by the server itself through aws_s3."""

from __future__ import annotations

import re
from dataclasses import dataclass

from snowmelt.errors import StagingError
from snowmelt.load.target import LoadTarget
from snowmelt.unload.csv_dialect import COPY_OPTIONS

#: `table_import_from_s3` answers in words; stand-ins may answer with the number alone.
_IMPORTED = re.compile(
    r"(?P<rows>\d+)(?: rows imported into relation .* from file .* of (?P<bytes>\d+) bytes)?", re.DOTALL
)


def build_csv_copy(target: LoadTarget) -> str:
    """The COPY statement that takes the dialect from the client, with an explicit column list."""
    return f"COPY {target.name} ({target.column_list}) FROM STDIN ({COPY_OPTIONS})"


def build_aws_s3_options() -> str:
    """The `options` argument of `aws_s3.table_import_from_s3`: COPY's own text in parentheses."""
    return f"({COPY_OPTIONS})"


@dataclass(frozen=True, slots=True)
class Imported:
    """What `aws_s3.table_import_from_s3` said that it did."""

    rows: int
    #: None where the answer was the bare number of rows.
    bytes: int | None


def parse_imported(answer: object) -> Imported:
    """The rows and bytes of `87701673 rows imported into relation "t" from file x.csv of 6539180310 bytes`.

    :raises StagingError: when the answer says neither; the transaction must then be rolled back.
    """
    match = _IMPORTED.fullmatch(str(answer).strip())
    if match is None:
        raise StagingError(
            f"aws_s3.table_import_from_s3 answered {str(answer)[:200]!r}, from which no row count can be read. "
            "Nothing was committed; load with load_method copy."
        )
    return Imported(int(match["rows"]), int(match["bytes"]) if match["bytes"] else None)
