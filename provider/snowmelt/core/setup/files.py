"""All files of a set-up, by name."""

from __future__ import annotations

from snowmelt.core.settings.config import Config
from snowmelt.core.setup.aws import (
    build_cleanup_policy,
    build_rds_trust,
    build_read_policy,
    build_snowflake_policy,
    build_snowflake_trust,
)
from snowmelt.core.setup.connections import build_connections_env
from snowmelt.core.setup.facts import SetupFacts
from snowmelt.core.setup.postgres import build_postgres_sql, build_rds_sql
from snowmelt.core.setup.scope import plan_scope
from snowmelt.core.setup.snowflake import build_snowflake_sql
from snowmelt.core.setup.steps import build_steps


def build_setup(config: Config, facts: SetupFacts, *, command: str) -> dict[str, str]:
    """File name → text, in the order in which they are needed.

    :param command: the call that asked for them; it is shown in STEPS.md.
    """
    scope = plan_scope(config)
    return {
        "STEPS.md": build_steps(scope, facts, command=command),
        "snowflake.sql": build_snowflake_sql(scope, facts),
        "iam-trust-policy.json": build_snowflake_trust(facts),
        "iam-snowflake-policy.json": build_snowflake_policy(scope, facts),
        "iam-read-policy.json": build_read_policy(scope, facts),
        "iam-cleanup-policy.json": build_cleanup_policy(scope, facts),
        "postgres.sql": build_postgres_sql(scope, facts),
        "rds-aws_s3.sql": build_rds_sql(facts),
        "rds-aws_s3-policy.json": build_read_policy(scope, facts),
        "rds-aws_s3-trust-policy.json": build_rds_trust(facts),
        "airflow-connections.env": build_connections_env(scope, facts),
    }
