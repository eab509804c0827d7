"""What the commands have in common: the configuration that they read, Airflow's connections, and an output of the answer alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from snowmelt.config.file import DEFAULT_ORIGIN, Config
from snowmelt.config.table import TableConfig
from snowmelt.dag_factory import read_config
from snowmelt.errors import ConfigurationError


def read_configuration(given: str | None) -> Config:
    """The file of `--config`; without it the one that SNOWMELT_CONFIG or airflow.cfg names, else the one beside dags/.

    :raises ConfigurationError: it cannot be read.
    """
    return read_config(DEFAULT_ORIGIN) if given is None else read_config(given, exactly=True)


def find_table(config: Config, name: str) -> TableConfig:
    """The configured table that a person names: by its DAG, by its source (`DB.SCHEMA.TABLE`, or the table alone) or by its target.

    :raises ConfigurationError: none is called so, or several are; the tables that there are are named.
    """
    wanted = name.replace('"', "").casefold()
    named = [table for table in config.tables if wanted in _names_of(table)]
    if len(named) == 1:
        return named[0]
    known = ", ".join(table.dag_id for table in named or config.tables) or "none"
    broken = "".join(f" {one.path} is broken: see `airflow snowmelt config check`." for one in config.broken)
    found = "several tables are" if named else "no table is"
    raise ConfigurationError(
        f"{config.origin}: {found} called {name!r}. Name one by its DAG: {known}.{broken}"
    )


def _names_of(table: TableConfig) -> set[str]:
    source = table.source
    names = (
        table.dag_id,
        f"{source.database}.{source.schema}.{source.table}",
        f"{source.schema}.{source.table}",
        source.table,
        f"{table.target_schema}.{table.target_table}",
        table.target_table,
    )
    return {each.casefold() for each in names}


def use_airflow_connections() -> None:
    """Let connections be looked up where the scheduler does: the environment, a secrets backend, Airflow's own database.

    Airflow's SDK asks the API server for a task's connections, and a command is no task (3.3, ensure_secrets_backend_loaded).
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


@contextmanager
def answering() -> Iterator[TextIO]:
    """The command's standard output, for its answer alone: what Airflow and the drivers log there goes to standard error meanwhile."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as out:
            yield out
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
