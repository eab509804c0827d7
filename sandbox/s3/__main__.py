"""`python -m sandbox.s3 --port N --users FILE --keep FOLDER`: the S3 stand-in until SIGTERM."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path

# moto must not wait on, or ask, anything outside
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from sandbox.s3.kept import ensure_bucket, load_objects, save_objects, set_scratch
from sandbox.s3.server import make_server, serve_until
from sandbox.s3.users import read_users


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox.s3", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--users", type=Path, required=True, help="JSON file with users and keys; made when missing"
    )
    parser.add_argument("--keep", type=Path, required=True, help="folder for the objects of a stopped server")
    parser.add_argument("--bucket", default="snowmelt-staging")
    parser.add_argument("--region", default="us-east-1")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    set_scratch(options.keep.with_name("scratch"))
    loaded = load_objects(options.keep)
    ensure_bucket(options.bucket, options.region)
    server = make_server(options.port, read_users(options.users))
    print(f"listening on 127.0.0.1:{options.port}, {loaded} objects from before", flush=True)
    serve_until(server, stop)
    print(f"stopped, {save_objects(options.keep)} objects kept", flush=True)
    os._exit(0)  # taking moto's thousands of modules down in order would take seconds


if __name__ == "__main__":
    main()
