"""Storage integrations: CREATE, ALTER, DROP, DESC, SHOW, SYSTEM$VALIDATE_STORAGE_INTEGRATION."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.buckets import PROVIDERS, scheme_of, split_url
from sandbox.snowflake.catalog.catalog import Integration
from sandbox.snowflake.catalog.information_schema import moment
from sandbox.snowflake.catalog.names import show
from sandbox.snowflake.catalog.results import DESCRIBE, SHOW, SUCCESS, Result, rows_result, status_result
from sandbox.snowflake.catalog.rights import OWNERSHIP
from sandbox.snowflake.files.locations import check
from sandbox.snowflake.rewriting.scanner import as_flag
from sandbox.snowflake.sql.listing import like_filter
from sandbox.snowflake.sql.statement import Statement

_T = sftypes.TEXT
_PROPERTIES = ("property", "property_type", "property_value", "property_default")


def _locations(value: Any) -> list[str]:
    return [str(v) for v in (value if isinstance(value, list) else [value])]


def _apply(integration: Integration, options: dict[str, Any]) -> None:
    for key, value in options.items():
        match key:
            case "ENABLED":
                integration.enabled = as_flag(value, key)
            case "STORAGE_ALLOWED_LOCATIONS":
                integration.allowed = _locations(value)
            case "STORAGE_BLOCKED_LOCATIONS":
                integration.blocked = _locations(value)
            case "STORAGE_AWS_ROLE_ARN":
                integration.role_arn = str(value)
            case "STORAGE_AWS_EXTERNAL_ID":
                integration.external_id = str(value)
            case "COMMENT":
                integration.comment = str(value)
            case "STORAGE_PROVIDER":
                integration.provider = str(value).upper()
                if integration.provider not in PROVIDERS:
                    raise _invalid(key, value)
            case "STORAGE_AWS_OBJECT_ACL":
                integration.object_acl = str(value)
                if value != "bucket-owner-full-control":
                    raise _invalid(key, value)
            case "TYPE" | "USE_PRIVATELINK_ENDPOINT":
                pass
            case _:
                raise errors.compilation(1002, "42601", f"invalid property '{key}' for 'INTEGRATION'")
    scheme, _ = PROVIDERS[integration.provider]
    for location in (*integration.allowed, *integration.blocked):
        if location != "*" and scheme_of(location) != scheme:
            raise errors.compilation(1026, "42601", f"invalid URL prefix found in: '{location}'")


def _invalid(key: str, value: Any) -> errors.SnowflakeError:
    return errors.compilation(1008, "22023", f"invalid value [{value}] for parameter '{key}'")


def create(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    scanner.expect("STORAGE", "INTEGRATION")
    unless = scanner.accept("IF", "NOT", "EXISTS")
    name = scanner.identifier()
    options = scanner.options()
    catalog = statement.store.catalog
    statement.rights.require_account("CREATE INTEGRATION")
    with catalog.lock:
        if name in catalog.integrations and not replace:
            if unless:
                return status_result(f"{show(name)} already exists, statement succeeded.")
            raise errors.compilation(2002, "42710", f"Object '{show(name)}' already exists.")
        for needed in ("TYPE", "ENABLED", "STORAGE_PROVIDER", "STORAGE_ALLOWED_LOCATIONS"):
            if needed not in options:
                raise errors.compilation(2029, "42601", f"Missing option(s): [{needed}]")
        made = Integration(
            name, enabled=True, allowed=[], created=time.time(), external_id=f"SANDBOX_{uuid.uuid4().hex[:8]}"
        )
        _apply(made, options)
        statement.rights.settle(made)
        catalog.integrations[name] = made
    statement.store.save()
    return status_result(f"Integration {show(name)} successfully created.")


def alter(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("ALTER")
    scanner.accept("STORAGE")
    scanner.expect("INTEGRATION")
    if_exists = scanner.accept("IF", "EXISTS")
    name = scanner.identifier()
    catalog = statement.store.catalog
    if if_exists and name not in catalog.integrations:
        return status_result(SUCCESS)
    integration = statement.rights.require_integration(name, OWNERSHIP)
    if scanner.accept("SET"):
        _apply(integration, scanner.options())
    else:
        scanner.expect("UNSET")
        while not scanner.done:
            match scanner.identifier():
                case "STORAGE_BLOCKED_LOCATIONS":
                    integration.blocked = []
                case "STORAGE_AWS_OBJECT_ACL":
                    integration.object_acl = ""
                case "COMMENT":
                    integration.comment = ""
                case "ENABLED":
                    integration.enabled = False
                case _:
                    raise scanner.unexpected()
            scanner.accept(",")
    statement.store.save()
    return status_result(SUCCESS)


def drop(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("DROP")
    scanner.accept("STORAGE")
    scanner.expect("INTEGRATION")
    if_exists = scanner.accept("IF", "EXISTS")
    name = scanner.identifier()
    catalog = statement.store.catalog
    if name not in catalog.integrations and if_exists:
        return status_result("Drop statement executed successfully (object already dropped).")
    statement.rights.require_integration(name, OWNERSHIP)
    del catalog.integrations[name]
    statement.store.save()
    return status_result(f"{show(name)} successfully dropped.")


def describe(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.next()
    scanner.accept("STORAGE")
    scanner.expect("INTEGRATION")
    found = statement.rights.require_integration(scanner.identifier(), "USAGE")
    rows = [
        ("ENABLED", "Boolean", str(found.enabled).lower(), "false"),
        ("STORAGE_PROVIDER", "String", found.provider, ""),
        ("STORAGE_ALLOWED_LOCATIONS", "List", ",".join(found.allowed), "[]"),
        ("STORAGE_BLOCKED_LOCATIONS", "List", ",".join(found.blocked), "[]"),
        ("STORAGE_AWS_IAM_USER_ARN", "String", f"arn:{PROVIDERS[found.provider][1]}:iam::000000000000:user/sandbox-snowflake", ""),
        ("STORAGE_AWS_ROLE_ARN", "String", found.role_arn, ""),
        ("STORAGE_AWS_EXTERNAL_ID", "String", found.external_id, ""),
        *([("STORAGE_AWS_OBJECT_ACL", "String", found.object_acl, "")] if found.object_acl else []),
        ("COMMENT", "String", found.comment, ""),
    ]  # fmt: skip
    return rows_result([(n, _T) for n in _PROPERTIES], rows, DESCRIBE)


def show_all(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW")
    scanner.accept("STORAGE")
    scanner.expect("INTEGRATIONS")
    like = like_filter(scanner)
    rows = [
        (i.name, "EXTERNAL_STAGE", "STORAGE", str(i.enabled).lower(), i.comment, moment(i.created))
        for i in statement.store.catalog.integrations.values()
        if like(i.name) and statement.rights.sees(i)
    ]
    columns = [(n, _T) for n in ("name", "type", "category", "enabled", "comment")]
    return rows_result([*columns, ("created_on", sftypes.LTZ)], rows, SHOW)


def answer_validations(statement: Statement, tree: exp.Expression) -> None:
    """Put the answer in the place of each call of SYSTEM$VALIDATE_STORAGE_INTEGRATION."""
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.upper() == "SYSTEM$VALIDATE_STORAGE_INTEGRATION":
            call.replace(exp.Literal.string(validate(statement, *(a.name for a in call.expressions))))


def validate(statement: Statement, name: str, path: str, file: str, action: str) -> str:
    """SYSTEM$VALIDATE_STORAGE_INTEGRATION: tries the action with the account's own rights; JSON text."""
    exact = name.upper() if not name.startswith('"') else name[1:-1]
    integration = statement.rights.require_integration(exact, "USAGE")
    check(integration, path)
    bucket, prefix = split_url(path)
    key = (prefix if prefix.endswith("/") or not prefix else prefix + "/") + file
    objects = statement.objects
    actions = {
        "read": lambda: objects.read(bucket, key),
        "write": lambda: objects.put(b"validation", bucket, key, integration.object_acl),
        "list": lambda: objects.exists(bucket, prefix),
        "delete": lambda: objects.delete(bucket, key),
    }
    wanted = ["write", "read", "list", "delete"] if action.lower() == "all" else [action.lower()]
    if any(w not in actions for w in wanted):
        raise errors.compilation(1008, "22023", f"invalid value [{action}] for parameter 'test_type'")
    outcome: dict[str, dict[str, str]] = {}
    for kind in wanted:
        try:
            actions[kind]()
        except errors.SnowflakeError as error:
            outcome[kind.upper()] = {"status": "failure", "message": error.message}
        else:
            outcome[kind.upper()] = {"status": "success"}
    failed = any(o["status"] == "failure" for o in outcome.values())
    ordered = {k: outcome[k] for k in ("READ", "DELETE", "LIST", "WRITE") if k in outcome}
    message = (
        "Some of the integration checks failed. Check the SUBACTION entries for details." if failed else "OK"
    )
    return json.dumps({"status": "failure" if failed else "success", "message": message, "actions": ordered})
