"""The policies that Snowflake applies to a source: what its role sees is what is copied.

Masking policies change values, row access policies hide rows, projection and aggregation policies restrict the queries
(docs.snowflake.com/en: user-guide/security-column-intro, user-guide/security-row-intro, user-guide/projection-policies,
user-guide/aggregation-policies). A policy may let the role through: which role that is stands in the policy, not in the answer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum


class PolicyKind(StrEnum):
    """POLICY_KIND of POLICY_REFERENCES (docs.snowflake.com/en/sql-reference/functions/policy_references)."""

    MASKING = "MASKING_POLICY"
    ROW_ACCESS = "ROW_ACCESS_POLICY"
    PROJECTION = "PROJECTION_POLICY"
    AGGREGATION = "AGGREGATION_POLICY"

    @property
    def words(self) -> str:
        """As a person reads it."""
        return self.value.replace("_", " ").lower()


@dataclass(frozen=True, slots=True)
class PolicyUse:
    """One policy on the source, or on one of its columns."""

    kind: PolicyKind
    #: Its full name.
    name: str
    #: The column, to the letter; None: the policy is on the whole source.
    column: str | None = None
    #: The tag by which a masking policy holds; None: it is set on the column itself.
    tag: str | None = None

    def __str__(self) -> str:
        by = f" (by the tag {self.tag})" if self.tag else ""
        on = f' on "{self.column}"' if self.column is not None else ""
        return f"{self.kind.words} {self.name}{on}{by}"


@dataclass(frozen=True, slots=True)
class SourcePolicies:
    """The policies on a source, as far as the role is told of them."""

    #: The session's role.
    role: str
    uses: tuple[PolicyUse, ...] = ()
    #: Why there may be others; None: these are all.
    untold: str | None = None

    def on(self, columns: Collection[str]) -> SourcePolicies:
        """Those on the source as a whole, and on these columns."""
        kept = (use for use in self.uses if use.column is None or use.column in columns)
        return replace(self, uses=tuple(kept))

    def of(self, kind: PolicyKind) -> tuple[PolicyUse, ...]:
        """Those of one kind."""
        return tuple(use for use in self.uses if use.kind is kind)

    def describe(self) -> str | None:
        """What log, page and report say of a copy; None: no policy applies, and that is certain."""
        parts = []
        if self.of(PolicyKind.ROW_ACCESS):
            parts.append(f"rows that the role {self.role} may see")
        if self.of(PolicyKind.MASKING):
            parts.append(f"values as the role {self.role} sees them, masked or not")
        if self.uses:
            parts.append(", ".join(str(use) for use in self.uses))
        if self.untold:
            others = "other policies" if self.uses else "policies"
            parts.append(f"whether {others} hide rows or values cannot be told: {self.untold}")
        return "; ".join(parts) or None
