"""Links into the consoles of Snowflake and AWS. A task stores the address once it knows it, so that it shows while it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCom
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey


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
