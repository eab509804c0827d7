"""Where Snowflake writes the files of a run, and how that is found out."""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.sql.names import snowflake_identifier, snowflake_literal


@dataclass(frozen=True, slots=True)
class Location:
    """Where Snowflake writes: below an external stage, or by a storage integration straight into the bucket."""

    #: S3 bucket, and the key prefix of the stage's own URL ("" or "base/").
    bucket: str
    base: str
    #: Quoted name of the stage; empty when the integration is used directly.
    stage: str
    #: Name of the storage integration; only used without a stage.
    integration: str

    def target(self, path: str) -> str:
        """`path` (below the stage's URL) as the operand of COPY INTO."""
        if self.stage:
            return snowflake_literal(f"@{self.stage}/{path}")
        return snowflake_literal(f"s3://{self.bucket}/{self.base}{path}")

    def integration_clause(self) -> str:
        """The STORAGE_INTEGRATION option, or nothing with a stage, which has its own."""
        return "" if self.stage else f" STORAGE_INTEGRATION = {snowflake_identifier(self.integration)}"

    def key(self, path: str) -> str:
        """The S3 key of `path`."""
        return f"{self.base}{path}"

    @property
    def writable(self) -> bool:
        """Whether Snowflake can write here: a plan of an older load may name the bucket alone."""
        return bool(self.stage or self.integration)
