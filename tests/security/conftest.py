"""A world whose tables, columns and values are all hostile."""

from __future__ import annotations

import pytest

from tests.dags.conftest import app, demo, run_dags
from tests.security.logs import Ears

__all__ = ["app", "demo", "run_dags"]


@pytest.fixture
def world(run_world):
    return run_world


@pytest.fixture
def ears(sandbox):
    """Made by a test when its own preparations are done: `ears()`."""
    return lambda: Ears(sandbox.env)
