"""A small client of Snowflake's HTTP protocol: enough to run statements and read short answers.

sandbox/.venv has no connector for it: the 4.x series needs Airflow's environment, 5.x does not take a certificate
authority from the environment.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import uuid
from typing import Any
from urllib.parse import quote, urlencode

from sandbox.errors import SandboxError
from sandbox.state import State, read_ports, read_secrets

#: "Query in progress": the answer is to be asked for at another address.
IN_PROGRESS = {"333333", "333334"}
SECONDS = 600


class SnowflakeClient:
    """One session. `run` raises SandboxError with Snowflake's number and text where a statement fails."""

    def __init__(self, state: State) -> None:
        context = ssl.create_default_context(cafile=str(state.tls / "ca.pem"))
        self.connection = http.client.HTTPSConnection(
            "localhost", read_ports(state)["snowflake"], context=context, timeout=SECONDS
        )
        self.token: str | None = None
        login = {
            "CLIENT_APP_ID": "PythonConnector",
            "CLIENT_APP_VERSION": "4.8.0",
            "ACCOUNT_NAME": "sandbox",
            "LOGIN_NAME": "SNOWMELT",
            "PASSWORD": read_secrets(state)["snowflake"],
            "SESSION_PARAMETERS": {"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON", "TIMEZONE": "UTC"},
        }
        place = urlencode(
            {"warehouse": "SNOWMELT_WH", "roleName": "SNOWMELT_ROLE", "requestId": uuid.uuid4()}
        )
        self.token = self._post(f"/session/v1/login-request?{place}", {"data": login})["token"]

    def run(self, sql: str) -> list[list[Any]]:
        """The statement's rows, each a list."""
        data = self._post(
            f"/queries/v1/query-request?requestId={uuid.uuid4()}", {"sqlText": sql, "asyncExec": False}
        )
        if data.get("rowset") is not None:
            return list(data["rowset"])
        encoded = data.get("rowsetBase64")
        if not encoded:
            return []
        import pyarrow as pa

        table = pa.ipc.open_stream(base64.b64decode(encoded)).read_all()
        return [list(row.values()) for row in table.to_pylist()]

    def close(self) -> None:
        self._post(f"/session?delete=true&requestId={quote(str(uuid.uuid4()))}", {})
        self.connection.close()

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._request("POST", path, body)
        while str(answer.get("code")) in IN_PROGRESS:
            answer = self._request("GET", answer["data"]["getResultUrl"], None)
        if not answer.get("success"):
            raise SandboxError(f"Snowflake's stand-in refused: {answer.get('code')}: {answer.get('message')}")
        return answer.get("data") or {}

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f'Snowflake Token="{self.token}"'
        try:
            self.connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = self.connection.getresponse()
            text = response.read()
            answer = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SandboxError(
                f"Snowflake's stand-in did not answer {path.partition('?')[0]}: {error!r}"
            ) from None
        return answer if isinstance(answer, dict) else {}
