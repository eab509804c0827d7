"""The sandbox in a clone that only its owner may enter, as in a home of mode 700: as root, and as an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.sandbox.sandbox_copy import CHECKOUT, Sandbox, copy_checkout

#: Where the tests run as root, they can become anyone; elsewhere they are an ordinary user already.
USERS = ("root", "nobody") if os.geteuid() == 0 else (pwd.getpwuid(os.geteuid()).pw_name,)
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass
class Clone:
    """A clone with the environment that `make` makes, and a temporary folder of its own."""

    folder: Path
    temporary: Path
    user: str

    @property
    def state(self) -> Path:
        return self.folder / ".sandbox"

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command of the sandbox; its stdout and stderr together."""
        command = [
            self.folder / "sandbox/.venv/bin/python",
            "-m",
            "sandbox",
            *arguments,
            "--state",
            self.state,
        ]
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(self.temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": str(self.folder / "python/lib"),
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, text=True, timeout=120, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **become(self.user),
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        return done.stdout

    def homes(self) -> list[Path]:
        return list(self.temporary.glob("snowmelt-postgres-*"))

    def copies(self) -> list[str]:
        """The copies of programs, wherever PostgreSQL's files are."""
        homes = [*self.homes(), self.state / "postgres"]
        return [path.name for home in homes for path in home.glob("*-*") if path.is_dir()]

    def answers(self) -> bool:
        dsn = Sandbox(self.folder, self.state).env()["SNOWMELT_SANDBOX_PG_DSN"]
        with psycopg.connect(dsn) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)


def become(user: str) -> dict[str, object]:
    entry = pwd.getpwnam(user)
    if entry.pw_uid == os.geteuid():
        return {}
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def link(source: str, target: str) -> None:
    """A hard link where one can be made: the environment has 450 MB."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(params=USERS)
def clone(request: pytest.FixtureRequest) -> Iterator[Clone]:
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o711)
        folder, temporary = Path(outer) / "home", Path(outer) / "tmp"
        folder.mkdir(mode=0o700)
        temporary.mkdir()
        temporary.chmod(0o1777)
        shutil.copytree(CHECKOUT / "sandbox", folder / "sandbox", symlinks=True, copy_function=link)
        # The interpreter may be in a private home itself.
        base = Path(sys.base_prefix)
        leave_out = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*")
        shutil.copytree(base / "lib" / PYTHON, folder / "python/lib" / PYTHON, ignore=leave_out)
        for library in base.glob("lib/libpython*"):
            shutil.copy2(library, folder / "python/lib")
        (folder / "python/bin").mkdir()
        shutil.copy2(base / "bin" / PYTHON, folder / "python/bin")
        python = folder / "sandbox/.venv/bin/python"
        python.unlink()
        python.symlink_to(folder / "python/bin" / PYTHON)
        settings = folder / "sandbox/.venv/pyvenv.cfg"
        settings.unlink()
        settings.write_text(f"home = {folder / 'python/bin'}\n")
        shutil.chown(folder, request.param)
        made = Clone(folder, temporary, request.param)
        yield made
        if made.state.exists():
            made.run("down", "--purge")


def test_the_sandbox_starts_and_a_second_start_leaves_running_programs_alone(clone):
    first = clone.run("up")
    assert first.count(" started") == 3
    assert "aws_s3 is left out" not in first
    assert stat.S_IMODE(clone.folder.stat().st_mode) == 0o700
    assert bool(clone.copies()) == (clone.user == "root")  # who may run the clone's programs needs no copy
    assert clone.run("up").count("was running") == 3
    assert clone.answers()
    assert "500 rows in" in clone.run("fill", "--rows", "10")

    clone.run("down")
    assert clone.copies() == []
    assert clone.run("up").count(" started") == 3
    assert "500 rows are there" in clone.run("fill", "--rows", "10")

    clone.run("down", "--purge")
    assert clone.homes() == []
    assert [path.name for path in clone.state.iterdir()] == ["lock"]


@pytest.mark.parametrize("command", ["down", "clean"])
def test_what_a_deleted_sandbox_left_in_the_temporary_folder_is_removed(clone, command):
    clone.run("up")
    clone.run("down")
    homes = clone.homes()
    assert bool(homes) == (clone.user == "root")
    other = clone.temporary / "snowmelt-postgres-another-program"
    other.mkdir()
    kept = clone.run(command)
    assert clone.homes() == [*homes, other] or clone.homes() == [other, *homes]
    assert "no longer exists" not in kept

    shutil.rmtree(clone.state)
    output = clone.run(command)
    assert [str(home) in output for home in homes] == [True] * len(homes)
    assert clone.homes() == [other]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    folder = tmp_path_factory.mktemp("checkout")
    return Sandbox(copy_checkout(folder), folder / "state")


@pytest.mark.parametrize("command", ["up", "down", "status", "fill", "clean"])
def test_a_failure_is_a_sentence(sandbox, command):
    """The state folder is a file; its ports were overwritten with something else."""
    sandbox.state.write_text("")
    try:
        expected = {"down": 0, "clean": 0}.get(command, 1)
        is_a_file = sandbox.run(command, code=expected)
    finally:
        sandbox.state.unlink()
    assert "Traceback" not in is_a_file
    if command == "up":
        assert f"sandbox up: The system refused: File exists ({sandbox.state})" in is_a_file

    sandbox.state.mkdir()
    (sandbox.state / "ports.json").write_text(json.dumps({"s3": "text"}))
    try:
        output = sandbox.run(command, code=expected)
    finally:
        shutil.rmtree(sandbox.state)
    assert "Traceback" not in output
    if command == "up":
        log = Path(output.partition("Details are in ")[2].partition(";")[0])
        assert "sandbox up: An unexpected error, TypeError" in output
        assert "Traceback" in log.read_text()
        log.unlink()
