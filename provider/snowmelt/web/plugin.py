"""The plugin that Airflow finds by the entry point `airflow.plugins`: the pages, and where the UI shows them."""

from __future__ import annotations

from functools import cache
from typing import Any

from snowmelt.airflow.versions import AirflowPlugin

URL_PREFIX = "/snowmelt"
NAME = "snowmelt"
#: The last part of a run's tab in Airflow's address: /dags/<dag>/runs/<run>/plugin/migration.
TAB = "migration"


@cache
def _application() -> Any:
    from snowmelt.web.app import build_application

    return build_application()


class SnowmeltPlugin(AirflowPlugin):
    """The page of all migrations, and the tab of each run."""

    name = NAME
    # Without a leading slash, so that they are found below Airflow's own path, whatever that is.
    external_views = [  # noqa: RUF012 - Airflow's own shape
        {
            "name": "Migrations",
            "href": "snowmelt/migrations",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": "migrations",
            "icon": "snowmelt/static/icon.svg",
            "icon_dark_mode": "snowmelt/static/icon-dark.svg",
        },
        {
            "name": "Migration",
            "href": "snowmelt/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": TAB,
            "icon": "snowmelt/static/icon.svg",
            "icon_dark_mode": "snowmelt/static/icon-dark.svg",
        },
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Built when the API server asks: tasks and scheduler load the plugin too, and have no use for it."""
        return [{"app": _application(), "url_prefix": URL_PREFIX, "name": "Snowmelt"}]
