"""Publishing by rows: what replace, append and merge execute, and the checks before and after.

`replace` removes the old rows by DELETE. The statement TRUNCATE would keep every reader waiting until the last new row is
written (measured: 5.1 s for a million rows with three B-trees), and a transaction with an older snapshot would then see an empty
table, for TRUNCATE is not MVCC-safe (PostgreSQL, "Concurrency Control: Caveats"). The price: the table holds both until
(auto)vacuum has cleared the old rows, and takes that much room for good.

A merge holds SHARE ROW EXCLUSIVE on the target: others can read, but not write. So UPDATE and INSERT are two plain
statements whose counts are exact, and a unique index on the key is a matter of speed, not of right or wrong. Measured on
PostgreSQL 18, a million rows by primary key, all changed: UPDATE 13.7 s, INSERT … ON CONFLICT 18.9 s; ten thousand: no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snowmelt.publish.audit import AUDIT_COLUMNS, build_audit_sets
from snowmelt.publish.request import DeletedMark, PublishRequest
from snowmelt.sql.names import join_predicates, postgres_identifier
from snowmelt.vocabulary import Duplicates

_OWN_TRANSACTIONS = "SELECT transactionid FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'transactionid' AND mode = 'ExclusiveLock'"

#: Rows named in an error.
EXAMPLES = 5


def build_count(schema: str, table: str, where: str = "") -> str:
    """The number of rows.

    :param where: a predicate, or empty.
    """
    return f"SELECT count(*) FROM {postgres_identifier(schema, table)}{f' WHERE {where}' if where else ''}"


def build_count_foreign(request: PublishRequest) -> str:
    """The number of staged rows that are not the copy's own, or another copy's.

    Needs `request.own`.
    """
    others = [f"({rows.sql()}) IS TRUE" for rows in request.foreign]
    where = " OR ".join([f"({request.own_sql()}) IS NOT TRUE", *others])
    return build_count(request.schema, request.staging, where)


def build_contents(schema: str, table: str, where: str = "") -> str:
    """One row (rows, a number): the number is another as soon as a row is inserted, updated or deleted, whatever is in it.

    It is a sum over each row's place and the transaction that wrote it, so that no value has to be read. Measured on a million rows
    of 140 bytes: 1.1 to 2.5 times a plain count; hashing their values takes 13 times. A table that is rewritten (VACUUM FULL,
    CLUSTER) has another number, too.

    :param where: a predicate, or empty.
    """
    return (
        "SELECT count(*), coalesce(sum(hashtidextended(ctid, xmin::text::bigint)), 0)::text "
        f"FROM {postgres_identifier(schema, table)}{f' WHERE {where}' if where else ''}"
    )


#: The rows that this transaction wrote: it, and each of its open subtransactions, holds a lock on its id.
WRITTEN_HERE = f"xmin IN ({_OWN_TRANSACTIONS})"


def build_row_sums(columns: Sequence[str], schema: str, table: str, where: str = "") -> str:
    """One row (rows, a number): equal for two tables that hold the same rows of these columns, in any order.

    :param where: a predicate, or empty.
    """
    return (
        f"SELECT count(*), coalesce(sum(hashtextextended(ROW({_list(columns)})::text, 0)), 0)::text "
        f"FROM {postgres_identifier(schema, table)}{f' WHERE {where}' if where else ''}"
    )


def build_merged(request: PublishRequest) -> str:
    """One row (keys staged, rows of the target with such a key, those of them that hold the staged values to the byte)."""
    theirs, ours = _rows(request)
    first = postgres_identifier(request.uniqueness_columns[0])
    return (
        f"SELECT (SELECT count(*) FROM {_source(request)}), count(t.{first}), "
        f"count(t.{first}) FILTER (WHERE NOT {theirs} OPERATOR(pg_catalog.*<>) {ours}) "
        f"FROM {_source(request)} LEFT JOIN {_target(request)} AS t ON {_same_key(request)}{_and_own(request)}"
    )


def build_count_gone(request: PublishRequest) -> str:
    """The number of rows that `build_delete_gone` would delete, or mark."""
    return f"SELECT count(*) FROM {_target(request)} AS t WHERE {_is_gone(request)}"


def build_add_mark(schema: str, table: str, mark: DeletedMark) -> str:
    """The column that marks deleted rows, for a target that the publish has created."""
    return (
        f"ALTER TABLE {postgres_identifier(schema, table)} ADD COLUMN IF NOT EXISTS {mark.name} {mark.type}"
    )


def build_delete_all(request: PublishRequest) -> str:
    """Every row that is the copy's own. A table that others inherit from is refused before: their rows would go, too."""
    return f"DELETE FROM {_target(request)}{f' WHERE {request.own_sql()}' if request.own else ''}"


