"""The tables that runs publish, as Airflow assets: other DAGs can be scheduled on them."""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias

#: Every publish adds its table's asset to this alias; a DAG scheduled on the alias runs after each of them.
PUBLISHED = AssetAlias("snowmelt")


def published_table(schema: str, table: str, postgres_conn_id: str = "postgres_default") -> Asset:
    """The asset of a table; its events carry rows_before, rows_after, inserted, updated, deleted, run_id and snapshot.

    `snowmelt://<connection>/<schema>/<table>`, names percent-encoded; a DAG with `schedule=[published_table("public", "visits")]`
    runs after each publish.

    :param schema: as PostgreSQL stores it, as the next.
    """
    parts = "/".join(quote(part, safe="") for part in (postgres_conn_id, schema, table))
    return Asset(name=f"{schema}.{table} ({postgres_conn_id})"[:1500], uri=f"snowmelt://{parts}"[:1500])
