"""Stages and file formats: CREATE, ALTER, DROP, DESC, SHOW; LIST and REMOVE."""

from __future__ import annotations

import re
import time
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.buckets import Stored, split_url
from sandbox.snowflake.catalog.catalog import FileFormat, Stage
from sandbox.snowflake.catalog.information_schema import OWNER, moment
from sandbox.snowflake.catalog.names import show
from sandbox.snowflake.catalog.results import (
    DESCRIBE,
    SHOW,
    SUCCESS,
    UNKNOWN,
    Result,
    rows_result,
    status_result,
)
from sandbox.snowflake.catalog.rights import OWNERSHIP
from sandbox.snowflake.files.locations import Location, check, resolve
from sandbox.snowflake.rewriting.scanner import Scanner, as_flag
from sandbox.snowflake.sql.listing import in_scope, like_filter
from sandbox.snowflake.sql.statement import Statement

_T = sftypes.TEXT


def _apply(statement: Statement, stage: Stage, options: dict[str, Any]) -> None:
    for key, value in options.items():
        match key:
            case "URL":
                split_url(str(value))
                stage.url = str(value)
            case "STORAGE_INTEGRATION":
                stage.integration = str(value).upper() if not str(value).startswith('"') else str(value)[1:-1]
            case "FILE_FORMAT":
                stage.file_format = value if isinstance(value, dict) else {"FORMAT_NAME": value}
            case "COPY_OPTIONS":
                stage.copy_options = value
            case "DIRECTORY":
                stage.directory = as_flag(value.get("ENABLE", "FALSE"), "ENABLE")
            case "COMMENT":
                stage.comment = str(value)
            case "ENCRYPTION":
                pass
            case "CREDENTIALS":
                raise errors.NotImplementedHere("CREDENTIALS in a stage; use STORAGE_INTEGRATION")
            case _:
                raise errors.compilation(1002, "42601", f"invalid property '{key}' for 'STAGE'")
    if stage.url and stage.integration:
        check(statement.rights.require_integration(stage.integration, "USAGE"), stage.url)


