"""What a role lacks on a target, and the statements that give it: all at once, and no more than is missing."""

from __future__ import annotations

import pytest

from snowmelt.publish.strategies import STRATEGIES
from snowmelt.rights.postgres import HeldRights, TargetRights, find_missing
from snowmelt.vocabulary import Deletes, PublishMethod

ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
MERGE = STRATEGIES[PublishMethod.MERGE].rights(deletes=Deletes.HARD)
SWAP = STRATEGIES[PublishMethod.SWAP].rights()


def held(schema=("USAGE", "CREATE"), table=ALL, *, owner=False, exists=True, schema_exists=True):
    return HeldRights(schema_exists, schema, exists, owner, table)


@pytest.mark.parametrize(
    ("has", "rights", "statements"),
    [
        (held(), MERGE, ()),
        (held(owner=True), SWAP, ()),
        (held(table=(), exists=False), SWAP, ()),
        (held(schema_exists=False, schema=(), exists=False), MERGE, ('CREATE SCHEMA "m" AUTHORIZATION "r"',)),
        (held(schema=("USAGE",)), MERGE, ('GRANT CREATE ON SCHEMA "m" TO "r"',)),
        (held(table=("SELECT", "INSERT", "UPDATE")), MERGE, ('GRANT DELETE ON TABLE "m"."t" TO "r"',)),
        (held(), SWAP, ('ALTER TABLE "m"."t" OWNER TO "r"',)),
        (held(), MERGE.owned(), ('ALTER TABLE "m"."t" OWNER TO "r"',)),
        (
            held(schema=(), table=("SELECT",)),
            MERGE,
            (
                'GRANT USAGE, CREATE ON SCHEMA "m" TO "r"',
                'GRANT INSERT, UPDATE, DELETE ON TABLE "m"."t" TO "r"',
            ),
        ),
        (held(table=()), TargetRights(), ()),
    ],
)
def test_only_what_is_missing_is_granted(has, rights, statements):
    missing = find_missing(has, rights, "m", "t", "r")
    assert tuple(statement for one in missing for statement in one.statements) == statements


def test_a_missing_right_is_a_sentence_with_its_statement():
    (one,) = find_missing(held(table=("SELECT",)), STRATEGIES[PublishMethod.APPEND].rights(), "m", "t", "r")
    assert str(one) == 'the role r has no INSERT on m.t: GRANT INSERT ON TABLE "m"."t" TO "r"'


def test_names_stay_inside_their_quotes():
    (one,) = find_missing(held(), SWAP, 'm"', 't"; DROP', 'r"')
    assert one.statements == ('ALTER TABLE "m"""."t""; DROP" OWNER TO "r"""',)
