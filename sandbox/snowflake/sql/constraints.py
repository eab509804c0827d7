"""Projection and aggregation policies: what a query must not do with what it reads.

docs.snowflake.com/en/user-guide/projection-policies, …/aggregation-policies. Snowflake documents no numbers and no texts of these errors:
they are ours. A column that a subquery renames is not followed, and small groups are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.names import show
from sandbox.snowflake.rewriting.scopes import Output
from sandbox.snowflake.sql.protection import PolicyUse


@dataclass
class Constraints:
    """Collected while a query is bound, checked afterwards."""

    columns: set[str] = field(default_factory=set)  # that must not be in the result
    aggregated: bool = False  # rows may be read in groups alone

    def add(self, use: PolicyUse) -> None:
        if use.column is not None:
            self.columns.add(use.column)
        else:
            self.aggregated = True

    def check(self, query: exp.Expression, outputs: list[Output] | None) -> None:
        for select in _selects(query):
            named = {c.name for p in select.expressions for c in p.find_all(exp.Column)}
            named |= {o.name for o in outputs or ()}
            for column in sorted(named & self.columns):
                text = f"Column {show(column)} has a projection policy and cannot be projected."
                raise errors.compilation(3930, "42501", text)
            if self.aggregated and not _aggregates(select):
                raise errors.compilation(
                    3931, "42501", "An object with an aggregation policy must be aggregated."
                )


def _selects(query: exp.Expression) -> Iterator[exp.Select]:
    if isinstance(query, exp.SetOperation):
        yield from _selects(query.left)
        yield from _selects(query.right)
    elif isinstance(query, exp.Subquery):
        yield from _selects(query.this)
    elif isinstance(query, exp.Select):
        yield query


def _aggregates(select: exp.Select) -> bool:
    return select.args.get("group") is not None or all(p.find(exp.AggFunc) for p in select.expressions)
