"""A ledger that does not answer stops neither the pages nor Airflow's API: many requests of one viewer, and the API's own beside them."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.proxy import proxy_to
from tests.web.conftest import RUN, fill, serve

ANSWERED = 8.0
VIEWERS = 40


@pytest.fixture(scope="module")
def proxied(sandbox):
    """A site whose ledger is behind a proxy."""
    fill(sandbox.create_database("web_silent"))
    server = json.loads(sandbox.env["AIRFLOW_CONN_POSTGRES_DEFAULT"])
    with (
        proxy_to(server["host"], int(server["port"])) as proxy,
        serve(sandbox, "web_silent", [], host="127.0.0.1", port=proxy.port) as site,
    ):
        yield site, proxy
    sandbox.drop_database("web_silent")


def ask(site, path, **query):
    began = time.monotonic()
    answer = site.get(path, **query)
    return time.monotonic() - began, answer


def threads_of(site):
    return len(list(Path(f"/proc/{site.pid}/task").iterdir()))


@pytest.mark.parametrize("frozen_after", [0, 400], ids=["before the login", "after the login"])
def test_every_page_is_answered_in_time_and_the_api_goes_on(proxied, frozen_after):
    site, proxy = proxied
    proxy.freeze_after = None
    # Whatever this API server needs for so many requests at once, it has by now.
    with ThreadPoolExecutor(VIEWERS) as viewers:
        assert {
            answer.status
            for _, answer in viewers.map(lambda _: ask(site, "/snowmelt/migrations"), range(VIEWERS))
        } == {200}
    threads = threads_of(site)
    proxy.freeze_after = frozen_after
    with ThreadPoolExecutor(VIEWERS) as viewers, ThreadPoolExecutor(1) as api:
        pages = [viewers.submit(ask, site, *page) for page in [("/snowmelt/migrations",)] * 150] + [
            viewers.submit(ask, site, "/snowmelt/run", dag_id="migrate_table", run_id=RUN) for _ in range(30)
        ]
        own = [api.submit(ask, site, "/api/v2/monitor/health").result() for _ in range(20)]
        answers = [page.result() for page in pages]
    assert max(seconds for seconds, _ in own) < ANSWERED
    assert {answer.status for _, answer in own} == {200}
    assert max(seconds for seconds, _ in answers) < ANSWERED
    assert {answer.status for _, answer in answers} <= {200, 503}
    shown = [answer.text for _, answer in answers if answer.status == 200]
    assert shown
    assert all("cannot be read" in text for text in shown), shown
    assert threads_of(site) <= threads + 4
    proxy.freeze_after = None
    end = time.monotonic() + 30
    while "hostile" not in (
        text := ask(site, "/snowmelt/run.json", dag_id="migrate_table", run_id=RUN)[1].text
    ):
        assert time.monotonic() < end, text
        time.sleep(0.5)