def create(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    scanner.accept("TEMPORARY") or scanner.accept("TEMP")
    scanner.expect("STAGE")
    unless = scanner.accept("IF", "NOT", "EXISTS")
    name = statement.reader().place(scanner.name(), "CREATE STAGE")
    schema = statement.store.catalog.schema(name.database, name.schema)
    options = scanner.options()
    if name.name in schema.stages and not replace:
        if unless:
            return status_result(f"{show(name.name)} already exists, statement succeeded.")
        raise errors.already_exists(str(name))
    statement.rights.require_schema(name, "CREATE STAGE")
    stage = Stage(name.name, url="", created=time.time())
    _apply(statement, stage, options)
    statement.rights.settle(stage, name.database, name.schema)
    with statement.store.catalog.lock:
        schema.stages[name.name] = stage
    statement.store.save()
    return status_result(f"Stage area {show(name.name)} successfully created.")


def alter(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("ALTER", "STAGE")
    if_exists = scanner.accept("IF", "EXISTS")
    name = statement.reader().place(scanner.name(), "ALTER STAGE")
    schema = statement.store.catalog.schema(name.database, name.schema)
    if if_exists and name.name not in schema.stages:
        return status_result(SUCCESS)
    stage = statement.rights.require_stage(name, OWNERSHIP)
    if scanner.accept("RENAME", "TO"):
        new = scanner.name()[-1]
        with statement.store.catalog.lock:
            schema.stages[new] = schema.stages.pop(stage.name)
            stage.name = new
    elif scanner.accept("REFRESH"):
        scanner.rest()
    else:
        scanner.expect("SET")
        _apply(statement, stage, scanner.options())
    statement.store.save()
    return status_result(SUCCESS)


def drop(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("DROP", "STAGE")
    if_exists = scanner.accept("IF", "EXISTS")
    name = statement.reader().place(scanner.name(), "DROP STAGE")
    stages = statement.store.catalog.schema(name.database, name.schema).stages
    if name.name not in stages and if_exists:
        return status_result("Drop statement executed successfully (object already dropped).")
    statement.rights.require_stage(name, OWNERSHIP)
    del stages[name.name]
    statement.store.save()
    return status_result(f"{show(name.name)} successfully dropped.")


def describe(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.next()
    scanner.expect("STAGE")
    name = statement.reader().place(scanner.name(), "DESCRIBE STAGE")
    stage = statement.rights.require_stage(name, "USAGE")
    rows = [("STAGE_FILE_FORMAT", "TYPE", "String", str(stage.file_format.get("TYPE", "CSV")).upper(), "CSV")]
    rows += [
        ("STAGE_FILE_FORMAT", k, "String", str(v), "")
        for k, v in sorted(stage.file_format.items())
        if k != "TYPE"
    ]
    rows += [
        ("STAGE_COPY_OPTIONS", "ON_ERROR", "String", "ABORT_STATEMENT", "ABORT_STATEMENT"),
        ("STAGE_LOCATION", "URL", "String", f'["{stage.url}"]' if stage.url else "", ""),
        ("STAGE_INTEGRATION", "STORAGE_INTEGRATION", "String", stage.integration, ""),
        ("DIRECTORY", "ENABLE", "Boolean", str(stage.directory).lower(), "false"),
    ]
    columns = ("parent_property", "property", "property_type", "property_value", "property_default")
    return rows_result([(n, _T) for n in columns], rows, DESCRIBE)


def show_all(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW", "STAGES")
    like = like_filter(scanner)
    columns = [("created_on", sftypes.LTZ)] + [
        (n, _T)
        for n in ("name", "database_name", "schema_name", "url", "has_credentials", "has_encryption_key", "owner",
                  "comment", "region", "type", "cloud", "notification_channel", "storage_integration", "endpoint",
                  "owner_role_type", "directory_enabled")
    ]  # fmt: skip
    rows = [
        (moment(s.created), s.name, database.name, schema.name, s.url, "N", "N", OWNER, s.comment, "us-east-1" if s.url else None,
         "EXTERNAL" if s.url else "INTERNAL", "AWS" if s.url else None, None, s.integration or None, None, "ROLE",
         "Y" if s.directory else "N")
        for database, schema in in_scope(statement, scanner)
        for s in schema.stages.values()
        if like(s.name) and statement.rights.sees(s, database)
    ]  # fmt: skip
    return rows_result(columns, rows, SHOW)


def _found(statement: Statement, scanner: Scanner) -> tuple[Location, list[Stored]]:
    token = scanner.next()
    if token.kind == "string":
        scanner.at -= 1
        reference = scanner.string()
    elif token.kind == "stage":
        reference = token.text
    else:
        scanner.at -= 1
        raise scanner.unexpected()
    options = scanner.options()
    location = resolve(statement, reference)
    pattern = re.compile(str(options["PATTERN"])) if "PATTERN" in options else None
    found = [
        o
        for o in statement.objects.list(location.bucket, location.prefix)
        if pattern is None or pattern.fullmatch(o.key) or pattern.fullmatch(location.relative(o.key))
    ]
    return location, found


def list_files(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.next()
    location, found = _found(statement, scanner)
    rows = [
        (location.url(o.key), o.size, o.md5, o.modified.strftime("%a, %d %b %Y %H:%M:%S GMT")) for o in found
    ]
    columns = [("name", _T), ("size", sftypes.number()), ("md5", _T), ("last_modified", _T)]
    return rows_result(columns, rows, UNKNOWN)


def remove_files(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.next()
    location, found = _found(statement, scanner)
    for stored in found:
        statement.query.check()
        statement.objects.delete(location.bucket, stored.key)
    rows = [(location.url(o.key), "removed") for o in found]
    return rows_result([("name", _T), ("result", _T)], rows, UNKNOWN)


def create_file_format(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    scanner.accept("TEMPORARY") or scanner.accept("TEMP")
    scanner.expect("FILE", "FORMAT")
    unless = scanner.accept("IF", "NOT", "EXISTS")
    name = statement.reader().place(scanner.name(), "CREATE FILE FORMAT")
    formats = statement.store.catalog.schema(name.database, name.schema).file_formats
    options = scanner.options()
    if name.name in formats and not replace:
        if unless:
            return status_result(f"{show(name.name)} already exists, statement succeeded.")
        raise errors.already_exists(str(name))
    statement.rights.require_schema(name, "CREATE FILE FORMAT")
    comment = str(options.pop("COMMENT", ""))
    formats[name.name] = FileFormat(name.name, options, comment, time.time())
    statement.store.save()
    return status_result(f"File format {show(name.name)} successfully created.")


def drop_file_format(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("DROP", "FILE", "FORMAT")
    if_exists = scanner.accept("IF", "EXISTS")
    name = statement.reader().place(scanner.name(), "DROP FILE FORMAT")
    formats = statement.store.catalog.schema(name.database, name.schema).file_formats
    if name.name not in formats:
        if if_exists:
            return status_result("Drop statement executed successfully (object already dropped).")
        raise errors.missing("File format", str(name))
    del formats[name.name]
    statement.store.save()
    return status_result(f"{show(name.name)} successfully dropped.")
