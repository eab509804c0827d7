"""Section `execution`: how hard a run may lean on Airflow and on PostgreSQL. Nothing here changes what is copied."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from snowmelt.core.settings.fields import optional, plain_text, whole_number
from snowmelt.core.settings.readings import Section

DEFAULT_FINGERPRINT_ROWS = 50_000_000
#: Airflow keeps priorities in an integer of 32 bits, and adds those of the tasks downstream.
_MOST_PRIORITY = 1_000_000
_MOST_SECONDS = 7 * 24 * 3600

_Seconds = Annotated[int, BeforeValidator(whole_number(1, _MOST_SECONDS))]
_Tasks = Annotated[int | None, BeforeValidator(optional(whole_number(1, 1000)))]
_Pool = Annotated[str | None, BeforeValidator(optional(plain_text))]


class Execution(Section):
    """How the tasks of a table run. A table's own `execution` holds over the file's."""

    #: The Airflow pool of the unload and load tasks; None: Airflow's default pool.
    pool: _Pool = None
    #: Airflow's priority_weight of all tasks.
    priority: Annotated[int, BeforeValidator(whole_number(1, _MOST_PRIORITY))] = 1
    #: Unloads and loads of one run at the same time; None: as many as Airflow has room for.
    parallel_unloads: _Tasks = None
    parallel_loads: _Tasks = None
    #: Fingerprints are compared up to so many rows; beyond, and with 0, counts alone.
    fingerprint_rows: Annotated[int, BeforeValidator(whole_number(0, 10**15))] = DEFAULT_FINGERPRINT_ROWS
    #: Seconds that readers of the target can be kept waiting by a publish that itself waits for its lock.
    lock_timeout_s: _Seconds = 3
    #: Seconds from the first try for the lock to the last.
    lock_patience_s: _Seconds = 900
    #: Seconds that a swap waits for transactions which began before the load ended; 0: it does not.
    snapshot_wait_s: Annotated[int, BeforeValidator(whole_number(0, _MOST_SECONDS))] = 600
    #: max_parallel_maintenance_workers of an index build; None: the server's setting.
    index_workers: Annotated[int | None, BeforeValidator(optional(whole_number(0, 64)))] = None
    #: maintenance_work_mem of an index build, in MB; None: the server's setting.
    index_memory_mb: Annotated[int | None, BeforeValidator(optional(whole_number(1, 1_000_000)))] = None


class ExecutionOverrides(Section):
    """A table's own `execution`; what is not given is as in the file's section."""

    pool: _Pool = None
    priority: Annotated[int | None, BeforeValidator(optional(whole_number(1, _MOST_PRIORITY)))] = None
    parallel_unloads: _Tasks = None
    parallel_loads: _Tasks = None
    fingerprint_rows: Annotated[int | None, BeforeValidator(optional(whole_number(0, 10**15)))] = None
    lock_timeout_s: Annotated[int | None, BeforeValidator(optional(whole_number(1, _MOST_SECONDS)))] = None
    lock_patience_s: Annotated[int | None, BeforeValidator(optional(whole_number(1, _MOST_SECONDS)))] = None
    snapshot_wait_s: Annotated[int | None, BeforeValidator(optional(whole_number(0, _MOST_SECONDS)))] = None
    index_workers: Annotated[int | None, BeforeValidator(optional(whole_number(0, 64)))] = None
    index_memory_mb: Annotated[int | None, BeforeValidator(optional(whole_number(1, 1_000_000)))] = None

    def over(self, execution: Execution) -> Execution:
        """The execution of a table."""
        return execution.model_copy(update=self.model_dump(exclude_none=True))
