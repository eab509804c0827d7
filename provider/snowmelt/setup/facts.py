"""What the configuration does not say and the files need: accounts, names of roles, and what only Snowflake can tell.

Writing the set-up's files into a folder, and never over what someone wrote by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from snowmelt.errors import ConfigurationError

#: Placeholders stand in the files where a fact is not given; a program that reads one refuses it, none takes it for a value.
AWS_ACCOUNT = "<AWS_ACCOUNT_ID>"
AWS_REGION = "<AWS_REGION>"
IAM_USER_ARN = "<STORAGE_AWS_IAM_USER_ARN>"
EXTERNAL_ID = "<STORAGE_AWS_EXTERNAL_ID>"
RSA_PUBLIC_KEY = "<RSA_PUBLIC_KEY>"
RDS_ARN = "<RDS_INSTANCE_OR_CLUSTER_ARN>"

_NAME = (r"[^\x00-\x1f\x7f\x85\u2028\u2029]+", "a name without control characters")

#: Name of a field → what it has to look like, and how that is said.
_SHAPES: dict[str, tuple[str, str]] = {
    "aws_account": (r"\d{12}", "12 digits"),
    "aws_region": (r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-west-1"),
    "iam_role": (r"[A-Za-z0-9_+=,.@-]{1,64}", "at most 64 letters, digits and _+=,.@-"),
    "rds_role": (r"[A-Za-z0-9_+=,.@-]{1,64}", "at most 64 letters, digits and _+=,.@-"),
    "iam_user_arn": (
        r"arn:aws[a-z-]*:iam::\d{12}:(user|role)/[^\s*]+",
        "an ARN such as arn:aws:iam::123456789012:user/abc1",
    ),
    "external_id": (r"[A-Za-z0-9_+=,.@:/-]{2,1224}", "2 to 1224 letters, digits and _+=,.@:/-"),
    "kms_key_arn": (
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+",
        "an ARN such as arn:aws:kms:eu-west-1:123456789012:key/…",
    ),
    "rds_arn": (
        r"arn:aws[a-z-]*:rds:[a-z0-9-]+:\d{12}:(db|cluster):[A-Za-z0-9-]+",
        "an ARN such as arn:aws:rds:eu-west-1:123456789012:db:mine",
    ),
    "rsa_public_key": (r"[A-Za-z0-9+/=]{200,}", "a public key's base64 text"),
}


@dataclass(frozen=True, slots=True)
class SetupFacts:
    """What is put into the files. None: a placeholder stands there."""

    #: 12 digits; the account of the bucket.
    aws_account: str | None = None
    #: Of the bucket.
    aws_region: str | None = None
    #: The IAM role that Snowflake takes to write.
    iam_role: str = "snowmelt-snowflake"
    #: The IAM role of the database instance, for aws_s3 alone.
    rds_role: str = "snowmelt-rds-import"
    #: Both as DESC INTEGRATION tells them, after snowflake.sql was run.
    iam_user_arn: str | None = None
    external_id: str | None = None
    #: The key that encrypts the bucket, where one of one's own does.
    kms_key_arn: str | None = None
    rds_arn: str | None = None
    #: In Snowflake; to the letter.
    snowflake_role: str = "SNOWMELT_ROLE"
    snowflake_user: str = "SNOWMELT"
    #: Where the configuration names none.
    warehouse: str = "SNOWMELT_WH"
    #: The public half alone, without its first and last line.
    rsa_public_key: str | None = None
    #: In PostgreSQL; to the letter.
    postgres_role: str = "snowmelt"

    def __post_init__(self) -> None:
        faults = []
        for field in fields(self):
            value = getattr(self, field.name)
            shape, said = _SHAPES.get(field.name, _NAME)
            if value is not None and not re.fullmatch(shape, value):
                faults.append(f"{field.name}: {value[:80]!r}; expected {said}.")
        if faults:
            raise ConfigurationError("These values cannot be put into the set-up files:", tuple(faults))

    @property
    def partition(self) -> str:
        """The first part of every ARN: other in China and in government regions."""
        region = self.aws_region or ""
        return (
            "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
        )

    def role_arn(self, role: str) -> str:
        """The ARN of an IAM role of the account."""
        return f"arn:{self.partition}:iam::{self.aws_account or AWS_ACCOUNT}:role/{role}"


def parse_public_key(pem: str) -> str:
    """The base64 text of a PEM file's public key, as RSA_PUBLIC_KEY takes it.

    :raises ConfigurationError: it is no public key; a private one is refused without being shown.
    """
    lines = [line.strip() for line in pem.strip().splitlines()]
    if any("PRIVATE KEY" in line for line in lines):
        raise ConfigurationError(
            "The file holds a private key. Give the public half: openssl rsa -in <private> -pubout -out <public>"
        )
    if len(lines) < 3 or lines[0] != "-----BEGIN PUBLIC KEY-----" or lines[-1] != "-----END PUBLIC KEY-----":  # noqa: PLR2004
        raise ConfigurationError(
            "The file holds no public key: expected -----BEGIN PUBLIC KEY----- in its first line. "
            "openssl rsa -in <private> -pubout makes one."
        )
    return "".join(lines[1:-1])


#: A template for secrets: readable by its owner alone from the start, since it will hold them.
_PRIVATE = "airflow-connections.env"


def write_setup(
    folder: Path, files: Mapping[str, str], *, earlier: Mapping[str, str], force: bool = False
) -> list[str]:
    """Write the files that are not there yet, or would change; all or none.

    :param earlier: file name → text that an earlier call may have written: such a file is replaced without `force`.
    :returns: the names of the files that were written.
    :raises ConfigurationError: a file holds something else, and `force` is not set; nothing was written. All of them are named.
    """
    present = {name: path.read_text(encoding="utf-8") for name in files if (path := folder / name).is_file()}
    changed = [name for name, text in files.items() if present.get(name) != text]
    kept = [name for name in changed if name in present and present[name] != earlier.get(name)]
    if kept and not force:
        raise ConfigurationError(
            f"{folder} holds files that were changed, or made from another configuration; nothing was written. "
            "Give --force to overwrite them, or another --output:",
            tuple(kept),
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        path = folder / name
        if name == _PRIVATE:
            path.touch(mode=0o600)
        path.write_text(files[name], encoding="utf-8")
    return changed
