"""The frame of each peer: import, say `ready`, wait for a line, load, say the seconds."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable


def run(load: Callable[[str, str, str, str, int], int | None]) -> None:
    """Arguments of the program: DSN, Parquet file, schema, table, rows. `load` returns the rows it put in, where not all."""
    dsn, path, schema, table, rows = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    start, cpu = time.perf_counter(), time.process_time()
    done = load(dsn, path, schema, table, int(rows))
    answer = {"seconds": time.perf_counter() - start, "client_cpu": time.process_time() - cpu}
    print(json.dumps(answer | {"rows": done or int(rows)}), flush=True)