def build_insert(request: PublishRequest) -> str:
    """All staged rows into the target. OVERRIDING keeps a staged identity value; without an identity it means nothing."""
    columns = _list(request.columns)
    return (
        f"INSERT INTO {_target(request)} ({columns}) OVERRIDING SYSTEM VALUE "
        f"SELECT {columns} FROM {postgres_identifier(request.schema, request.staging)}"
    )


def build_null_keys(request: PublishRequest) -> str:
    """One row: staged rows with a NULL in each key column, in the key's order."""
    counts = ", ".join(
        f"count(*) FILTER (WHERE {postgres_identifier(name)} IS NULL)" for name in request.uniqueness_columns
    )
    return f"SELECT {counts} FROM {postgres_identifier(request.schema, request.staging)}"


def build_duplicate_keys(request: PublishRequest) -> str:
    """Rows (key columns as text …, rows): keys that cannot be merged, the most frequent first.

    With duplicates=last these are the keys whose greatest watermark is in several rows, or is NULL.
    """
    staging = postgres_identifier(request.schema, request.staging)
    keys = request.uniqueness_columns
    if request.duplicates is Duplicates.LAST and request.watermark_column is not None:
        mark = postgres_identifier(request.watermark_column)
        staging = (
            f"(SELECT {_list(keys)}, rank() OVER (PARTITION BY {_list(keys)} ORDER BY {mark} DESC NULLS LAST) AS snowmelt_rank "
            f"FROM {staging}) AS ranked WHERE snowmelt_rank = 1"
        )
    return build_duplicates(keys, staging)


def build_duplicates(keys: Sequence[str], source: str) -> str:
    """Rows (key columns as text …, rows): keys that are in `source` more than once."""
    texts = ", ".join(f"{postgres_identifier(name)}::text" for name in keys)
    return (
        f"SELECT {texts}, count(*) FROM {source} GROUP BY {_list(keys)} HAVING count(*) > 1 "
        f"ORDER BY count(*) DESC, {_list(keys)} LIMIT {EXAMPLES}"
    )


def describe_duplicates(rows: Sequence[Sequence[Any]], sql: str) -> str:
    """How to list keys that are in several rows. The keys are not shown: they are values of rows.

    :param rows: the answer to `sql`, which `build_duplicates` built; the most frequent key first.
    """
    if not rows:
        return ""
    return f" The most frequent key is in {rows[0][-1]:,} rows; list them by: {sql}"


def build_repeated_keys(schema: str, table: str, keys: Sequence[str], where: str = "") -> str:
    """Rows (key columns as text …, rows): keys that are in the table more than once. A key with a NULL in it equals nothing.

    :param where: a predicate, or empty.
    """
    whole = " AND ".join(f"{postgres_identifier(name)} IS NOT NULL" for name in keys)
    own = f" AND {where}" if where else ""
    return build_duplicates(
        keys, f"(SELECT * FROM {postgres_identifier(schema, table)} WHERE {whole}{own}) AS whole"
    )


def build_delete_surplus(request: PublishRequest) -> str:
    """Of the staged rows of one key all but the last; needs a watermark column."""
    staging, keys = postgres_identifier(request.schema, request.staging), _list(request.uniqueness_columns)
    mark = postgres_identifier(request.watermark_column or "")
    return (
        f"DELETE FROM {staging} AS s USING (SELECT ctid AS place, row_number() OVER (PARTITION BY {keys} "
        f"ORDER BY {mark} DESC NULLS LAST) AS turn FROM {staging}) AS ranked WHERE s.ctid = ranked.place AND ranked.turn > 1"
    )


