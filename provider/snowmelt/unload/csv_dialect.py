r"""CSV as Snowflake writes it and PostgreSQL reads it: the one place that defines the dialect, for both sides.

UTF-8, comma, line feed, double quotes (a quote inside is doubled, backslash is an ordinary character), no header line.
NULL is nothing between two delimiters, and every text is in quotes: an empty text is `""`. A text for NULL (NULL_IF) is not
used, for Snowflake puts it in quotes too, where it would be a text. A record of one NULL column is an empty line, which COPY
takes as a row; no line can be a bare `\.`, which ends a COPY before PostgreSQL 18.

Sources: Snowflake "CREATE FILE FORMAT" (formatTypeOptions) and "Data unloading considerations" (empty strings and NULL; the
example shows a NULL_IF text in quotes); PostgreSQL "COPY" (CSV format: the NULL string is not compared with a quoted value).
"""

from __future__ import annotations

from snowmelt.errors import ConfigurationError

_SNOWFLAKE_COMPRESSION = {"none": "NONE", "gzip": "GZIP", "zstd": "ZSTD"}
#: COPY's own text for the dialect. A constant: no part of it comes from a form, a file or a name.
COPY_OPTIONS = r"""FORMAT csv, DELIMITER ',', QUOTE '"', ESCAPE '"', NULL '', ENCODING 'UTF8'"""


def csv_file_format(compression: str) -> str:
    """The operand of Snowflake's FILE_FORMAT for an unload that `COPY_OPTIONS` reads; it goes with HEADER = FALSE.

    :param compression: none, gzip or zstd; aws_s3 takes none, and gzip where the object says `Content-Encoding: gzip`.
    :raises ConfigurationError: for any other compression.
    """
    if compression not in _SNOWFLAKE_COMPRESSION:
        raise ConfigurationError(
            f"CSV files cannot be loaded under the compression {compression!r}: "
            f"choose one of {', '.join(_SNOWFLAKE_COMPRESSION)}."
        )
    return (
        f"(TYPE = CSV COMPRESSION = {_SNOWFLAKE_COMPRESSION[compression]} "
        r"""FIELD_DELIMITER = ',' RECORD_DELIMITER = '\n' FIELD_OPTIONALLY_ENCLOSED_BY = '"' """
        r"ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE NULL_IF = () EMPTY_FIELD_AS_NULL = FALSE)"
    )
