"""Injected faults in the running stand-ins, and the state that a test puts back."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StandIns:
    """The addresses of the S3 and the Snowflake stand-in's own pages. Rules: sandbox/faults.py."""

    s3_url: str
    snowflake_url: str
    authority: str

    @contextmanager
    def s3(self, *rules: dict[str, Any]) -> Iterator[None]:
        yield from self._during(f"{self.s3_url}/sandbox/faults", rules)

    @contextmanager
    def snowflake(self, *rules: dict[str, Any]) -> Iterator[None]:
        yield from self._during(f"{self.snowflake_url}/sandbox/faults", rules)

    def s3_hits(self) -> list[int]:
        return [rule["hits"] for rule in self._ask(f"{self.s3_url}/sandbox/faults")]

    def snowflake_hits(self) -> list[int]:
        return [rule["hits"] for rule in self._ask(f"{self.snowflake_url}/sandbox/faults")]

    def clear(self) -> None:
        for url in (self.s3_url, self.snowflake_url):
            self._ask(f"{url}/sandbox/faults", [])

    def expire_sessions(self) -> None:
        self._ask(f"{self.snowflake_url}/sandbox/sessions/expire", {})

    def expire_results(self) -> None:
        self._ask(f"{self.snowflake_url}/sandbox/results/expire", {})

    def running_queries(self) -> list[dict[str, str]]:
        return self._ask(f"{self.snowflake_url}/sandbox/queries/running")

    def _during(self, url: str, rules: tuple[dict[str, Any], ...]) -> Iterator[None]:
        self._ask(url, list(rules))
        try:
            yield
        finally:
            self._ask(url, [])

    def _ask(self, url: str, body: Any = None) -> Any:
        context = ssl.create_default_context(cafile=self.authority)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        request = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
        with opener.open(request, timeout=30) as answer:
            return json.load(answer)


def stand_ins(env: dict[str, str]) -> StandIns:
    return StandIns(
        env["SNOWMELT_SANDBOX_S3_ENDPOINT"],
        f"https://localhost:{env['SNOWMELT_SANDBOX_SNOWFLAKE_PORT']}",
        env["SNOWMELT_SANDBOX_SNOWFLAKE_CA"],
    )
