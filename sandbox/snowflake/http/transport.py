"""The ASGI layer around the application that answers or cuts by rule (sql/faults.py)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import PlainTextResponse

from sandbox.snowflake.sql.faults import FAULTS

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
