"""`make test-ui`: a person's way through the pages, in the machine's own Chromium, over the sandbox and a real Airflow.

`break` lets the loads of one chunk fail and holds those of another, `go` ends the holding, `mend` both; without a word all is
walked, and Airflow stopped afterwards.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg

from tests.stand_ins import stand_ins

ROOT = Path(__file__).parents[2]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
BREAK = """
CREATE TABLE IF NOT EXISTS public.walk_hold AS SELECT 1 AS held;
CREATE OR REPLACE FUNCTION public.break_one(s3_key text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF s3_key LIKE '%/chunk_001/%' THEN RAISE EXCEPTION 'broken for the test'; END IF;
  IF s3_key LIKE '%/chunk_000/%' THEN
    WHILE EXISTS (SELECT FROM public.walk_hold) LOOP PERFORM pg_sleep(0.2); END LOOP;
  END IF;
  RETURN true;
END $$;
ALTER TABLE snowmelt.loaded_file DROP CONSTRAINT IF EXISTS break_one;
ALTER TABLE snowmelt.loaded_file ADD CONSTRAINT break_one CHECK (public.break_one(s3_key)) NOT VALID;
"""
GO = "DELETE FROM public.walk_hold"
MEND = """
ALTER TABLE snowmelt.loaded_file DROP CONSTRAINT IF EXISTS break_one; DROP FUNCTION IF EXISTS public.break_one(text);
DROP TABLE IF EXISTS public.walk_hold
"""
#: One chunk's unload stays under way for so long, in seconds, that its task is seen while it is deferred.
STALL = {"kind": "stall", "match": "COPY INTO.*chunk_003", "seconds": 60, "count": 1}


def change(sql: str) -> None:
    from snowmelt.ledger.runs import write_ledger

    with psycopg.connect(os.environ["SNOWMELT_SANDBOX_PG_DSN"], autocommit=True) as connection:
        write_ledger(connection)
        connection.execute(sql)


def find_chromium() -> str:
    """The machine's Chromium; Debian's is installed where this may be done."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing Debian's chromium …", flush=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=False)
        found = shutil.which("chromium")
    if found is None:
        sys.exit(
            f"No Chromium here ({', '.join(PROGRAMS)}). Install the package `chromium` of your system, then try again."
        )
    return found


def main() -> int:
    if sys.argv[1:] == ["break"]:
        change(BREAK)
        return 0
    if sys.argv[1:] == ["go"]:
        change(GO)
        return 0
    if sys.argv[1:] == ["mend"]:
        change(MEND)
        return 0
    program = find_chromium()
    state = ["--state", os.environ["SNOWMELT_SANDBOX_STATE"]]
    subprocess.run([sys.executable, "-m", "sandbox.airflow", "up", *state], cwd=ROOT, check=True)
    try:
        environment = {**os.environ, "NODE_PATH": str(ROOT / ".cache" / "browser" / "node_modules")}
        walk = [shutil.which("node") or "node", "tests/ui/walk.cjs", program, "docs/pictures", sys.executable]
        with stand_ins(dict(os.environ)).snowflake(STALL):
            done = subprocess.run(walk, cwd=ROOT, env=environment, check=False)
    finally:
        change(MEND)
        subprocess.run([sys.executable, "-m", "sandbox.airflow", "down", *state], cwd=ROOT, check=True)
    if done.returncode == 0:
        print("The pages work. Pictures: docs/pictures/")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
