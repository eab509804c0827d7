"""FILE_FORMAT options of an unload or a load, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.catalog import Stage
from sandbox.snowflake.catalog.names import split_parts
from sandbox.snowflake.rewriting.scanner import as_flag
from sandbox.snowflake.sql.statement import Statement

_PARQUET = {
    "AUTO": ("snappy", ".snappy.parquet"),
    "SNAPPY": ("snappy", ".snappy.parquet"),
    "NONE": ("none", ".parquet"),
}
_TEXT = {"AUTO": ".gz", "GZIP": ".gz", "BZ2": ".bz2", "ZSTD": ".zst", "BROTLI": ".br", "DEFLATE": ".deflate",
         "RAW_DEFLATE": ".raw_deflate", "NONE": ""}  # fmt: skip
#: options that are known and mean nothing to what the stand-in does
_IGNORED = {"TRIM_SPACE", "ERROR_ON_COLUMN_COUNT_MISMATCH", "REPLACE_INVALID_CHARACTERS", "ENCODING", "SKIP_BYTE_ORDER_MARK",
            "SNAPPY_COMPRESSION", "BINARY_AS_TEXT", "USE_LOGICAL_TYPE", "USE_VECTORIZED_SCANNER", "VALIDATE_UTF8",
            "SKIP_BLANK_LINES", "PARSE_HEADER", "ALLOW_DUPLICATE", "STRIP_OUTER_ARRAY", "STRIP_NULL_VALUES", "ENABLE_OCTAL",
            "IGNORE_UTF8_ERRORS", "MULTI_LINE", "COMMENT", "PRESERVE_SPACE", "STRIP_OUTER_ELEMENT"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Format:
    """CSV, JSON or PARQUET. Texts are what they mean (a tab, not backslash t); None is Snowflake's NONE."""

    type: str = "CSV"
    compression: str = "AUTO"
    field_delimiter: str = ","
    record_delimiter: str = "\n"
    field_optionally_enclosed_by: str | None = None
    escape: str | None = None
    escape_unenclosed_field: str | None = "\\"
    null_if: tuple[str, ...] = ("\\N",)
    empty_field_as_null: bool = True
    binary_format: str = "HEX"
    date_format: str | None = None
    time_format: str | None = None
    timestamp_format: str | None = None
    file_extension: str | None = None
    skip_header: int = 0

    @property
    def extension(self) -> str:
        if self.type == "PARQUET":
            return _PARQUET[self.compression][1]
        if self.file_extension is not None:
            return ("" if self.file_extension.startswith(".") else ".") + self.file_extension
        return f".{self.type.lower()}{_TEXT[self.compression]}"

    @property
    def parquet_codec(self) -> str:
        return _PARQUET[self.compression][0]


def resolve_format(statement: Statement, options: Any, stage: Stage | None) -> Format:
    """The statement's FILE_FORMAT over the stage's; a named format replaces its options."""
    given = options if isinstance(options, dict) else {"FORMAT_NAME": options} if options else {}
    merged = _named(statement, given)
    if stage is not None:
        base = _named(statement, stage.file_format)
        if "TYPE" not in merged or str(base.get("TYPE", "")).upper() == str(merged["TYPE"]).upper():
            merged = {**base, **merged}
    return parse_format(merged)


def _named(statement: Statement, options: dict[str, Any]) -> dict[str, Any]:
    if "FORMAT_NAME" not in options:
        return dict(options)
    name = statement.reader().place(split_parts(str(options["FORMAT_NAME"])), "COPY")
    found = statement.store.catalog.schema(name.database, name.schema).file_formats.get(name.name)
    if found is None:
        raise errors.missing("File format", str(name))
    return {**found.options, **{k: v for k, v in options.items() if k != "FORMAT_NAME"}}


def parse_format(options: dict[str, Any]) -> Format:
    found: dict[str, Any] = {}
    known = {f.name for f in fields(Format)}
    for key, value in options.items():
        name = key.lower()
        if key in _IGNORED:
            continue
        if name not in known:
            raise errors.compilation(1002, "42601", f"invalid property '{key}' for 'FILE_FORMAT'")
        found[name] = _value(name, value)
    if found.get("type") not in {None, "CSV", "JSON", "PARQUET"}:
        raise errors.compilation(1008, "22023", f"invalid value [{found['type']}] for parameter 'TYPE'")
    table = _PARQUET if found.get("type") == "PARQUET" else _TEXT
    if found.get("compression", "AUTO") not in table:
        text = f"invalid value [{found['compression']}] for parameter 'COMPRESSION'"
        raise errors.compilation(1008, "22023", text)
    if found.get("compression") in {"BROTLI", "RAW_DEFLATE"}:
        raise errors.NotImplementedHere(f"COMPRESSION = {found['compression']}")
    return Format(**found)


def _value(name: str, value: Any) -> Any:
    match name:
        case "type" | "compression" | "binary_format":
            return str(value).upper()
        case "null_if":
            return tuple(str(v) for v in (value if isinstance(value, list) else [value]))
        case "empty_field_as_null":
            return as_flag(value, name.upper())
        case "skip_header":
            return int(value)
        case "date_format" | "time_format" | "timestamp_format":
            return None if str(value).upper() == "AUTO" else str(value)
    text = str(value)
    if text.upper() == "NONE" or (
        name in {"escape", "escape_unenclosed_field", "field_optionally_enclosed_by"} and not text
    ):
        return "" if name in {"field_delimiter", "record_delimiter"} else None
    return _special(text)


def _special(text: str) -> str:
    r"""Delimiters may be written as \t, \x01, 0x27 inside the option's own quotes."""
    if text.lower().startswith("0x") and len(text) == 4:
        return chr(int(text, 16))
    return {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\r\\n": "\r\n", "\\\\": "\\", "\\001": "\x01"}.get(
        text, text
    )
