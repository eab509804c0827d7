"""docs/types.md, made from the type table: `python -m snowmelt.types.documentation > docs/types.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from snowmelt.types.target_types import Outcome, allowed_target, default_target
from snowmelt.types.type_names import parse_postgres_type, parse_snowflake_type
from snowmelt.types.type_table import ARROW_TYPES, TYPE_TABLE, ArrowKind, TypeRow

_TOP = """\
# Types

Made from the type table in `provider/snowmelt/types/type_table.py` by `python -m snowmelt.types.documentation > docs/types.md`.
A test fails when the two differ. How values travel: Snowflake selects the expression below into a staged file, the file's
value goes into the PostgreSQL type. No value passes through a float or a local time zone on the way. A display format matters
only to times inside VARIANT, OBJECT and ARRAY, where it is pinned.
"""

_EXPRESSIONS = """\
## From Snowflake to PostgreSQL

`c` is the column. `t` is the column too; where its type has more than 6 digits of a second it is
`DATE_TRUNC('MICROSECOND', c)`. The first PostgreSQL type is the default for a new column, by size where there are several.
A Parquet file may hold the kinds of Arrow types named; any other is refused before a byte is sent.
"""

_VERDICTS = """\
## Existing columns and the `type` rule

An existing target column, or a type asked for under `columns.type`, is judged by this table. *safe*: every value fits.
*checked*: each value is checked while loading, and one that does not fit is refused, never changed. Everything else is
refused at planning, all columns at once, before anything is unloaded.
"""

_BOTTOM = """\
## Rules

- **Nanoseconds.** PostgreSQL keeps microseconds. Where a TIME or TIMESTAMP of 7 to 9 digits holds more, `nanoseconds: refuse`
  (the default) stops the run and names the columns; `nanoseconds: truncate` cuts the rest off and reports how many values it cut.
- **Offsets.** TIMESTAMP_TZ becomes a `timestamp with time zone`: the instant. `columns.keep_offset` adds a smallint column
  `<target>_offset` with the minutes east of UTC that each value was written with.
- **Names.** A name that Snowflake prints unquoted (`VISIT_ID`) becomes lower case, any other (`Visit Id`) is kept to the letter.
  PostgreSQL takes 63 bytes: `long_names: refuse` (the default) names the columns, `shorten` keeps 54 bytes and adds a hash.
- **NULL.** A nullable source column may go into a NOT NULL column: each value is checked.
- **Integers in Parquet.** The unload casts whole numbers of up to 18 digits, times and instants, so that the files hold integers
  and not DECIMAL; every value fits. Files without the cast load as well, and those whose integers were narrowed file by file.
- **Narrow numbers.** `narrow_numbers` gives the NUMBER(p,0) columns of a new table the smallest integer type that takes their values.
- **CSV and varchar(n).** PostgreSQL's COPY cuts off spaces beyond varchar(n) without an error. Where the target is shorter than the
  source, the unload adds `!` to a text that is too long, so that it is refused. Mode `load` refuses CSV
  files that were unloaded for another length.
- **CSV and years.** The unload adds a remark to a year beyond 1 to 9999, so that PostgreSQL refuses it, whatever
  Snowflake prints for it. Instants count in UTC: 9999-12-31 23:00 -08:00 is in the year 10000.
- **CSV and NULL.** NULL is nothing between two delimiters, an empty text is `""`: Snowflake puts a text for NULL (NULL_IF) in quotes,
  where PostgreSQL would take it as a text.
- **Times inside VARIANT, OBJECT and ARRAY.** TO_JSON prints them by the session's output formats, which Snowmelt pins:
  `2024-02-01 03:04:05.123456789`, with the offset (`+0200`, `Z` for UTC) for a TIMESTAMP_TZ, in UTC for a
  TIMESTAMP_LTZ, `20:57:01.123456789` for a TIME.
