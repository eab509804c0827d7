"""The wheel, built once a session as `make build` does it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

UV = ROOT / ".cache" / "bootstrap" / "bin" / "uv"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [str(UV), "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )  # fmt: skip
    (made,) = folder.glob("*.whl")
    return made
