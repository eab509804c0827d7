"""Whole runs without Airflow, each test in a world of its own."""

from __future__ import annotations

import pytest


@pytest.fixture
def world(run_world):
    return run_world