- **FLOATs inside VARIANT, OBJECT and ARRAY.** TO_JSON prints 16 significant digits, and a double needs 17: 0.1 + 0.2 arrives as
  0.3. The last bit of about half of all doubles is lost, a relative error below 1e-15. Whole and decimal numbers keep all digits.
  Where the last bit matters, copy the FLOAT as a column of its own, from a view: `SELECT ID, V, V:x::FLOAT AS X FROM RAW_EVENTS`.
- **Collations.** A collation changes no value. Texts are compared by their bytes: in fingerprints, in bounds of chunks and in watermarks.
  Unique keys are compared in PostgreSQL: two keys that a case-insensitive collation takes for one stay two.
- **Computed columns** (kind VIRTUAL in DESCRIBE TABLE, as all columns of external tables) are copied with their values. Leave one out
  by `columns.exclude`.
- **Rows that do not fit.** `bad_rows: reject` (the default) rolls the file back and names file, row and column;
  `quarantine` sets such rows aside in `snowmelt.rejected_row`, by every load method, up to `quarantine_limit` rows of the run.
- **Encodings.** Files are UTF-8. A database in another encoding gets each text converted by PostgreSQL; a character that it does
  not have is a row that does not fit.
- **Masks.** `columns.mask` copies an expression in place of a column, such as `SHA2("Name")` with type `VARCHAR(64)`. It is one
  scalar expression over columns of the table; its type decides everything on this page, and a number or time is cast to it. A masked column is never part of a primary key.

## Types without a way

MAP, FILE, DECFLOAT, intervals, structured OBJECT(…), ARRAY(…) and VECTOR of other elements, and any type not named above, are refused
at planning by name. Three ways out: leave the column out (`columns.exclude`); cast it in a view and copy the view; or convert it by
`columns.mask`:

| type | mask | its type |
| --- | --- | --- |
| MAP, structured OBJECT and ARRAY | `CAST("C" AS VARIANT)` | VARIANT |
| DECFLOAT, intervals | `CAST("C" AS VARCHAR)` | VARCHAR |
| FILE | `CAST("C" AS VARIANT)` | VARIANT |
| NUMBER or DATE into a text column | `TO_VARCHAR("C")` | VARCHAR(40) |
| TIMESTAMP_NTZ that is meant as UTC into timestamptz | `TO_TIMESTAMP_TZ(TO_VARCHAR("C", 'YYYY-MM-DD HH24:MI:SS.FF9') \\|\\| ' +00:00')` | TIMESTAMP_TZ |
| VARCHAR that holds UUIDs into uuid | `"C"` | UUID |
| VARCHAR that holds JSON into jsonb | `PARSE_JSON("C")` | VARIANT |
| VECTOR into text (for pgvector: `'[1,2]'::vector`) | `TO_JSON(CAST("C" AS ARRAY))` | VARCHAR |

## What only a live account can show

`airflow dags test migration_doctor` asks your account about all of these ([live-account.md](live-account.md)).

- A CAST to an integer type in the unload's SELECT is documented to choose the Parquet type also without the narrowing of
  ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION. Were it not to, the files would hold DECIMAL, and load as before, slower.
- TO_VARCHAR of a FLOAT with the format TME is taken to print 17 significant digits, and the sign of a negative zero. Parquet carries
  the 8 bytes as they are: choose it where FLOATs matter.
- Snowflake advises against years before 1582 and beyond 9999. They are carried as Snowflake counts them.
- TO_JSON of a VECTOR's elements, and ST_ASEWKT of coordinates are taken to print digits that read back as the same number.
- NaN and the infinities inside a VARIANT are not JSON: PostgreSQL refuses them.
- BINARY in Parquet is taken to be written as bytes. Text in its place is refused by the loader.

