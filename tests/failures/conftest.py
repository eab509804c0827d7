from __future__ import annotations

import pytest

from tests.stand_ins import stand_ins as make_stand_ins


@pytest.fixture(scope="session")
def stand_ins(sandbox):
    made = make_stand_ins(sandbox.env)
    yield made
    made.clear()
