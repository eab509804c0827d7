"""Faults of the Snowflake stand-in, set by `POST /sandbox/faults`: at HTTP, of a statement, of an unload half way.

kind      match is searched in             what happens
http      `POST /queries/v1/query-request`   HTTP <status>, before anything is done
drop      the same                           done, and the connection is cut within the answer
stall     the statement's text               it waits <seconds> first; can be cancelled
error     the statement's text               it fails with <code>, <sqlstate>, <message>
half      the statement's text               an unload fails as `error` once <after> files are written
"""

from __future__ import annotations

from sandbox.faults import Faults, Rule
from sandbox.snowflake.catalog.queries import Query
from sandbox.snowflake.errors import SnowflakeError

FAULTS = Faults()


def before_statement(query: Query) -> None:
    """Called as a statement begins to run."""
    stall = FAULTS.take(("stall",), query.text)
    if stall is not None:
        query.stop.wait(stall.seconds)
        query.check()
    error = FAULTS.take(("error",), query.text)
    if error is not None:
        raise as_error(error)


def files_before_failure(query: Query) -> Rule | None:
    """The rule that lets this unload fail half way."""
    return FAULTS.take(("half",), query.text)


def as_error(rule: Rule) -> SnowflakeError:
    return SnowflakeError(int(rule.code or 603), rule.sqlstate, rule.message or "An injected fault.")
