"""The Airflow plugin of Snowmelt, for a provider that lies on the path without being installed.

An installed one is found by its entry point, and Airflow reports a plugin that it meets twice.
"""

from __future__ import annotations

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="snowmelt"):
    from snowmelt.web.plugin import SnowmeltPlugin

    __all__ = ["SnowmeltPlugin"]
