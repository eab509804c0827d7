"""Each way of publishing has a strategy, and its rights are what PostgreSQL asks for."""

from __future__ import annotations

import pytest

from snowmelt.publish.strategies import STRATEGIES
from snowmelt.vocabulary import Deletes, PublishMethod


def test_every_method_has_one_strategy():
    assert set(STRATEGIES) == set(PublishMethod)
    assert all(strategy.method is method for method, strategy in STRATEGIES.items())


@pytest.mark.parametrize(
    ("method", "deletes", "rights", "owner"),
    [
        (PublishMethod.SWAP, Deletes.IGNORE, (), True),
        (PublishMethod.REPLACE, Deletes.IGNORE, ("SELECT", "INSERT", "DELETE"), False),
        (PublishMethod.APPEND, Deletes.IGNORE, ("SELECT", "INSERT"), False),
        (PublishMethod.MERGE, Deletes.IGNORE, ("SELECT", "INSERT", "UPDATE"), False),
        (PublishMethod.MERGE, Deletes.SOFT, ("SELECT", "INSERT", "UPDATE"), False),
        (PublishMethod.MERGE, Deletes.HARD, ("SELECT", "INSERT", "UPDATE", "DELETE"), False),
        (PublishMethod.APPEND, Deletes.HARD, ("SELECT", "INSERT"), False),
    ],
)
def test_rights_on_the_target(method, deletes, rights, owner):
    found = STRATEGIES[method].rights(deletes=deletes)
    assert (found.schema, found.table, found.owner) == (("USAGE", "CREATE"), rights, owner)


def test_a_merge_that_only_inserts_needs_update_for_its_lock():
    merge = STRATEGIES[PublishMethod.MERGE]
    assert merge.events(inserts_only=True) == ("INSERT",)
    assert "UPDATE" in merge.rights().table
