"""CREATE EXTERNAL TABLE over Parquet files: VALUE has a file's row, every other column is computed from it.

All columns are VIRTUAL, and there is no time travel (docs.snowflake.com/en/user-guide/tables-external-intro). Which files
there are is read once, as the table is made.
"""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.catalog import Column, Table
from sandbox.snowflake.catalog.names import quote, show
from sandbox.snowflake.catalog.results import Result, status_result
from sandbox.snowflake.catalog.sftypes import VARIANT
from sandbox.snowflake.catalog.store import build_storage_ddl, new_storage
from sandbox.snowflake.files.file_formats import resolve_format
from sandbox.snowflake.files.locations import Location, resolve
from sandbox.snowflake.sql import changes
from sandbox.snowflake.sql.definitions import Definition, read_definition
from sandbox.snowflake.sql.statement import Statement
from sandbox.snowflake.sql.tables import place


def create(statement: Statement) -> Result:
    changes.commit(statement.store, statement.session, statement.query.id)
    scanner = statement.scanner()
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    scanner.expect("EXTERNAL", "TABLE")
    name = statement.reader().place(scanner.name(), "CREATE EXTERNAL TABLE")
    definition = read_definition(scanner) if scanner.looking_at("(") else Definition()
    scanner.accept("WITH")
    scanner.expect("LOCATION", "=")
    location = resolve(statement, scanner.next().text)
    form = resolve_format(statement, scanner.options().get("FILE_FORMAT"), location.stage)
    if form.type != "PARQUET":
        raise errors.NotImplementedHere(f"external tables over {form.type}")
    table = Table(
        name.name, "TABLE", [Column("VALUE", VARIANT), *definition.columns], 0.0, storage=new_storage()
    )
    table.external = True
    _fill(statement, table, location)
    place(statement, name, table, replace=replace)
    return status_result(f"Table {show(name.name)} successfully created.")


def _fill(statement: Statement, table: Table, location: Location) -> None:
    rows: list[str] = []
    for found in statement.objects.list(location.bucket, location.prefix):
        data = pq.read_table(io.BytesIO(statement.objects.read(location.bucket, found.key)))
        rows += [json.dumps(row, default=str) for row in data.to_pylist()]
    connection = statement.connection
    connection.register("v_external", pa.table({"VALUE": pa.array(rows, pa.string())}))
    connection.execute(build_storage_ddl(table.storage, table))
    connection.execute(f"INSERT INTO {quote(table.storage)} SELECT CAST(VALUE AS JSON) FROM v_external")
