"""`airflow snowmelt setup-sql`."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from snowmelt.cli.configuration import read_configuration
from snowmelt.errors import ConfigurationError
from snowmelt.setup.facts import SetupFacts, parse_public_key, parse_source_kinds, write_setup
from snowmelt.setup.files import build_setup

#: Field of SetupFacts → option.
_OPTIONS = {
    "aws_account": "aws_account",
    "bucket_account": "bucket_account",
    "aws_region": "aws_region",
    "iam_role": "iam_role",
    "rds_role": "rds_role",
    "rds_arn": "rds_arn",
    "kms_key_arn": "kms_key_arn",
    "snowflake_role": "snowflake_role",
    "snowflake_user": "snowflake_user",
    "warehouse": "warehouse",
    "postgres_role": "postgres_role",
    "iam_user_arn": "storage_aws_iam_user_arn",
    "external_id": "storage_aws_external_id",
}
#: What only Snowflake knows, for the second call.
_LATER = ("iam_user_arn", "external_id")
_NOT_REPEATED = {_OPTIONS[name] for name in _LATER}


def run_setup_sql(arguments: argparse.Namespace) -> None:
    """Write the files, or print them; exits with 1 and the faults when it cannot."""
    try:
        config = read_configuration(arguments.config)
        given = {field: getattr(arguments, option) for field, option in _OPTIONS.items()}
        facts = SetupFacts(
            **{field: value for field, value in given.items() if value is not None},
            source_kinds=parse_source_kinds(arguments.source_kind or ()),
            future_grants=arguments.future_grants,
        )
        if arguments.rsa_public_key_file:
            pem = Path(arguments.rsa_public_key_file).read_text(encoding="utf-8")
            facts = replace(facts, rsa_public_key=parse_public_key(pem))
        command = _command(arguments)
        files = build_setup(config, facts, command=command)
        if arguments.stdout:
            sys.stdout.write("\n".join(f"==> {name} <==\n{text}" for name, text in files.items()))
            return
        first = replace(facts, iam_user_arn=None, external_id=None)
        replaceable = build_setup(config, first, command=command)
        written = write_setup(Path(arguments.output), files, replaceable=replaceable, force=arguments.force)
    except (ConfigurationError, OSError) as error:
        raise SystemExit(str(error)) from error
    for table in config.broken:
        sys.stderr.write(f"Left out, since it is broken: {table.path}\n")
    sys.stdout.write(
        "".join(f"{Path(arguments.output) / name}\n" for name in written) or "Nothing has changed.\n"
    )
    sys.stdout.write(f"Go on with {Path(arguments.output) / 'STEPS.md'}\n")


def _command(arguments: argparse.Namespace) -> str:
    """The call, without what the second one adds."""
    parts = ["airflow", "snowmelt", "setup-sql", "--output", arguments.output]
    if arguments.config is not None:
        parts += ["--config", arguments.config]
    for option in (*_OPTIONS.values(), "rsa_public_key_file"):
        value = getattr(arguments, option)
        if value is not None and option not in _NOT_REPEATED:
            parts += [f"--{option.replace('_', '-')}", value]
    for kind in arguments.source_kind or ():
        parts += ["--source-kind", kind]
    if arguments.future_grants:
        parts.append("--future-grants")
    return shlex.join(parts)
