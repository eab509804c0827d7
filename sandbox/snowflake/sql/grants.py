"""Roles, users, GRANT, REVOKE and SHOW GRANTS.

docs.snowflake.com/en/sql-reference/sql/grant-privilege, …/grant-role, …/revoke-privilege, …/show-grants, …/create-role, …/create-user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import rights
from sandbox.snowflake.catalog.catalog import Grants, User
from sandbox.snowflake.catalog.names import ObjectName, show
from sandbox.snowflake.catalog.results import SHOW, SUCCESS, Result, rows_result, status_result
from sandbox.snowflake.catalog.rights import IMPORTED, OWNERSHIP, PRIVILEGES
from sandbox.snowflake.catalog.sftypes import LTZ
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.sql.listing import texts
from sandbox.snowflake.sql.statement import Statement

_DROPPED = "Drop statement executed successfully (object already dropped)."


# -- roles and users


def _made(statement: Statement, kind: str, known: Any) -> tuple[str, bool, Scanner]:
    """CREATE [OR REPLACE] kind [IF NOT EXISTS] name: the name, and whether there is nothing to do."""
    scanner = statement.scanner()
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    scanner.expect(kind)
    unless = scanner.accept("IF", "NOT", "EXISTS")
    name = scanner.identifier()
    statement.rights.require_account(f"CREATE {kind}")
    if name in known and not replace and not unless:
        raise errors.already_exists(show(name))
    return name, name in known and unless, scanner


def create_role(statement: Statement) -> Result:
    catalog = statement.store.catalog
    name, there, _ = _made(statement, "ROLE", catalog.roles)
    if there:
        return status_result(f"{show(name)} already exists, statement succeeded.")
    _forget_role(statement, name)
    catalog.roles.append(name)
    statement.store.save()
    return status_result(f"Role {show(name)} successfully created.")


def create_user(statement: Statement) -> Result:
    catalog = statement.store.catalog
    name, there, scanner = _made(statement, "USER", catalog.users)
    if there:
        return status_result(f"{show(name)} already exists, statement succeeded.")
    options = scanner.options()
    made = User(name)
    made.default_role = _exact(options.get("DEFAULT_ROLE", ""))
    made.default_warehouse = _exact(options.get("DEFAULT_WAREHOUSE", ""))
    catalog.users[name] = made
    statement.store.save()
    return status_result(f"User {show(name)} successfully created.")


def _exact(name: Any) -> str:
    text = str(name)
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.upper()


def _forget_role(statement: Statement, name: str) -> None:
    """A role that is dropped takes its grants with it."""
    catalog = statement.store.catalog
    catalog.roles = [role for role in catalog.roles if role != name]
    catalog.role_members.pop(name, None)
    for members in catalog.role_members.values():
        members[:] = [role for role in members if role != name]
    for user in catalog.users.values():
        user.roles = [role for role in user.roles if role != name]
    for _, _, grants in rights.grantables(catalog):
        grants.pop(name, None)


def drop(statement: Statement) -> Result:
    """DROP ROLE and DROP USER."""
    scanner = statement.scanner()
    scanner.expect("DROP")
    kind = scanner.next().text.upper()
    if_exists = scanner.accept("IF", "EXISTS")
    name = scanner.identifier()
    catalog = statement.store.catalog
    statement.rights.require_account(f"CREATE {kind}")
    if name not in (catalog.roles if kind == "ROLE" else catalog.users):
        if if_exists:
            return status_result(_DROPPED)
        raise errors.missing(kind.capitalize(), show(name))
    if kind == "ROLE":
        _forget_role(statement, name)
    else:
        del catalog.users[name]
    statement.store.save()
    return status_result(f"{show(name)} successfully dropped.")


def use_role(statement: Statement, role: str) -> None:
    """An administrator takes any role, and one that nobody made comes into being."""
    if not statement.rights.may_take(role):
        if role not in statement.store.catalog.roles:
            raise errors.not_there()
        raise errors.role_not_granted(show(role))
    statement.session.role = role
    statement.store.catalog.know_role(role)


def use_secondary_roles(statement: Statement, scanner: Scanner) -> None:
    word = scanner.next().text.upper()
    if word not in {"ALL", "NONE"}:
        raise errors.NotImplementedHere("USE SECONDARY ROLES with a list")
    statement.session.secondary_roles = word == "ALL"


# -- GRANT and REVOKE


@dataclass(frozen=True, slots=True)
class _Target:
    """Objects of one kind: their names and grants."""

    kind: str
    found: tuple[tuple[str, Any, Grants], ...]


def grant(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("GRANT")
    if scanner.looking_at("ROLE"):
        return _grant_role(statement, scanner, revoke=False)
    privileges = _privileges(scanner)
    targets = _targets(statement, scanner, privileges)
    scanner.expect("TO")
    role = _role(statement, scanner)
    copy = True
    if scanner.accept("WITH", "GRANT", "OPTION"):
        raise errors.NotImplementedHere("WITH GRANT OPTION")
    for word in ("COPY", "REVOKE"):
        if OWNERSHIP in privileges and scanner.accept(word, "CURRENT", "GRANTS"):
            copy = word == "COPY"
    scanner.end()
    for target in targets:
        for name, found, grants in target.found:
            _may_grant(statement, target.kind, name, found)
            if OWNERSHIP in privileges:
                for other, held in list(grants.items()):
                    rights.remove(grants, other, [OWNERSHIP] if copy else list(held))
            rights.add(grants, role, _meant(privileges, target.kind))
    statement.store.save()
    return status_result(SUCCESS)


def revoke(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("REVOKE")
    if scanner.looking_at("ROLE"):
        return _grant_role(statement, scanner, revoke=True)
    if scanner.accept("GRANT", "OPTION", "FOR"):
        raise errors.NotImplementedHere("REVOKE GRANT OPTION FOR")
    privileges = _privileges(scanner)
    targets = _targets(statement, scanner, privileges)
    scanner.expect("FROM")
    role = _role(statement, scanner)
    scanner.accept("RESTRICT") or scanner.accept("CASCADE")
    scanner.end()
    for target in targets:
        for name, found, grants in target.found:
            _may_grant(statement, target.kind, name, found)
            rights.remove(grants, role, _meant(privileges, target.kind))
    statement.store.save()
    return status_result(SUCCESS)


def _privileges(scanner: Scanner) -> list[str]:
    """`SELECT, IMPORTED PRIVILEGES ON`; ALL [PRIVILEGES] is `ALL`."""
    found, words = [], []
    while not scanner.accept("ON"):
        token = scanner.next()
        if token.kind != "word" and token.text != ",":
            scanner.at -= 1
            raise scanner.unexpected()
        if token.text == ",":
            found.append(" ".join(words))
            words = []
        else:
            words.append(token.text.upper())
    found.append(" ".join(words))
    return ["ALL" if p == "ALL PRIVILEGES" else p for p in found]


def _meant(privileges: list[str], kind: str) -> list[str]:
    known = PRIVILEGES[kind]
    if privileges == ["ALL"]:
        return [p for p in known if p not in {OWNERSHIP, IMPORTED}]
    for privilege in privileges:
        if privilege not in known:
            text = f"Invalid privilege '{privilege}' for securable of type '{kind}'."
            raise errors.SnowflakeError(3008, "42501", f"SQL access control error:\n{text}")
    return privileges


def _kind(scanner: Scanner, *, plural: bool) -> str:
    for kind in sorted(PRIVILEGES, key=len, reverse=True):
        words = kind.replace("POLICY", "POLICIE").split() if plural else kind.split()
        if plural:
            words[-1] += "S"
        if scanner.accept(*words):
            return kind
    raise scanner.unexpected()


def _targets(statement: Statement, scanner: Scanner, privileges: list[str]) -> list[_Target]:
    catalog = statement.store.catalog
    if scanner.accept("ACCOUNT"):
        return [_Target("ACCOUNT", ((statement.session.account, None, catalog.grants),))]
    future = scanner.accept("FUTURE")
    if future or scanner.accept("ALL"):
        kind = _kind(scanner, plural=True)
        scanner.expect("IN")
        return [_target_of_all(statement, scanner, kind, future=future)]
    if scanner.accept("STORAGE", "INTEGRATION"):
        kind = "INTEGRATION"
    else:
        kind = _kind(scanner, plural=False)
    name, found = _find(statement, kind, scanner.name())
    if kind == "DATABASE" and found.imported and privileges != [IMPORTED]:
        text = "Granting individual privileges on imported database is not allowed. Use 'GRANT IMPORTED PRIVILEGES' instead."
        raise errors.SnowflakeError(3011, "42501", f"SQL access control error:\n{text}")
    return [_Target(kind, ((name, found, found.grants),))]


def _target_of_all(statement: Statement, scanner: Scanner, kind: str, *, future: bool) -> _Target:
    catalog = statement.store.catalog
    within = "SCHEMA" if scanner.accept("SCHEMA") else "DATABASE"
    if within == "DATABASE":
        scanner.expect("DATABASE")
    name, holder = _find(statement, within, scanner.name())
    if future:
        return _Target(kind, ((name, holder, holder.future.setdefault(kind, {})),))
    found = [
        (full, None, grants)
        for kind_, full, grants in rights.grantables(catalog)
        if kind_ == kind and full.startswith(f"{name}.")
    ]
    return _Target(kind, tuple(found))


def _find(statement: Statement, kind: str, parts: list[str]) -> tuple[str, Any]:
    """An object by the kind that GRANT calls it by: its full name and itself."""
    catalog, reader = statement.store.catalog, statement.reader()
    if kind == "WAREHOUSE":
        found: Any = catalog.warehouses.get(parts[0])
        if found is None:
            raise errors.missing("Warehouse", show(parts[0]))
        return show(parts[0]), found
    if kind == "INTEGRATION":
        return show(parts[0]), catalog.integration(parts[0])
    if kind == "DATABASE":
        return show(parts[0]), catalog.database(parts[0])
    if kind == "SCHEMA":
        database, schema = reader.place([*parts, ""]).database, parts[-1]
        return f"{show(database)}.{show(schema)}", catalog.schema(database, schema)
    name = reader.place(parts, "GRANT")
    if kind == "STAGE":
        return str(name), catalog.stage(name)
    if kind == "FILE FORMAT":
        form = catalog.schema(name.database, name.schema).file_formats.get(name.name)
        if form is None:
            raise errors.missing("File format", str(name))
        return str(name), form
    if kind == "TAG":
        return str(name), catalog.tag(name)
    if kind.endswith("POLICY"):
        return str(name), catalog.policy(name)
    return str(name), _table(statement, kind, name)


def _table(statement: Statement, kind: str, name: ObjectName) -> Any:
    found = statement.store.catalog.find_table(name)
    if found is None:
        statement.store.catalog.schema(name.database, name.schema)
        raise errors.missing(kind.capitalize(), str(name))
    if found.granted_as != kind:
        text = f"Object found is of type '{found.granted_as}', not specified type '{kind}'."
        raise errors.compilation(2203, "42601", text)
    return found


def _may_grant(statement: Statement, kind: str, name: str, found: Any) -> None:
    """The owner of an object may grant on it, and who has MANAGE GRANTS (…/sql-reference/sql/grant-privilege)."""
    may = statement.rights
    if may.unlimited or (found is not None and may.holds(found, OWNERSHIP)):
        return
    try:
        may.require_account("MANAGE GRANTS")
    except errors.SnowflakeError:
        raise errors.insufficient(kind.lower(), name.rpartition(".")[2]) from None


def _role(statement: Statement, scanner: Scanner) -> str:
    scanner.accept("ROLE")
    name = scanner.identifier()
    if name not in statement.store.catalog.roles:
        raise errors.missing("Role", show(name))
    return name


def _grant_role(statement: Statement, scanner: Scanner, *, revoke: bool) -> Result:
    catalog = statement.store.catalog
    scanner.expect("ROLE")
    role = _role(statement, scanner)
    scanner.expect("FROM" if revoke else "TO")
    statement.rights.require_account("MANAGE GRANTS")
    if scanner.accept("USER"):
        user = scanner.identifier()
        if user not in catalog.users:
            if statement.session.user != user:
                raise errors.missing("User", show(user))
            return status_result(SUCCESS)  # an administrator, who has every role
        members = catalog.users[user].roles
    else:
        members = catalog.role_members.setdefault(_role(statement, scanner), [])
    members[:] = [r for r in members if r != role] + ([] if revoke else [role])
    statement.store.save()
    return status_result(SUCCESS)


# -- SHOW GRANTS

_COLUMNS = [("created_on", LTZ), *texts("privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by")]  # fmt: skip
_FUTURE = [("created_on", LTZ), *texts("privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option")]  # fmt: skip
_ROLES = [("created_on", LTZ), *texts("role", "granted_to", "grantee_name", "granted_by")]


def _rows(kind: str, name: str, grants: Grants, only: str | None = None) -> list[tuple[Any, ...]]:
    return [
        (None, "USAGE" if privilege == IMPORTED else privilege, kind.replace(" ", "_"), name, "ROLE", role, "false", "ACCOUNTADMIN")
        for role, privileges in sorted(grants.items())
        for privilege in privileges
        if only in {None, role}
    ]  # fmt: skip


def show_grants(statement: Statement) -> Result:
    scanner, catalog = statement.scanner(), statement.store.catalog
    scanner.expect("SHOW")
    future = scanner.accept("FUTURE")
    scanner.expect("GRANTS")
    if future:
        return _show_future(statement, scanner)
    if scanner.accept("OF", "ROLE"):
        role = _role(statement, scanner)
        holders = [("USER", u.name) for u in catalog.users.values() if role in u.roles]
        holders += [("ROLE", name) for name, members in catalog.role_members.items() if role in members]
        return rows_result(_ROLES, [(None, role, *holder, "ACCOUNTADMIN") for holder in holders], SHOW)
    if scanner.accept("TO", "USER") or scanner.done:
        name = statement.session.user if scanner.done else scanner.identifier()
        user = catalog.users.get(name, User(name))
        rows = [(None, role, "USER", name, "ACCOUNTADMIN") for role in user.roles]
        return rows_result(_ROLES, rows, SHOW)
    if scanner.accept("TO"):
        role = _role(statement, scanner)
        rows = [row for found in rights.grantables(catalog) for row in _rows(*found, only=role)]
        members = catalog.role_members.get(role, [])
        rows += [(None, "USAGE", "ROLE", m, "ROLE", role, "false", "ACCOUNTADMIN") for m in members]
        return rows_result(_COLUMNS, rows, SHOW)
    scanner.expect("ON")
    [target] = _targets(statement, scanner, [IMPORTED])
    return rows_result(_COLUMNS, [r for n, _, g in target.found for r in _rows(target.kind, n, g)], SHOW)


def _show_future(statement: Statement, scanner: Scanner) -> Result:
    """SHOW FUTURE GRANTS IN SCHEMA s | IN DATABASE d | TO ROLE r."""
    catalog, role = statement.store.catalog, None
    if scanner.accept("TO"):
        role = _role(statement, scanner)
        holders = [(show(d.name), d.future) for d in catalog.databases.values()]
        holders += [(f"{show(d.name)}.{show(s.name)}", s.future) for d in catalog.databases.values() for s in d.schemas.values()]  # fmt: skip
    else:
        scanner.expect("IN")
        within = scanner.next().text.upper()
        name, holder = _find(statement, within, scanner.name())
        holders = [(name, holder.future)]
    rows = [
        row[:-1]
        for name, future in holders
        for kind, grants in future.items()
        for row in _rows(kind, f"{name}.<{kind}>", grants, only=role)
    ]
    return rows_result(_FUTURE, rows, SHOW)
