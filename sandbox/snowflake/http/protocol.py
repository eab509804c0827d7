"""What goes over HTTP: requests read, answers built, as Snowflake's drivers expect them."""

from __future__ import annotations

import gzip
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.snowflake.catalog import results
from sandbox.snowflake.catalog.queries import Query
from sandbox.snowflake.catalog.results import Result
from sandbox.snowflake.catalog.session import Session
from sandbox.snowflake.errors import SnowflakeError

#: Answered when a statement is still running; the client asks again at getResultUrl.
IN_PROGRESS = "333333"
IN_PROGRESS_ASYNC = "333334"
_STATUS_WITH_ERROR = {"ABORTED", "FAILED_WITH_ERROR"}


async def read_json(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body) if body else {}


def token_of(request: Request) -> str:
    """The token in `Authorization: Snowflake Token="…"`."""
    header = request.headers.get("Authorization", "")
    return header.split('"')[1] if '"' in header else ""


def success(data: Any = None, **more: Any) -> JSONResponse:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True, **more})


def failure(code: str, message: str, data: dict[str, Any] | None = None) -> JSONResponse:
    return JSONResponse({"data": data, "code": code, "message": message, "success": False})


def build_login(session: Session) -> JSONResponse:
    return success(
        {
            "token": session.token,
            "masterToken": session.master_token,
            "validityInSeconds": 3600,
            "masterValidityInSeconds": 14400,
            "displayUserName": session.user,
            "serverVersion": "10.0.0",
            "firstLogin": False,
            "sessionId": session.number,
            "parameters": _parameters(session),
            "sessionInfo": _context(session),
        }
    )


def _context(session: Session) -> dict[str, Any]:
    return {
        "databaseName": session.database,
        "schemaName": session.schema,
        "warehouseName": session.warehouse,
        "roleName": session.role,
    }


def _parameters(session: Session) -> list[dict[str, Any]]:
    values = session.parameters
    return [
        {"name": "AUTOCOMMIT", "value": values.flag("AUTOCOMMIT")},
        {"name": "TIMEZONE", "value": values["TIMEZONE"]},
        {"name": "CLIENT_SESSION_KEEP_ALIVE", "value": values.flag("CLIENT_SESSION_KEEP_ALIVE")},
        {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
        {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
        {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
        {"name": "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT", "value": "arrow"},
    ]


def build_running(query: Query, *, asynchronous: bool) -> JSONResponse:
    data = {"queryId": query.id, "getResultUrl": f"/queries/{query.id}/result", "queryAbortsAfterSecs": 0}
    code = IN_PROGRESS_ASYNC if asynchronous else IN_PROGRESS
    return JSONResponse(
        {"data": data, "code": code, "message": "Query execution in progress.", "success": True}
    )


def build_finished(query: Query) -> Response:
    """The answer to a statement that has ended; long for big results, so not for the event loop."""
    if query.error is not None:
        return build_error(query.error, query.id)
    if query.result is None:
        return build_error(
            SnowflakeError(710, "02000", f"Result for query {query.id} has expired."), query.id
        )
    session, result = query.session, query.result
    data = {
        "parameters": _parameters(session),
        "rowtype": results.rowtype(result.columns),
        "total": result.table.num_rows,
        "returned": result.table.num_rows,
        "queryId": query.id,
        "databaseProvider": None,
        "finalDatabaseName": session.database,
        "finalSchemaName": session.schema,
        "finalWarehouseName": session.warehouse,
        "finalRoleName": session.role,
        "numberOfBinds": 0,
        "statementTypeId": result.statement_type,
        "version": 1,
        **_rows(result),
    }
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def _rows(result: Result) -> dict[str, Any]:
    if result.statement_type == results.SELECT:
        return {"queryResultFormat": "arrow", "rowsetBase64": results.arrow_base64(result)}
    extra = (
        {"total": result.affected}
        if result.statement_type in results.DML and result.affected is not None
        else {}
    )
    return {"queryResultFormat": "json", "rowset": results.json_rows(result), **extra}


def build_error(error: SnowflakeError, query_id: str | None = None) -> JSONResponse:
    code = f"{error.errno:06d}"
    data = {
        "internalError": False,
        "errorCode": code,
        "sqlState": error.sqlstate,
        "queryId": query_id,
        "type": "COMPILATION" if error.message.startswith("SQL compilation") else "EXECUTION",
    }
    return failure(code, error.message, data)


def build_status(query: Query | None) -> JSONResponse:
    """GET /monitoring/queries/<id>."""
    if query is None:
        return success({"queries": []})
    found: dict[str, Any] = {
        "id": query.id,
        "status": query.status,
        "state": query.status,
        "sqlText": query.text,
        "startTime": round(query.started * 1000),
        "endTime": round((query.ended or 0) * 1000),
        "sessionId": query.session.number,
        "warehouseName": query.warehouse,
    }
    if query.error is not None and query.status in _STATUS_WITH_ERROR:
        found["errorCode"] = f"{query.error.errno:06d}"
        found["errorMessage"] = query.error.message
    return success({"queries": [found]})
