"""A copy of the checkout's sandbox whose Snowflake server is a few lines: for tests that are not about Snowflake."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = CHECKOUT / "sandbox" / ".venv" / "bin" / "python"
FAKE_SNOWFLAKE = """
import argparse, http.server, ssl, sys
parser = argparse.ArgumentParser()
for name in ("port", "certfile", "keyfile", "s3-endpoint", "statement-log", "db-path"):
    parser.add_argument("--" + name, required=True)
options = parser.parse_args()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(options.port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(options.certfile, options.keyfile)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def copy_checkout(folder: Path) -> Path:
    """A checkout with a stand-in for the stand-in: these tests are about processes, not about Snowflake."""
    sandbox = folder / "sandbox"
    for part in ("s3", "aws_s3"):
        shutil.copytree(
            CHECKOUT / "sandbox" / part, sandbox / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    for path in (CHECKOUT / "sandbox").glob("*.py"):
        shutil.copy(path, sandbox)
    (sandbox / "snowflake").mkdir()
    (sandbox / "snowflake" / "__init__.py").touch()
    (sandbox / "snowflake" / "__main__.py").write_text(FAKE_SNOWFLAKE)
    return folder


class Sandbox:
    def __init__(self, checkout: Path, state: Path) -> None:
        self.checkout, self.state = checkout, state

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PYTHON, "-m", "sandbox", *arguments, "--state", self.state],
            cwd=self.checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        output = process.communicate(timeout=90)[0]
        assert process.returncode == code, output
        return output

    def pids(self) -> dict[str, int]:
        return {
            name: entry["pid"]
            for name, entry in json.loads((self.state / "processes.json").read_text()).items()
        }

    def env(self) -> dict[str, str]:
        lines = (self.state / "env").read_text().splitlines()
        return dict(
            re.fullmatch(r"(\w+)='(.*)'", line).groups() for line in lines if not line.startswith("#")
        )

    def env_by_shell(self) -> dict[str, str]:
        """As a user reads it: whatever the values hold."""
        script = 'set -a; . "$0"; exec env -0'
        output = subprocess.run(
            ["sh", "-c", script, self.state / "env"], capture_output=True, check=True, env={}
        ).stdout
        return dict(entry.split("=", 1) for entry in output.decode().split("\0") if entry)