def build_update(request: PublishRequest) -> str:
    """The target's rows of a staged key take the staged values, where these differ in a single byte.

    `*<>` compares rows by their bytes: it needs no equality operator of the type (json has none), and 1.0 differs from 1.00
    and -0 from 0, so that after a merge the values are exactly the source's.
    """
    sets = ", ".join(f"{name} = s.{name}" for name in map(postgres_identifier, request.columns))
    theirs, ours = _rows(request)
    differs = f"{theirs} OPERATOR(pg_catalog.*<>) {ours}"
    if request.mark is not None:  # the source has the row again
        sets += f", {request.mark.name} = {request.mark.unmarked}"
        differs = f"({differs} OR NOT (t.{request.mark.live}))"
    if request.audit_columns:
        sets += build_audit_sets()
    return f"UPDATE {_target(request)} AS t SET {sets} FROM {_source(request)} WHERE {_same_key(request)} AND {differs}{_and_own(request)}"


def build_exchange(request: PublishRequest, columns: Sequence[str], unique: Sequence[Sequence[str]]) -> str:
    """Rows that have a value of another unique index that a staged row of another key wants, and give it up themselves.

    PostgreSQL checks a unique index row by row, so that an UPDATE cannot let two rows exchange their values. These rows are deleted
    and inserted with the staged values by one statement: a foreign key that references them without an action is checked at its
    end, and the columns that are not copied keep what they have. The count makes the DELETE finish before the first INSERT.

    :param columns: all columns of the target but the generated ones.
    :param unique: the columns of each other unique index; all of them are copied.
    """
    wanted = " OR ".join(
        f"({_differ(key)} AND EXISTS (SELECT FROM {_source(request, 'o')} WHERE {_equal('t', 'o', key)} "
        f"AND NOT ({_equal('t', 'o', request.uniqueness_columns)})))"
        for key in unique
    )
    loaded = set(request.columns)
    kept = ", ".join(
        AUDIT_COLUMNS[name][1]
        if request.audit_columns and name in AUDIT_COLUMNS
        else f"{'s' if name in loaded else 't'}.{postgres_identifier(name)}"
        for name in columns
    )
    return (
        f"WITH moved AS (DELETE FROM {_target(request)} AS t USING {_source(request)} WHERE {_same_key(request)} AND ({wanted}){_and_own(request)} "
        f"RETURNING {kept}) INSERT INTO {_target(request)} ({_list(columns)}) OVERRIDING SYSTEM VALUE "
        f"SELECT {_list(columns)} FROM moved WHERE (SELECT count(*) FROM moved) > 0"
    )


def build_insert_new(request: PublishRequest) -> str:
    """The staged rows whose key the target does not have."""
    return (
        f"INSERT INTO {_target(request)} ({_list(request.columns)}) OVERRIDING SYSTEM VALUE "
        f"SELECT {', '.join(f's.{postgres_identifier(name)}' for name in request.columns)} FROM {_source(request)} "
        f"WHERE NOT EXISTS (SELECT FROM {_target(request)} AS t WHERE {_same_key(request)}{_and_own(request)})"
    )


def build_delete_gone(request: PublishRequest) -> str:
    """Rows of the target that the source no longer has; with a mark, they are marked. A key with a NULL in it is left: it equals nothing.

    Needs `request.keys`.
    """
    if request.mark is not None:
        set_mark = f"SET {request.mark.name} = {request.mark.marked}"
        return f"UPDATE {_target(request)} AS t {set_mark} WHERE {_is_gone(request)}"
    return f"DELETE FROM {_target(request)} AS t WHERE {_is_gone(request)}"


def build_delete_chunks(request: PublishRequest) -> str:
    """Repair without a unique key: all rows of the chunks."""
    return f"DELETE FROM {_target(request)} AS t WHERE {_in_chunks(request, 't')}"


