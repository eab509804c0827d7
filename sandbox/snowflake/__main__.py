"""python -m sandbox.snowflake: serve until SIGTERM."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from sandbox.snowflake.http.app import Application
from sandbox.snowflake.http.engine import Engine


class _Server(uvicorn.Server):
    """Ends by itself on SIGTERM and SIGINT; uvicorn's own would raise the signal once more, before the data is saved."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.snowflake", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certfile", help="serve TLS with this certificate")
    parser.add_argument("--keyfile")
    parser.add_argument("--s3-endpoint", help="where s3:// URLs lead; AWS itself when left out")
    parser.add_argument(
        "--statement-log", type=Path, help="JSON lines, one as a statement starts, one as it ends"
    )
    parser.add_argument(
        "--db-path", type=Path, help="keep everything in this folder; in memory when left out"
    )
    options = parser.parse_args()
    engine = Engine(options.db_path, options.s3_endpoint, options.statement_log)
    config = uvicorn.Config(
        Application(engine).build(),
        host=options.host,
        port=options.port,
        ssl_certfile=options.certfile,
        ssl_keyfile=options.keyfile,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    try:
        _Server(config).run()
    finally:
        engine.close()


if __name__ == "__main__":
    main()
