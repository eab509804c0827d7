"""Databases that speak PostgreSQL's protocol and are not PostgreSQL: what each says when somebody connects."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from snowmelt.drivers.postgres import refuse_other_servers
from snowmelt.errors import ConfigurationError


@dataclass(frozen=True)
class Told:
    """What a server reports at the start of a session, as psycopg shows it."""

    server_version: int
    reported: dict[str, str] = field(default_factory=dict)

    def parameter_status(self, name: str) -> str | None:
        return self.reported.get(name)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (
            Told(130000, {"server_version": "13.0.0", "crdb_version": "CockroachDB CCL v25.2.1"}),
            "CockroachDB",
        ),
        (Told(150012, {"server_version": "15.12-YB-2025.1.0.0-b0"}), "YugabyteDB"),
        (Told(80002, {"server_version": "8.0.2"}), r"PostgreSQL 8\.0\.2"),
        (Told(130023, {"server_version": "13.23"}), r"PostgreSQL 13\.23"),
    ],
)
def test_another_database_is_refused_by_name(told, name):
    with pytest.raises(ConfigurationError, match=rf"Connecting: The server is {name}.*14 to 18"):
        refuse_other_servers(told, "Connecting")


@pytest.mark.parametrize("version", ["14.0", "17.5 (Ubuntu 17.5-1.pgdg24.04+1)", "18.1"])
def test_postgresql_passes(version):
    refuse_other_servers(Told(int(version[:2]) * 10000, {"server_version": version}), "Connecting")