def build_delete_unstaged(request: PublishRequest) -> str:
    """Repair: rows of the chunks whose key is not staged, those with a NULL in it included; with a mark, they are marked.

    Only rows that differ are touched: columns that no source column fills keep their values in the others, and rows that
    other tables reference stay.
    """
    staging = postgres_identifier(request.schema, request.staging)
    where = f"WHERE {_in_chunks(request, 't')} AND NOT EXISTS (SELECT FROM {staging} AS s WHERE {_same_key(request)})"
    if request.mark is not None:
        return f"UPDATE {_target(request)} AS t SET {request.mark.name} = {request.mark.marked} {where}"
    return f"DELETE FROM {_target(request)} AS t {where}"


def build_delete_repeated(request: PublishRequest) -> str:
    """Repair: of the rows of the chunks that have one key all but one."""
    places = (
        f"SELECT t.tableoid AS relation, t.ctid AS place, row_number() OVER (PARTITION BY {_list(request.uniqueness_columns)}) AS turn "
        f"FROM {_target(request)} AS t WHERE {_in_chunks(request, 't')}"
    )
    return (
        f"DELETE FROM {_target(request)} AS t USING ({places}) AS ranked "
        "WHERE t.tableoid = ranked.relation AND t.ctid = ranked.place AND ranked.turn > 1"
    )


def build_chunk_sums(request: PublishRequest) -> str:
    """One row (rows, a number) over the target's rows of the chunks: that of `build_row_sums` over the staged ones if they are the same."""
    return build_row_sums(request.columns, request.schema, request.table, _in_chunks(request))


def _in_chunks(request: PublishRequest, alias: str = "") -> str:
    """The target's rows that a repair replaces."""
    return join_predicates(request.chunks, request.live_sql(alias)) or "true"


def _is_gone(request: PublishRequest) -> str:
    """The target's row `t` is no longer in the source; one that was deleted and inserted again is among the staged rows."""
    keys = postgres_identifier(request.schema, request.keys.table if request.keys else "")
    staging = postgres_identifier(request.schema, request.staging)
    same = _same_key(request)
    live = f" AND t.{request.mark.live}" if request.mark is not None else ""
    if request.keys is not None and request.keys.gone:
        return f"EXISTS (SELECT FROM {keys} AS s WHERE {same}) AND NOT EXISTS (SELECT FROM {staging} AS s WHERE {same}){_and_own(request)}{live}"
    whole = " AND ".join(f"t.{postgres_identifier(name)} IS NOT NULL" for name in request.uniqueness_columns)
    return f"{whole}{_and_own(request)} AND NOT EXISTS (SELECT FROM {keys} AS s WHERE {same}){live}"


def _rows(request: PublishRequest) -> tuple[str, str]:
    """The target's row `t` and the staged row `s`, of the loaded columns."""
    names = [postgres_identifier(name) for name in request.columns]
    theirs, ours = ", ".join(f"t.{name}" for name in names), ", ".join(f"s.{name}" for name in names)
    return f"ROW({theirs})::record", f"ROW({ours})::record"


def _and_own(request: PublishRequest) -> str:
    """Of the target's rows `t` the copy's own."""
    return f" AND {request.own_sql('t')}" if request.own else ""


def _target(request: PublishRequest) -> str:
    return postgres_identifier(request.schema, request.table)


def _source(request: PublishRequest, alias: str = "s") -> str:
    staging = postgres_identifier(request.schema, request.staging)
    if request.duplicates is not Duplicates.LAST or request.watermark_column is None:
        return f"{staging} AS {alias}"
    keys, mark = _list(request.uniqueness_columns), postgres_identifier(request.watermark_column)
    return (
        f"(SELECT DISTINCT ON ({keys}) {_list(request.columns)} FROM {staging} "
        f"ORDER BY {keys}, {mark} DESC NULLS LAST) AS {alias}"
    )


def _same_key(request: PublishRequest) -> str:
    return _equal("t", "s", request.uniqueness_columns)


def _equal(one: str, other: str, columns: Sequence[str]) -> str:
    names = [postgres_identifier(name) for name in columns]
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in names)


def _differ(columns: Sequence[str]) -> str:
    """The target's row `t` has other values there than the staged row `s`."""
    names = [postgres_identifier(name) for name in columns]
    changed = " OR ".join(f"t.{name} IS DISTINCT FROM s.{name}" for name in names)
    return f"({changed})"


def _list(names: Sequence[str]) -> str:
    return ", ".join(postgres_identifier(name) for name in names)
