"""A secret in the configuration file is refused, with the way to do it right, and is shown nowhere."""

from __future__ import annotations

import json

import pytest

from snowmelt.config.file import parse_config
from snowmelt.errors import ConfigurationError

# Made up, and shaped like the real thing.
LASTING = "AKIA" + "Z" * 12 + "7Q3X"
TEMPORARY = "ASIA" + "Z" * 12 + "7Q3X"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END"


def document(**top):
    return {
        "s3_staging": {"bucket": "staging"},
        "snowflake_unload": {"storage_integration": "S3"},
        "sources": [
            {
                "source_name": "a",
                "source_database": "D",
                "source_schema": "S",
                "tables": [{"source": "A"}, {"source": "B"}],
            }
        ],
    } | top


def refusal(faulty, environment=None):
    with pytest.raises(ConfigurationError) as raised:
        parse_config(json.dumps(faulty), environment or {})
    return raised.value


def test_an_access_key_by_name():
    error = refusal(
        document(s3_staging={"bucket": "staging", "aws_access_key_id": "x1", "aws_secret_access_key": "Wq9"})
    )
    advice = (
        "expected no secret here: this text is stored, shown and logged. Put it into the Airflow connection that "
        "connections.aws (aws_default) names, delete it here, and replace a key that was already shared."
    )
    assert error.faults == (
        f"s3_staging.aws_access_key_id: found a raw key or password (by the key's name); {advice}",
        f"s3_staging.aws_secret_access_key: found a raw key or password (by the key's name); {advice}",
    )
    assert "Wq9" not in str(error)


@pytest.mark.parametrize(
    "key",
    [
        "aws_access_key_id",
        "AWS_SECRET_ACCESS_KEY",
        "aws-session-token",
        "password",
        "Password",
        "private_key",
        "privateKey",
        "private_key_passphrase",
        "secret_key",
        "access_key",
        "token",
        "connection_string",
    ],
)
@pytest.mark.parametrize("section", ["s3_staging", "snowflake_unload", "connections"])
def test_every_name_of_a_secret_in_every_section(section, key):
    faulty = document()
    faulty[section] = faulty.get(section, {}) | {key: "hunter-two"}
    error = refusal(faulty)
    assert len(error.faults) == 1
    assert "a raw key or password" in error.faults[0]
    assert "hunter-two" not in str(error)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (LASTING, "what looks like an AWS access key (AKIA…)"),
        (f"key={LASTING}", "what looks like an AWS access key (AKIA…)"),
        (
            TEMPORARY,
            "what looks like a temporary AWS access key (ASIA…), which works only with its session token",
        ),
        (PEM, "what looks like a private key (PEM)"),
        ("postgresql://app:hunter-two@db/app", "an address with a password in it"),
        ("${AWS_SECRET_ACCESS_KEY}", "${AWS_SECRET_ACCESS_KEY}, which by its name is a secret"),
        ("${PG_PASSWORD:-}", "${PG_PASSWORD}, which by its name is a secret"),
    ],
)
@pytest.mark.parametrize(
    "place", [("s3_staging", "bucket"), ("connections", "aws"), ("snowflake_unload", "warehouse")]
)
def test_a_secret_by_its_looks(place, secret, reason):
    section, key = place
    faulty = document()
    faulty[section] = faulty.get(section, {}) | {key: secret}
    error = refusal(faulty, {"AWS_SECRET_ACCESS_KEY": "hunter-two"})
    assert len(error.faults) == 1
    assert error.faults[0].startswith(f"{section}.{key}: found {reason}; expected no secret here")
    assert "hunter-two" not in str(error)
    assert "7Q3X" not in str(error)
    assert "MIIE" not in str(error)


def test_a_secret_that_the_environment_brings_in():
    error = refusal(document(s3_staging={"bucket": "${BUCKET}"}), {"BUCKET": LASTING})
    assert error.faults[0].startswith("s3_staging.bucket: found what looks like an AWS access key (AKIA…);")
    assert "7Q3X" not in str(error)


def test_a_secret_used_as_a_key_is_not_shown_either():
    error = refusal(document(s3_staging={"bucket": "staging", LASTING: 1}))
    assert "what looks like an AWS access key" in str(error)
    assert "7Q3X" not in str(error)


def test_a_secret_in_one_table_breaks_that_table_alone():
    faulty = document()
    faulty["sources"][0]["tables"][1] |= {"password": "hunter-two", "source_filter": f"K = '{LASTING}'"}
    config = parse_config(json.dumps(faulty), {})
    assert [table.source_table for table in config.tables] == ["A"]
    (broken,) = config.broken
    assert [fault.split(";")[0] for fault in broken.faults] == [
        "sources[0].tables[1].password: found a raw key or password (by the key's name)",
        "sources[0].tables[1].source_filter: found what looks like an AWS access key (AKIA…)",
    ]
    assert "hunter-two" not in repr(config)
    assert "7Q3X" not in repr(config)


@pytest.mark.parametrize(
    "harmless", ["AKIAN", "ASIA", "FACT_ASIA_PACIFIC_SALES", "TOKENS", "PASSWORD_RESETS"]
)
def test_names_that_only_sound_like_secrets(harmless):
    harmless_document = document()
    harmless_document["sources"][0]["tables"] = [
        {"source": harmless, "columns": {"exclude": ["PASSWORD", "TOKEN"]}}
    ]
    assert parse_config(json.dumps(harmless_document), {}).broken == ()


def test_a_column_named_password_may_be_masked_or_renamed():
    rules = {
        "rename": {"PASSWORD": "password_hash"},
        "mask": {"TOKEN": {"expression": "SHA2(TOKEN)", "type": "VARCHAR(64)"}},
    }
    harmless_document = document()
    harmless_document["sources"][0]["tables"] = [{"source": "USERS", "columns": rules}]
    assert parse_config(json.dumps(harmless_document), {}).broken == ()
