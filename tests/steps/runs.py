"""A whole run without Airflow: the same steps that the tasks take, over the sandbox, in one process."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from snowmelt.config.file import parse_config
from snowmelt.config.request import parse_request
from snowmelt.drivers.postgres import CONNECT_ARGUMENTS, TASK, open_session
from snowmelt.ledger import files as ledger_files
from snowmelt.plan.facts import RunIdentity
from snowmelt.plan.plan import Plan, build_unload_request
from snowmelt.steps import load as loading
from snowmelt.steps import planning, planning_facts
from snowmelt.steps import publish as publishing
from snowmelt.steps import verify as verification
from snowmelt.steps.register import register_files
from snowmelt.unload import chunk as unload
from snowmelt.unload import staged


@dataclass
class World:
    """Snowflake, S3 and one target database."""

    snowflake: Any
    s3: Any
    dsn: str
    bucket: str
    #: A schema of Snowflake's for this test alone.
    schema: str
    stage: str = "SNOWMELT_STAGE"
    source_database: str = "TESTS"

    @contextmanager
    def target(self) -> Iterator[psycopg.Connection[Any]]:
        """A session as the product opens it."""
        with open_session(
            lambda: psycopg.connect(self.dsn, **CONNECT_ARGUMENTS), TASK, "Opening"
        ) as connection:
            yield connection

    @contextmanager
    def person(self) -> Iterator[psycopg.Connection[Any]]:
        """A session of somebody else's, with the names of `public`."""
        with psycopg.connect(
            self.dsn, autocommit=True, options="-c timezone=UTC", client_encoding="UTF8"
        ) as connection:
            yield connection

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in Snowflake; the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        with self.snowflake.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall()
        return rows

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the target database."""
        with self.person() as connection:
            return connection.execute(sql).fetchall()

    def execute(self, *statements: str) -> None:
        """Statements for the target database."""
        with self.person() as connection:
            for statement in statements:
                connection.execute(statement)

    @contextmanager
    def session(self) -> Iterator[Any]:
        yield self.snowflake

    def config(self, table: dict[str, Any], **staging: Any) -> str:
        return json.dumps(
            {
                "s3_staging": {"bucket": self.bucket} | staging,
                "forms": {"allow_other_tables": True},
                "snowflake_unload": {
                    "stage_database": "UTIL",
                    "stage_schema": "STAGING",
                    "stage_name": self.stage,
                },
                "sources": [
                    {
                        "source_name": "t",
                        "source_database": self.source_database,
                        "source_schema": self.schema,
                        "schedule": None,
                        "tables": [table],
                    }
                ],
            }
        )

    def plan(
        self,
        table: dict[str, Any],
        *,
        run: str | None = None,
        window: tuple[datetime, datetime] | None = None,
        staging: dict[str, Any] | None = None,
        **params: Any,
    ) -> Plan:
        """Plan a run of a table that is configured as `table` says; `staging`: of the section s3_staging."""
        config = parse_config(self.config(table, **(staging or {})), {})
        assert not config.broken, config.broken
        request = parse_request(params, config, config.tables[0])
        identity = RunIdentity(run or uuid.uuid4().hex, "dag", "run", window)
        with self.target() as connection:
            sessions = planning_facts.PlanningSessions(self.snowflake, connection, lambda: self.s3)
            return planning.plan_run(sessions, request, identity)

    def unload(self, plan: Plan) -> list[Any]:
        chunks = []
        for chunk in (chunk for part in plan.parts for chunk in part.chunks):
            request = build_unload_request(plan, chunk.index)
            submitted = unload.submit_unload(self.snowflake, request)
            chunks.append(unload.await_unload(self.snowflake, request, submitted, 0.05))
        return list(staged.look_for_chunks(self.s3, tuple(chunks)).chunks)

    def finish(
        self, plan: Plan, chunks: list[Any], before_verify: str = "", before_publish: str = ""
    ) -> dict[str, Any]:
        """Everything after the unload.

        :param before_verify: what somebody does to the database once all is loaded; `before_publish`: once all is verified.
        """
        with self.target() as connection:
            files = register_files(connection, plan, chunks, s3=lambda: self.s3, snowflake=self.session)
            for part, batches in zip(plan.parts, (files.batches, files.key_batches), strict=False):
                job = loading.build_load_job(part, "us-east-1")
                for batch in batches:
                    files = ledger_files.read_batch(connection, part.run_id, batch.index)
                    loading.load_files(connection, self.s3, files, job)
            if before_verify:
                self.execute(before_verify)
            verification.verify_run(connection, plan, snowflake=self.session)
            if before_publish:
                self.execute(before_publish)
            return publishing.publish_run(connection, plan, snowflake=self.session)

    def run(self, table: dict[str, Any], **params: Any) -> dict[str, Any]:
        plan = self.plan(table, **params)
        return self.finish(plan, self.unload(plan))
