"""What is known of an expression and stands in its `meta`: its Snowflake type, and what gives its companions."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from sandbox.snowflake.catalog.companions import COMPANIONS, Companion
from sandbox.snowflake.catalog.sftypes import SfType

TYPE = "sf"


def type_of(node: exp.Expression | None) -> SfType | None:
    return node.meta.get(TYPE) if node is not None else None


def type_name(node: exp.Expression | None) -> str:
    """The type's name, empty where it is not known."""
    kind = type_of(node)
    return kind.name if kind is not None else ""


def companion_of(node: exp.Expression | None, companion: Companion) -> exp.Expression | None:
    """The expression of a companion; None where there is none, or where it is lost (0 then)."""
    return node.meta.get(companion.key) if node is not None else None


def companions_in(node: exp.Expression) -> dict[Companion, exp.Expression]:
    return {c: found for c in COMPANIONS if (found := companion_of(node, c)) is not None}


def annotated(
    node: exp.Expression, kind: SfType | None, companions: Mapping[Companion, exp.Expression]
) -> exp.Expression:
    """The same node, told its type and companions."""
    if kind is not None:
        node.meta[TYPE] = kind
    for companion, expression in companions.items():
        node.meta[companion.key] = expression.copy()
    return node
