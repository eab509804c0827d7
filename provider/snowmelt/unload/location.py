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
    #: What a location without a stage begins with: s3, s3gov or s3china.
    scheme: str = "s3"

    def target(self, path: str) -> str:
        """`path` as the operand of COPY INTO."""
        if self.stage:
            return snowflake_literal(f"@{self.stage}/{self._below_base(path)}")
        return snowflake_literal(f"{self.scheme}://{self.bucket}/{self.key(path)}")

    def integration_clause(self) -> str:
        """The STORAGE_INTEGRATION option, or nothing with a stage, which has its own."""
        return "" if self.stage else f" STORAGE_INTEGRATION = {snowflake_identifier(self.integration)}"

    def key(self, path: str) -> str:
        """The S3 key of `path`: below the stage's URL, which the path may already begin with.

        So the stage, the integration and the IAM policies can be limited to the folders that all paths begin with.
        """
        return f"{self.base}{self._below_base(path)}"

    def _below_base(self, path: str) -> str:
        return path.removeprefix(self.base)

    @property
    def writable(self) -> bool:
        """Whether Snowflake can write here: a plan of an older load may name the bucket alone."""
        return bool(self.stage or self.integration)
