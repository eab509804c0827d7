"""The tables of rights in docs/security.md and docs/setup.md, between markers: `python -m snowmelt.setup.documentation docs/*.md`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from snowmelt.errors import ConfigurationError
from snowmelt.publish.strategies import STRATEGIES, Strategy
from snowmelt.rights import postgres, snowflake
from snowmelt.rights.iam import BUCKET_RIGHTS, OBJECT_ACL, Partition, Principal
from snowmelt.rights.snowflake import SourceKind
from snowmelt.sql.names import LEDGER_SCHEMA, TableName
from snowmelt.vocabulary import Deletes, PublishMethod

_BLOCK = re.compile(r"(<!-- made: (?P<name>[a-z0-9-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_ROLE = "SNOWMELT_ROLE"
_LOADER = "snowmelt_loader"
_WHO = {
    Principal.SNOWFLAKE: "the role behind Snowflake's storage integration",
    Principal.AIRFLOW: "`aws_default`, used by Airflow's workers",
    Principal.DATABASE: "the database's own role, for `load_method` aws_s3",
    Principal.CLEANUP: "`aws_cleanup`, optional",
}


def refresh(page: str) -> str:
    """The page with every block made again.

    :raises ConfigurationError: a marker names a block that is not made here.
    """

    def make(match: re.Match[str]) -> str:
        build = _BUILDERS.get(match["name"])
        if build is None:
            raise ConfigurationError(
                f"The marker {match['name']!r} is unknown; known are {', '.join(_BUILDERS)}."
            )
        return f"{match[1]}\n{build()}\n\n{match[3]}"

    return _BLOCK.sub(make, page)


def build_method_table() -> str:
    """What each publish method needs on a target that exists already."""
    merge = STRATEGIES[PublishMethod.MERGE]
    rows = [(strategy.method.value, _needs(strategy.rights())) for strategy in STRATEGIES.values()]
    rows.append((f"{merge.method} with `deletes` `hard`", _needs(merge.rights(deletes=Deletes.HARD))))
    rows.append(
        (
            "any, with `audit_columns`, `defer_indexes` or a `schema_drift` other than `fail`",
            _needs(_any_filled(STRATEGIES).rights().owned()),
        )
    )
    return _table(("publish", "the role needs on a target that exists already"), rows)


def build_postgres_statements() -> str:
    """The grants on the ledger and on a target's schema."""
    statements = (
        f"CREATE ROLE {_LOADER} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
        postgres.create_schema(LEDGER_SCHEMA, _LOADER),
        *postgres.grant_statements(postgres.schema_grants("public"), _LOADER),
    )
    return _sql(statements)


def build_table_statements() -> str:
    """All rights on a target that is filled row by row."""
    most = STRATEGIES[PublishMethod.MERGE].rights(deletes=Deletes.HARD)
    return _sql(postgres.grant_statements(postgres.table_grants("public", "existing", most), _LOADER))


def build_aws_s3_statements() -> str:
    """The grants on the extension."""
    return _sql(postgres.grant_statements(postgres.aws_s3_grants(), _LOADER))


def build_bucket_table() -> str:
    """Who may do what in the bucket."""
    rows = [
        (_WHO[principal], _actions(rights.objects), _actions(rights.bucket), _actions(rights.key))
        for principal, rights in BUCKET_RIGHTS.items()
    ]
    head = ("who", "on the objects below the prefix", "on the bucket", "on a KMS key of your own")
    table = _table(head, rows)
    return f"{table}\n\nFor a bucket of another account (`--bucket-account`) Snowflake's role also needs `{OBJECT_ACL}`."


def build_partition_table() -> str:
    """What differs between the partitions of AWS."""
    rows = [
        (f"`arn:{one}:`", f"`{one.provider}`", f"`{one.scheme}://`", example)
        for one, example in zip(Partition, ("all others", "`us-gov-west-1`", "`cn-northwest-1`"), strict=True)
    ]
    return _table(("ARNs begin with", "STORAGE_PROVIDER", "locations begin with", "regions"), rows)


def build_snowflake_table() -> str:
    """The grants of Snowflake's role."""
    source = TableName("DB", "SCHEMA", "NAME")
    warehouse = "WAREHOUSE"
    groups: Sequence[tuple[str, Iterable[snowflake.SnowflakeGrant]]] = (
        ("always", snowflake.warehouse_grants(warehouse, resized=False)),
        ("`warehouse_size` is configured", snowflake.warehouse_grants(warehouse, resized=True)[1:]),
        ("a stage is configured", snowflake.stage_grants("DB", "SCHEMA", "STAGE")),
        ("no stage is configured", snowflake.integration_grants("INTEGRATION")),
        *(
            (f"a source is `{kind}`", snowflake.source_grants(source, kind))
            for kind in SourceKind
        ),
        ("`--future-grants`", snowflake.future_grants([(source, SourceKind.TABLE)])),
    )  # fmt: skip
    rows = [
        (
            when,
            "<br>".join(f"`{_plain(grant.to_sql(_ROLE))}`" for grant in grants),
            "<br>".join(grant.reason for grant in grants),
        )
        for when, grants in groups
    ]
    return _table(("where", "grants", "for"), rows)


def _any_filled(strategies: Mapping[PublishMethod, Strategy]) -> Strategy:
    return next(strategy for strategy in strategies.values() if not strategy.owner)


def _needs(rights: postgres.TargetRights) -> str:
    if rights.owner:
        return "to own it, or be a member of its owner"
    return f"`{', '.join(rights.table)}`"


def _actions(actions: Iterable[str]) -> str:
    return ", ".join(f"`{action}`" for action in actions) or "none"


def _plain(statement: str) -> str:
    return statement.removesuffix(f' TO ROLE "{_ROLE}"').replace('"', "")


def _sql(statements: Iterable[str]) -> str:
    lines = "\n".join(f"{statement};" for statement in statements)
    return f"```sql\n{lines.replace(chr(34), '')}\n```"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


_BUILDERS: Mapping[str, Callable[[], str]] = {
    "publish-rights": build_method_table,
    "postgres-statements": build_postgres_statements,
    "table-statements": build_table_statements,
    "aws-s3-statements": build_aws_s3_statements,
    "bucket-rights": build_bucket_table,
    "partitions": build_partition_table,
    "snowflake-grants": build_snowflake_table,
}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(refresh(path.read_text(encoding="utf-8")), encoding="utf-8")
