from __future__ import annotations

import pytest

from tests.stand_ins import stand_ins as make_stand_ins


@pytest.fixture(scope="session")
def postgres_dsn(sandbox):
    """A superuser's DSN of a database in which nothing is installed, no extension either."""
    sandbox.create_database("test_failures")
    yield sandbox.superuser_dsn("test_failures")
    sandbox.drop_database("test_failures")


@pytest.fixture(scope="session")
def stand_ins(sandbox):
    made = make_stand_ins(sandbox.env)
    yield made
    made.clear()
