"""GRANT and REVOKE from what aclexplode reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from snowmelt.core.publish.table_details import Grant, TableDetails
from snowmelt.core.quoting import postgres_identifier


def build_grants(on: str, grants: Iterable[Grant], column: str | None = None) -> list[str]:
    """GRANT statements, one for each role and grant option.

    :param on: `TABLE "s"."t"` or `SEQUENCE "s"."q"`.
    :param column: for the rights to one column of a table.
    """
    by_role: dict[tuple[str | None, bool], set[str]] = defaultdict(set)
    for role, privilege, option in grants:
        by_role[role, option].add(privilege)
    columns = "" if column is None else f" ({postgres_identifier(column)})"
    return [
        f"GRANT {', '.join(f'{privilege}{columns}' for privilege in sorted(privileges))} ON {on} TO {_role(role)}"
        f"{' WITH GRANT OPTION' if option else ''}"
        for (role, option), privileges in sorted(
            by_role.items(), key=lambda item: (item[0][0] or "", item[0][1])
        )
    ]


def build_revokes(on: str, grants: Iterable[Grant], *, but: str | None = None) -> list[str]:
    """REVOKE ALL from every role that has a right, all but one."""
    roles = sorted(
        {role for role, _, _ in grants if role is None or role != but}, key=lambda role: role or ""
    )
    return [f"REVOKE ALL ON {on} FROM {_role(role)}" for role in roles]


def build_private(schema: str, staging: str, details: TableDetails) -> list[str]:
    """Take from all but the owner what default privileges gave them: the rows are not published yet."""
    owner = details.owner
    statements = build_revokes(f"TABLE {postgres_identifier(schema, staging)}", details.grants, but=owner)
    for sequence in details.sequences:
        on = f"SEQUENCE {postgres_identifier(schema, sequence.name)}"
        statements += build_revokes(on, sequence.grants, but=owner)
    return statements


def _role(role: str | None) -> str:
    return "PUBLIC" if role is None else postgres_identifier(role)
