"""Pages are answered by a few threads of their own and within a few seconds, whatever a database does.

A route that is a plain function takes one of the 40 threads that Airflow's whole API shares. A ledger that accepts connections and never
answers would keep it, and some dozens of requests of one viewer would stop the API and its health checks.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from airflow.utils.session import create_session
from fastapi import HTTPException, Response

#: Pages that are made at one time; others wait for their turn without a thread.
THREADS = 4
#: Seconds until a page is answered, with an error where it is not made by then.
SECONDS = 6.0
#: Seconds after which a browser may ask again.
_RETRY_AFTER = 10

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="snowmelt-page")


def bounded(page: Callable[..., Response]) -> Callable[..., Awaitable[Response]]:
    """A page as a route: made in one of the pages' threads, with a session of Airflow's database opened there as `session`.

    :param page: takes `session`, and what FastAPI finds for its other parameters.
    """
    signature = inspect.signature(page, eval_str=True)

    def make(asked: dict[str, Any]) -> Response:
        with create_session(scoped=False) as session:
            return page(session=session, **asked)

    async def answer(**asked: Any) -> Response:
        work = asyncio.wrap_future(_threads.submit(make, asked))
        try:
            return await asyncio.wait_for(work, SECONDS)
        except TimeoutError:
            raise HTTPException(
                503,
                "The ledger's database, or Airflow's own, did not answer in time. The page may be asked again in a few seconds.",
                headers={"Retry-After": str(_RETRY_AFTER)},
            ) from None

    shown = [parameter for name, parameter in signature.parameters.items() if name != "session"]
    answer.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]  # FastAPI reads it
    return answer
