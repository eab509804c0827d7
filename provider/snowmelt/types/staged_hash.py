"""Which columns the staged hash is over: what both Snowflake and the loader write alike.

A JSON text becomes jsonb, and a vector real[]: neither can be written again as Snowflake wrote it, so PostgreSQL's side of a
fingerprint sees little of it. What was staged is compared to the letter instead: the loader hashes each row's text as it streams, and
Snowflake the same. Other columns of the row are in that text too, so that a JSON which is in another row's place is found.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from snowmelt.types.columns import Column
from snowmelt.types.type_names import parse_postgres_type
from snowmelt.types.type_table import Form

#: Octets of a text that are in a row's text as they are; a longer one has its MD5 there, so that the row's text stays far below
#: the longest text of Snowflake, whatever the columns.
LONGEST = 1000
#: Columns that bind a JSON to its row, at most: the key's first.
BINDING_COLUMNS = 12
#: The forms whose text Snowflake and the loader write alike: not the digits of a decimal or a float, nor bytes.
_ALIKE = frozenset({Form.INTEGER, Form.EPOCH_US, Form.TIME_US, Form.DATE, Form.BOOLEAN, Form.TEXT})
#: Form → the PostgreSQL types that rewrite its values.
_REWRITTEN = {Form.JSON: "jsonb", Form.VECTOR: "real[]"}


def is_rewritten(column: Column) -> bool:
    """Whether PostgreSQL holds the column's values in another form than the staged one."""
    return _REWRITTEN.get(column.form) == parse_postgres_type(column.target_type).name


def find_hashed(columns: Sequence[Column], key: Collection[str]) -> tuple[Column, ...]:
    """The columns of the staged hash, in their order; none where no column is rewritten.

    :param key: source names of the unique key.
    """
    if not any(is_rewritten(column) for column in columns):
        return ()
    alike = [column for column in columns if column.form in _ALIKE]
    alike.sort(key=lambda column: not (column.source in key or column.primary_key))
    bound = {column.source for column in alike[:BINDING_COLUMNS]}
    return tuple(column for column in columns if is_rewritten(column) or column.source in bound)
