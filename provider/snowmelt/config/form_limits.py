"""What the form of a DAG may not have copied: tables beyond those it is for, and values of columns that the configuration hides.

Whoever may trigger a DAG is not whoever may change the configuration. So a configured table's DAG copies its own table; `migrate_table` what
the section `forms` allows; and a column that the configuration leaves out or masks is named by no form: chunk bounds and watermarks
are values, and a filter answers questions about them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from snowmelt.config.faults import Fault, show_value
from snowmelt.config.file import Config
from snowmelt.config.form import default_parameters
from snowmelt.config.sections import NamePattern
from snowmelt.config.table import ColumnsConfig, TableConfig
from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import parse_identifier

_NAMES = ("source_database", "source_schema", "source_table", "target_schema", "target_table")
_COLUMNS = ("chunking_column", "watermark_column", "uniqueness_columns")


def find_limit_faults(
    values: Mapping[str, Any], config: Config, table: TableConfig | None, configured: TableConfig | None
) -> Iterator[Fault]:
    """Everything that the form may not ask for.

    :param values: of a run, those that are right by themselves.
    :param table: the table of the DAG; None for `migrate_table`.
    :param configured: the configured table whose rules for columns hold.
    """
    if values.keys() >= set(_NAMES):
        yield from _find_other_tables(values, config, table)
    if configured is not None:
        yield from _find_hidden_columns(values, configured)


def is_own_filter(values: Mapping[str, Any], configured: TableConfig | None) -> bool:
    """Whether the filter is the configuration's own, which alone may hold subqueries."""
    return configured is not None and values.get("source_filter") == configured.source_filter


def _find_other_tables(
    values: Mapping[str, Any], config: Config, table: TableConfig | None
) -> Iterator[Fault]:
    named = tuple(values[name] for name in _NAMES)
    if table is not None and not config.forms.allow_other_tables:
        defaults = default_parameters(config, table)
        for name in _NAMES:
            if values[name] != getattr(table, name):
                yield Fault(
                    (name,),
                    show_value(values[name]),
                    f"{defaults[name]}: this DAG copies its own table",
                    'Use migrate_table, or set "allow_other_tables" in the section "forms" of the configuration.',
                )
        return
    if any(named == tuple(getattr(one, name) for name in _NAMES) for one in config.tables):
        return
    source, target = named[:3], named[3:]
    for name, found, allowed in (
        ("source_table", source, config.forms.sources),
        ("target_table", target, config.forms.targets),
    ):
        if allowed and not any(_fits(found, pattern) for pattern in allowed):
            kind = name.partition("_")[0]
            yield Fault(
                (name,),
                show_value(".".join(str(part) for part in found)),
                f"a {kind} that the section forms of the configuration allows",
                f'Ask whoever keeps the configuration to add it to "{kind}s" there.',
            )


def _fits(names: tuple[str, ...], pattern: NamePattern) -> bool:
    return all(part is None or part == name for name, part in zip(names, pattern, strict=True))


def _find_hidden_columns(values: Mapping[str, Any], configured: TableConfig) -> Iterator[Fault]:
    for parameter in _COLUMNS:
        typed = values.get(parameter)
        if not typed or typed == getattr(configured, parameter):
            continue
        for name in (typed,) if isinstance(typed, str) else typed:
            if _is_hidden(_read(name), configured.columns):
                yield _hidden(parameter, name)
    text = values.get("source_filter")
    if text and not is_own_filter(values, configured):
        for name in sorted(_columns_of(text)):
            if _is_hidden({name}, configured.columns):
                yield _hidden("source_filter", name)


def _hidden(parameter: str, name: str) -> Fault:
    return Fault(
        (parameter,),
        show_value(name),
        "a column that the configuration copies as it is",
        "The configuration leaves it out or masks it. A form that names it would show its values in labels, logs and counts.",
    )


def _is_hidden(readings: Collection[str], rules: ColumnsConfig) -> bool:
    if _readings((*rules.exclude, *rules.mask)) & set(readings):
        return True
    return bool(rules.include) and not _readings(rules.include) & set(readings)


def _readings(names: Iterable[str]) -> set[str]:
    return {reading for name in names for reading in _read(name)}


def _read(name: str) -> set[str]:
    """What a written column can mean: the name to the letter, and as Snowflake reads it."""
    try:
        return {name, parse_identifier(name)}
    except ConfigurationError:
        return {name}


def _columns_of(text: str) -> set[str]:
    from snowmelt.sql.predicate import find_columns

    return find_columns(text)
