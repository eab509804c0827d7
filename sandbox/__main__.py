"""`python -m sandbox up | down | status | fill | clean`: control of the stand-ins. Run from the checkout's root."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sandbox.errors import run_command
from sandbox.state import State


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    helps = {
        "up": "start Snowflake's, S3's and PostgreSQL's stand-in in the background; write <state>/env",
        "down": "stop them and wait until they are gone",
        "status": "print which of them run (exit code 1 unless all do)",
        "clean": "remove what deleted sandboxes left in the temporary folder, and copies of programs",
        "fill": "put the demo tables into the Snowflake stand-in",
    }
    for name, text in helps.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument(
            "--state", type=Path, default=Path(".sandbox"), help="state folder (default: .sandbox)"
        )
        if name == "down":
            command.add_argument("--purge", action="store_true", help="remove the data, too")
        if name == "fill":
            command.add_argument("--rows", type=int, default=200_000, help="rows of the fact table (200000)")
    options = parser.parse_args(arguments)
    checkout = Path(__file__).resolve().parent.parent
    state = State(options.state.absolute(), checkout)
    return run_command(f"sandbox {options.command}", lambda: run(options, state))


def run(options: argparse.Namespace, state: State) -> int:
    from sandbox import control

    if options.command == "up":
        control.up(state)
    elif options.command == "down":
        control.down(state, purge=options.purge)
    elif options.command == "clean":
        control.clean(state)
    elif options.command == "status":
        return 0 if control.status(state) else 1
    else:
        from sandbox.fill import fill

        fill(state, options.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
