"""The HTTP application: the routes that Snowflake's drivers call, /health, and the sandbox's own."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.queries import Query
from sandbox.snowflake.catalog.session import Session
from sandbox.snowflake.http import protocol
from sandbox.snowflake.http.engine import Engine
from sandbox.snowflake.http.transport import FaultyTransport
from sandbox.snowflake.sql.faults import FAULTS

logger = logging.getLogger("sandbox.snowflake")

#: A request waits this long for its statement; then the client has to ask again.
PATIENCE_SECONDS = 20.0

Endpoint = Callable[[Request], Awaitable[Response]]


class Application:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def build(self) -> Starlette:
        post, get = ["POST"], ["GET"]
        routes = [
            Route("/health", self.health, methods=get),
            Route("/session/v1/login-request", _never_500(self.login), methods=post),
            Route("/session/token-request", _never_500(self.renew), methods=post),
            Route("/session/heartbeat", _never_500(self.heartbeat), methods=post),
            Route("/session/authenticator-request", _never_500(self.authenticator), methods=post),
            Route("/session", _never_500(self.session), methods=post),
            Route("/queries/v1/query-request", _never_500(self.query), methods=post),
            Route("/queries/v1/abort-request", _never_500(self.abort_request), methods=post),
            Route("/queries/{id}/abort-request", _never_500(self.abort_query), methods=post),
            Route("/queries/{id}/result", _never_500(self.result), methods=get),
            Route("/monitoring/queries/{id}", _never_500(self.status), methods=get),
            Route("/telemetry/send", self.telemetry, methods=post),
            Route("/sandbox/sessions/expire", self.expire_sessions, methods=post),
            Route("/sandbox/results/expire", self.expire_results, methods=post),
            Route("/sandbox/faults", self.faults, methods=[*get, *post]),
            Route("/sandbox/queries/running", self.running, methods=get),
        ]
        return Starlette(routes=routes, middleware=[Middleware(FaultyTransport)])

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def telemetry(self, request: Request) -> Response:
        return protocol.success("Log Received")

    async def expire_sessions(self, request: Request) -> Response:
        """Every session answers 390112 until its client renews it."""
        return JSONResponse({"expired": self.engine.sessions.expire_all()})

    async def expire_results(self, request: Request) -> Response:
        """The results of all statements that have ended are gone, as they are after 24 hours."""
        return JSONResponse({"expired": self.engine.queries.expire_results()})

    async def faults(self, request: Request) -> Response:
        """GET the rules and how often each was used; POST a JSON list of rules that replaces them."""
        if request.method == "POST":
            try:
                FAULTS.set(await request.json())
            except (ValueError, TypeError, re.error) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(FAULTS.list())

    async def running(self, request: Request) -> Response:
        """The statements that run now: id, tag, text."""
        return JSONResponse(
            [{"id": q.id, "tag": q.tag, "sql": q.text} for q in self.engine.queries.running()]
        )

    # -- sessions

    async def login(self, request: Request) -> Response:
        data = (await protocol.read_json(request))["data"]
        query = request.query_params
        wanted = {
            "database": query.get("databaseName"),
            "schema": query.get("schemaName"),
            "warehouse": query.get("warehouse"),
            "role": query.get("roleName"),
        }
        user = data.get("LOGIN_NAME") or "UNKNOWN"
        client = f"{data.get('CLIENT_APP_ID', '')} {data.get('CLIENT_APP_VERSION', '')}".strip()
        parameters = data.get("SESSION_PARAMETERS") or {}
        session = self.engine.login(user, data.get("ACCOUNT_NAME") or "SANDBOX", client, wanted, parameters)
        return protocol.build_login(session)

    async def authenticator(self, request: Request) -> Response:
        return protocol.failure("390190", "The sandbox knows password and key pair authentication only.")

    def _session(self, request: Request) -> Session | Response:
        session = self.engine.sessions.find(protocol.token_of(request))
        if session is None:
            return protocol.failure(
                "390104", "Authorization token has expired. The user must authenticate again."
            )
        if session.expired:
            return protocol.failure("390112", "Your session has expired. Please login again.")
        return session

    async def renew(self, request: Request) -> Response:
        session = self.engine.sessions.renew(protocol.token_of(request))
        if session is None:
            return protocol.failure(
                "390114", "Authentication token has expired. The user must authenticate again."
            )
        data = {
            "sessionToken": session.token,
            "masterToken": session.master_token,
            "validityInSecondsST": 3600,
            "validityInSecondsMT": 14400,
            "sessionId": session.number,
        }
        return protocol.success(data)

    async def heartbeat(self, request: Request) -> Response:
        session = self._session(request)
        return session if isinstance(session, Response) else protocol.success()

    async def session(self, request: Request) -> Response:
        session = self._session(request)
        if isinstance(session, Response):
            return session
        if request.query_params.get("delete"):
            self.engine.sessions.close(session, self.engine.store)
        return protocol.success()

    # -- statements

    async def query(self, request: Request) -> Response:
        session = self._session(request)
        if isinstance(session, Response):
            return session
        body = await protocol.read_json(request)
        asynchronous = bool(body.get("asyncExec"))
        query = self.engine.start(
            session,
            body["sqlText"],
            request_id=request.query_params.get("requestId", ""),
            asynchronous=asynchronous,
            describe_only=bool(body.get("describeOnly")),
            bound=body.get("bindings"),
            parameters=body.get("parameters"),
        )
        if asynchronous:
            return protocol.build_running(query, asynchronous=True)
        return await self._answer(query)

    async def _answer(self, query: Query) -> Response:
        """The result, or after a while "still running"."""
        if not await _wait(query, PATIENCE_SECONDS):
            return protocol.build_running(query, asynchronous=False)
        return await run_in_threadpool(protocol.build_finished, query)

    async def result(self, request: Request) -> Response:
        session = self._session(request)
        if isinstance(session, Response):
            return session
        query = self.engine.queries.find(request.path_params["id"])
        if query is None:
            return protocol.build_error(
                errors.SnowflakeError(709, "02000", f"Statement {request.path_params['id']} not found")
            )
        return await self._answer(query)

    async def status(self, request: Request) -> Response:
        session = self._session(request)
        if isinstance(session, Response):
            return session
        return protocol.build_status(self.engine.queries.find(request.path_params["id"]))

    async def abort_request(self, request: Request) -> Response:
        session = self._session(request)
        if isinstance(session, Response):
            return session
        body = await protocol.read_json(request)
        return self._abort(self.engine.queries.by_request(str(body.get("requestId", ""))))

    async def abort_query(self, request: Request) -> Response:
        session = self._session(request)
        if isinstance(session, Response):
            return session
        return self._abort(self.engine.queries.find(request.path_params["id"]))

    @staticmethod
    def _abort(query: Query | None) -> Response:
        if query is None:
            return protocol.failure("000605", "Identified SQL statement is not currently executing.")
        if not query.cancel(errors.cancelled()):
            return protocol.failure("000605", "Identified SQL statement is not currently executing.")
        return protocol.success()


async def _wait(query: Query, seconds: float) -> bool:
    """Whether the statement ended in time; polls, so that a waiting request holds no thread."""
    pause = 0.001
    with anyio.move_on_after(seconds):
        while not query.done.is_set():
            await anyio.sleep(pause)
            pause = min(pause * 1.3, 0.05)
    return query.done.is_set()


def _never_500(endpoint: Endpoint) -> Any:
    """Drivers repeat HTTP 500 for minutes; any fault is a Snowflake error instead."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except errors.SnowflakeError as error:
            return protocol.build_error(error)
        except Exception as error:
            logger.exception("fault in %s", request.url.path)
            return protocol.build_error(errors.from_driver(error))

    return guarded
