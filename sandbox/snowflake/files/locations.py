"""Where a statement's `@stage/path` or 's3://…' is, and whether its integration allows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.buckets import scheme_of, split_url
from sandbox.snowflake.catalog.catalog import Integration, Stage
from sandbox.snowflake.catalog.names import show, split_parts
from sandbox.snowflake.sql.statement import Statement

_PART = r'(?:"(?:[^"]|"")*"|[A-Za-z_][\w$]*)'
_STAGE = re.compile(rf"@({_PART}(?:\.{_PART})*)(?:/(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Location:
    """`prefix` is the whole key prefix; `base` the part of it that belongs to the stage's URL."""

    written: str
    bucket: str
    prefix: str
    base: str
    scheme: str
    stage: Stage | None = None
    acl: str = ""  # what each file that is written is given

    def url(self, key: str) -> str:
        return f"{self.scheme}://{self.bucket}/{key}"

    def relative(self, key: str) -> str:
        """A key below the stage's URL, as Snowflake names files."""
        return key[len(self.base) :] if key.startswith(self.base) else key


def resolve(statement: Statement, reference: str, integration: str | None = None) -> Location:
    """`reference` is what followed INTO, LIST, …, without its quotes."""
    if reference.startswith("@"):
        return _resolve_stage(statement, reference)
    if not reference.lower().startswith("s3"):
        raise errors.compilation(1026, "42601", f"invalid URL prefix found in: '{reference}'")
    bucket, prefix = split_url(reference)
    if integration is None:
        raise errors.compilation(
            1011,
            "42601",
            f"Location '{reference}' needs STORAGE_INTEGRATION (the sandbox takes no CREDENTIALS in SQL).",
        )
    used = statement.rights.require_integration(integration, "USAGE")
    check(used, reference)
    return Location(reference, bucket, prefix, "", scheme_of(reference), acl=used.object_acl)


def _resolve_stage(statement: Statement, reference: str) -> Location:
    if reference.startswith(("@~", "@%")):
        raise errors.NotImplementedHere("user and table stages")
    found = _STAGE.fullmatch(reference)
    if not found:
        raise errors.syntax(1, 0, reference[:20])
    name = statement.reader().place(split_parts(found[1]), "COPY")
    stage = statement.rights.require_stage(name, "USAGE")
    if not stage.url:
        raise errors.NotImplementedHere("internal stages")
    path = found[2] or ""
    bucket, key = split_url(stage.url)
    base = key if not key or key.endswith("/") else key + "/"
    acl = ""
    if stage.integration:
        integration = statement.store.catalog.integration(stage.integration)
        check(integration, stage.url)
        acl = integration.object_acl
    return Location(reference, bucket, base + path, base, scheme_of(stage.url), stage, acl)


def _below(url: str, location: str) -> bool:
    """Whether `url` is the location or is below it, path segment by path segment."""
    if location == "*":
        return True
    wanted = location if location.endswith("/") else location + "/"
    return (url if url.endswith("/") else url + "/").startswith(wanted)


def check(integration: Integration, url: str) -> None:
    """Raise Snowflake's error when the integration is off or does not cover the URL."""
    if not integration.enabled:
        raise errors.compilation(3128, "42601", f"Integration '{show(integration.name)}' is not enabled.")
    allowed = any(_below(url, place) for place in integration.allowed)
    if not allowed or any(_below(url, place) for place in integration.blocked):
        raise errors.compilation(
            3127,
            "42601",
            f"Location '{url}' is not allowed by integration '{show(integration.name)}'. "
            "Please use DESC INTEGRATION to check out allowed and blocked locations.",
        )
