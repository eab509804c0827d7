from __future__ import annotations

import os
import random

import pytest

from tests.faults.world import sabotage
from tests.stand_ins import stand_ins as make_stand_ins


def pytest_collection_modifyitems(config, items):
    """The long part runs by `make test-faults` only."""
    wanted = os.environ.get("SNOWMELT_FAULTS")
    long = [item for item in items if item.get_closest_marker("faults") and not wanted]
    if os.geteuid() != 0:  # a small file system can only be mounted by root
        long += [item for item in items if item.name == "test_the_disk_is_full" and item not in long]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def stand_ins(sandbox):
    made = make_stand_ins(sandbox.env)
    yield made
    made.clear()


@pytest.fixture(scope="session")
def seed() -> int:
    """Printed with each failure; set it again by SNOWMELT_FAULT_SEED."""
    value = int(os.environ.get("SNOWMELT_FAULT_SEED") or random.SystemRandom().randrange(10**6))
    print(f"SNOWMELT_FAULT_SEED={value}")
    return value


@pytest.fixture
def world(run_world):
    return run_world


@pytest.fixture
def sabotaged(world, sandbox, stand_ins):
    """`with sabotaged(publish="truncate") as run:`"""

    def make(**options):
        return sabotage(world, sandbox, stand_ins, **options)

    yield make
    stand_ins.clear()
