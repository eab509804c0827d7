"""Links from tasks to the consoles of Snowflake and AWS, and to the tab of their run.

Sources: Snowflake, "Account identifiers" (app.snowflake.com/<organization>/<account>, or /<region>/<locator>); the S3
console's own addresses of a bucket's folder.

Names in an address are escaped, and none is secret. A task stores the address once it knows it, so that it shows while it waits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import XCom
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

_PART = re.compile(r"[A-Za-z0-9_-]+")


def build_query_url(account: str | None, region: str | None, query_id: str) -> str | None:
    """A query in Snowsight; None where the account's address cannot be made of what the connection says.

    :param account: `organization-account`, `locator.region` or `locator.region.cloud`; with `region` also a bare locator.
    """
    name = (account or "").strip().removesuffix(".snowflakecomputing.com")
    locator, _, inside = name.partition(".")
    inside = inside or (region or "").strip()
    if inside:
        # A locator is followed by region and cloud; Snowsight wants both where the account's identifier has both.
        first, second = inside, locator
    elif "-" in locator:
        first, _, second = locator.partition("-")
    else:
        return None
    if not all(_PART.fullmatch(part) for part in (*first.split("."), second)) or not query_id:
        return None
    return f"https://app.snowflake.com/{first.lower()}/{second.lower()}/#/compute/history/queries/{quote(query_id, safe='')}/detail"


def build_s3_url(bucket: str, prefix: str, region: str | None = None) -> str:
    """A folder of a bucket in the AWS console."""
    place = region or ""
    if place.startswith("cn-"):
        host = "console.amazonaws.cn"
    elif place.startswith("us-gov-"):
        host = "console.amazonaws-us-gov.com"
    else:
        host = "console.aws.amazon.com"
    where = f"region={quote(place, safe='')}&" if place else ""
    return f"https://{host}/s3/buckets/{quote(bucket, safe='')}?{where}prefix={quote(prefix, safe='')}&showversions=false"


def build_tab_url(base: str, dag_id: str, run_id: str) -> str:
    """The tab `Migration` of a DAG run.

    :param base: Airflow's own address; empty: the link is relative to it.
    """
    path = f"/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}/plugin/migration"
    return f"{base.rstrip('/')}{path}"


class _StoredLink(BaseOperatorLink):
    """A link whose address the task has stored. No address, no link."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The stored address, or nothing."""
        return str(XCom.get_value(ti_key=ti_key, key=self.xcom_key) or "")


class SnowflakeQueryLink(_StoredLink):
    """The unload's query in Snowsight."""

    @property
    def name(self) -> str:
        """What the button says."""
        return "Query in Snowsight"

    @property
    def xcom_key(self) -> str:
        """Where the address is stored."""
        return "snowflake_query_link"


class S3FolderLink(_StoredLink):
    """The folder of the staged files in the AWS console."""

    @property
    def name(self) -> str:
        """What the button says."""
        return "Files in S3"

    @property
    def xcom_key(self) -> str:
        """Where the address is stored."""
        return "s3_folder_link"


def store_link(context: Context, link: BaseOperatorLink, address: str | None) -> None:
    """Store a link's address, if there is one."""
    ti: Any = context["ti"]
    if address and hasattr(ti, "xcom_push"):
        ti.xcom_push(key=link.xcom_key, value=address)


class MigrationLink(BaseOperatorLink):
    """The tab `Migration` of the task's run."""

    @property
    def name(self) -> str:
        """What the button says."""
        return "Migration"

    @property
    def xcom_key(self) -> str:
        """Where the address is stored."""
        return "migration_link"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The tab's address, below Airflow's own."""
        from snowmelt.airflow.versions import conf

        base = conf.get("api", "base_url", fallback="") or ""
        return build_tab_url(base, ti_key.dag_id, ti_key.run_id)
