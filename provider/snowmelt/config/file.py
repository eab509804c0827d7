"""The configuration file as a whole: text and environment in, the tables out, and every fault of those that are broken.

No Airflow, no parser of SQL, no Arrow is imported: each DAG file runs this every time it is parsed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from snowmelt.config.document import FilledDocument, fill_environment, find_raw_keys, parse_json
from snowmelt.config.faults import Fault, Place, show_value, suggest
from snowmelt.config.file_sections import read_sections
from snowmelt.config.reading import Show
from snowmelt.config.sections import Connections, Execution, Forms, S3Staging, SnowflakeUnload
from snowmelt.config.table import TableConfig
from snowmelt.config.tables import BrokenTable, read_tables
from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import TableName

DEFAULT_ORIGIN = "include/config/s3copyconfig.json"

#: The keys of the file.
KEYS = ("s3_staging", "snowflake_unload", "connections", "execution", "forms", "sources")


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration file that can be used, though some of its tables may not."""

    #: Where it was read, for messages.
    origin: str
    s3_staging: S3Staging
    snowflake_unload: SnowflakeUnload
    connections: Connections
    execution: Execution
    forms: Forms
    #: The tables that are right, in the file's order, disabled ones included.
    tables: tuple[TableConfig, ...]
    #: The tables, and whole sources, that are not.
    broken: tuple[BrokenTable, ...]
    #: Old words in it, which still work, each with its place and the word to write.
    warnings: tuple[str, ...] = ()
    #: SHA-256 of its text, before `${…}` is filled in: which version of the file it is.
    digest: str = ""

    def table(self, dag_id: str) -> TableConfig | None:
        """The table of a DAG."""
        return next((table for table in self.tables if table.dag_id == dag_id), None)

    def tables_of(self, source: TableName) -> tuple[TableConfig, ...]:
        """All tables that copy this one of Snowflake."""
        return tuple(table for table in self.tables if table.source == source)

    def broken_of(self, source: TableName) -> tuple[BrokenTable, ...]:
        """The broken ones that copy it, or may: what an entry does not say is taken to be anything."""
        return tuple(broken for broken in self.broken if broken.may_copy(source))


def parse_config(text: str, environment: Mapping[str, str], *, origin: str = DEFAULT_ORIGIN) -> Config:
    """Read the configuration file.

    :param text: JSON.
    :param environment: what `${VAR}` is filled from.
    :param origin: the file's name, for messages.
    :raises ConfigurationError: the file cannot be used at all, with every fault in it. A table or source that is
        faulty by itself is listed in `Config.broken` and takes no other with it.
    """
    document = parse_json(text)
    if not isinstance(document.value, dict):
        raise _unusable(origin, document.faults or (Fault((), show_value(document.value), "a JSON object"),))
    filled = fill_environment(document.value, environment)
    known = _without_repeats(
        (*find_raw_keys(document.value), *find_raw_keys(filled.value), *document.faults, *filled.faults)
    )
    show = _show(filled)
    sections = read_sections(filled.value, [fault.place for fault in known], show)
    sources = filled.value.get("sources")
    tables, broken, warnings = read_tables(
        sources if isinstance(sources, list) else [],
        sections,
        known_faults=[fault for fault in known if _is_below_sources(fault)],
        show=show,
    )
    faults = (
        *(fault for fault in known if not _is_below_sources(fault)),
        *_key_faults(filled.value),
        *sections.faults,
    )
    staging, unload, connections = sections.staging.value, sections.unload.value, sections.connections.value
    execution, forms = sections.execution.value, sections.forms.value
    if (
        faults
        or staging is None
        or unload is None
        or connections is None
        or execution is None
        or forms is None
    ):
        raise _unusable(
            origin, (*faults, *dict.fromkeys(fault for table in broken for fault in table.faults))
        )
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Config(origin, staging, unload, connections, execution, forms, tables, broken, warnings, digest)


def _unusable(origin: str, faults: Iterable[Fault | str]) -> ConfigurationError:
    texts = tuple(str(fault) for fault in faults)
    count = "1 fault" if len(texts) == 1 else f"{len(texts)} faults"
    return ConfigurationError(f"{origin} cannot be used ({count}):", texts)


def _without_repeats(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """One fault for each place: a secret found in the file is found again in the filled document."""
    first: dict[Place, Fault] = {}
    for fault in faults:
        first.setdefault(fault.place, fault)
    return tuple(first.values())


def _is_below_sources(fault: Fault) -> bool:
    return fault.place[:1] == ("sources",) and len(fault.place) > 1


def _show(filled: FilledDocument) -> Show:
    def show(place: Place, value: Any) -> str:
        if place in filled.written:
            return f"{show_value(filled.written[place])} (filled from the environment)"
        return show_value(value)

    return show


def _key_faults(document: Mapping[str, Any]) -> list[Fault]:
    faults = [
        Fault(
            (key,),
            "a key that is not known",
            f"one of {', '.join(KEYS)}",
            suggest(key, KEYS) or "Correct its name or delete it.",
        )
        for key in document
        if key not in KEYS
    ]
    if not isinstance(document.get("sources"), list):
        found = show_value(document["sources"]) if "sources" in document else "nothing"
        faults.append(Fault(("sources",), found, "a list of sources", "An empty one is allowed: []."))
    return faults