Sources: Snowflake's documentation on DATE_PART, DATEDIFF, DATE_TRUNC, CONVERT_TIMEZONE, SQL format models, TO_JSON, HEX_ENCODE,
ST_ASEWKT, semi-structured data types, collation, data unloading, vector data types, UUID data type, date and time data types; PostgreSQL's on character, numeric and date/time types.
"""

#: Source types and target types of the verdict table: one of each kind, and those on the edge.
_EXAMPLES = (
    ("NUMBER(4,0)", ("smallint", "integer", "bigint", "numeric(38,0)", "numeric")),
    (
        "NUMBER(38,0)",
        ("smallint", "integer", "bigint", "numeric(20,0)", "numeric(38,0)", "numeric", "double precision"),
    ),
    (
        "NUMBER(12,2)",
        ("numeric(12,2)", "numeric(14,4)", "numeric(10,2)", "numeric(12,1)", "bigint", "double precision"),
    ),
    ("FLOAT", ("double precision", "real", "numeric", "integer")),
    (
        "VARCHAR(40)",
        (
            "character varying(40)",
            "character varying(10)",
            "character varying",
            "text",
            "character(40)",
            "jsonb",
        ),
    ),
    ("TIME(9)", ("time without time zone", "time(3) without time zone", "time with time zone")),
    (
        "TIMESTAMP_NTZ(9)",
        ("timestamp without time zone", "timestamp(3) without time zone", "timestamp with time zone"),
    ),
    ("TIMESTAMP_NTZ(3)", ("timestamp(3) without time zone",)),
    ("TIMESTAMP_LTZ(9)", ("timestamp with time zone", "timestamp without time zone")),
    ("TIMESTAMP_TZ(9)", ("timestamp with time zone", "timestamp without time zone", "text")),
    ("VARIANT", ("jsonb", "json", "text", "character varying")),
    ("UUID", ("uuid", "text", "bytea")),
    ("VECTOR(FLOAT, 3)", ("real[]", "integer[]", "double precision[]")),
    ("VECTOR(INT, 3)", ("integer[]", "real[]")),
)


def build_type_docs() -> str:
    """The whole page as Markdown."""
    expressions = _table(
        ("Snowflake", "in Parquet", "Arrow kinds taken", "in CSV", "PostgreSQL", "remarks"),
        (_expression_row(row) for row in TYPE_TABLE),
    )
    kinds = _table(
        ("Arrow kind", "Arrow types, and dictionaries of them"),
        ((kind, ", ".join(names)) for kind, names in ARROW_TYPES.items()),
    )
    verdicts = _table(
        ("Snowflake", "PostgreSQL", "verdict"),
        (row for example in _EXAMPLES for row in _verdict_rows(*example)),
    )
    return f"{_TOP}\n{_EXPRESSIONS}\n{expressions}\n{kinds}\n{_VERDICTS}\n{verdicts}\n{_BOTTOM}"


def _expression_row(row: TypeRow) -> tuple[str, ...]:
    csv = _code(row.csv.format(c="c", t="t"))
    arrow = ", ".join(kind for kind in ArrowKind if kind in row.arrow)
    return row.title.replace("|", "\\|"), _parquet(row), arrow, csv, ", ".join(row.targets), row.note


def _parquet(row: TypeRow) -> str:
    bare = row.parquet.format(c="c", t="t")
    casts = {digits: _code(f"CAST({bare} AS {name})") for digits, name in row.casts.items()}
    if len(casts) <= 1:
        return next(iter(casts.values()), _code(bare))
    by_digits = ", ".join(f"{cast} up to {digits} digits" for digits, cast in casts.items())
    return f"{by_digits}, else {_code(bare)}"


def _verdict_rows(source_text: str, target_texts: Sequence[str]) -> Iterable[tuple[str, ...]]:
    source = parse_snowflake_type(source_text)
    for text in target_texts:
        target = parse_postgres_type(text)
        verdict = allowed_target(source, target)
        default = " (default)" if target == default_target(source) else ""
        words = f"{verdict.outcome}{default}" + (
            f": {verdict.reason}" if verdict.outcome is Outcome.CHECKED else ""
        )
        yield str(source), str(target), words


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(build_type_docs())
