"""Faults of the Snowflake stand-in, set by `POST /sandbox/faults`: at HTTP, of a statement, of an unload half way.

kind      match is searched in             what happens
http      `POST /queries/v1/query-request`   HTTP <status>, before anything is done
drop      the same                           done, and the connection is cut within the answer
stall     the statement's text               it waits <seconds> first; can be cancelled
error     the statement's text               it fails with <code>, <sqlstate>, <message>
half      the statement's text               an unload fails as `error` once <after> files are written
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import PlainTextResponse

from sandbox.faults import Faults, Rule
from sandbox.snowflake.catalog.queries import Query
from sandbox.snowflake.errors import SnowflakeError

FAULTS = Faults()

App = Callable[[Any, Any, Any], Awaitable[None]]


class FaultyTransport:
    """The ASGI layer around the application that answers or cuts by rule."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/sandbox"):
            await self.app(scope, receive, send)
            return
        rule = FAULTS.take(("http", "drop"), f"{scope['method']} {scope['path']}")
        if rule is None:
            await self.app(scope, receive, send)
        elif rule.kind == "http":
            await PlainTextResponse(rule.message or "fault", rule.status)(scope, receive, send)
        else:
            await self.app(scope, receive, _cutting(send))


def _cutting(send: Any) -> Any:
    """Promises the whole answer and sends half of it; the server then closes the connection."""

    async def cut(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            raise ConnectionResetError("cut by a rule")
        await send(message)

    return cut


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
    return SnowflakeError(int(rule.code or 603), rule.sqlstate, rule.message or "A fault on order.")
