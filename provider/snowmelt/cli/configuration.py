"""What the commands have in common: the configuration that they read, Airflow's connections, and an output of the answer alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from snowmelt.config.file import DEFAULT_ORIGIN, Config
from snowmelt.dag_factory import read_config


def read_configuration(given: str | None) -> Config:
    """The file of `--config`; without it the one that SNOWMELT_CONFIG or airflow.cfg names, else the one beside dags/.

    :raises ConfigurationError: it cannot be read.
    """
    return read_config(DEFAULT_ORIGIN) if given is None else read_config(given, exactly=True)


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
