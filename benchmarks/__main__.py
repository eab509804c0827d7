"""`python -m benchmarks [--scale] [part …]`: measure these parts (or all of RESULTS.md, or of SCALE.md), then write both pages."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time

from benchmarks.bench import CACHE, open_bench
from benchmarks.report import PARTS, SCALE_PARTS, write_report

RAW = CACHE / "results"


def main() -> int:
    """Run from the checkout's root, in .venv."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, *SCALE_PARTS, []], help="default: all")
    parser.add_argument("--scale", action="store_true", help="all parts of SCALE.md instead of RESULTS.md's")
    parser.add_argument("--rounds", type=int, default=7, help="pairs of each comparison (7)")
    parser.add_argument("--megabytes", type=float, default=100, help="of a staged file (100)")
    options = parser.parse_args()
    RAW.mkdir(parents=True, exist_ok=True)
    with open_bench(rounds=options.rounds, megabytes=options.megabytes) as bench:
        for name in options.parts or (SCALE_PARTS if options.scale else PARTS):
            started = time.monotonic()
            print(f"{name} …", flush=True)
            part = importlib.import_module(f"benchmarks.parts.{name}")
            (RAW / f"{name}.json").write_text(json.dumps(part.run(bench), indent=1))
            print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    write_report(RAW)
    return 0


if __name__ == "__main__":
    sys.exit(main())
