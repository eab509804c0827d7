"""Addresses of consoles, for links. Names are escaped; nothing secret stands in them.

Sources: Snowflake, "Account identifiers" (app.snowflake.com/<organization>/<account>, or /<region>/<locator>); the S3
console's own addresses of a bucket's folder.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_PART = re.compile(r"[A-Za-z0-9_-]+")


def build_query_url(account: str | None, region: str | None, query_id: str) -> str | None:
    """A query in Snowsight; None where the account's address cannot be made of what the connection says.

    :param account: `organization-account`, `locator.region` or `locator.region.cloud`; with `region` also a bare locator.
    """
    name = (account or "").strip().removesuffix(".snowflakecomputing.com")
    locator, _, inside = name.partition(".")
    inside = inside or (region or "").strip()
    if inside:
        # Behind a locator stand region and cloud; Snowsight wants both where the account's identifier has both.
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
