"""The two database roles and the database, as SQL: for the embedded server and for any other.

    mnema_owner     owns the database and everything in it; migrations run as it.
    mnema_service   the services; owns nothing and cannot bypass row-level security.

An operator of a managed PostgreSQL runs `bootstrap_script()` with psql as an administrator.
"""

from dataclasses import dataclass

OWNER, SERVICE = "mnema_owner", "mnema_service"


@dataclass(frozen=True, slots=True)
class Passwords:
    """Passwords of the two roles; None leaves a role without one (or with the one it has)."""

    owner: str | None = None
    service: str | None = None


NO_PASSWORDS = Passwords()


def role_statements(passwords: Passwords = NO_PASSWORDS) -> tuple[str, ...]:
    """Creates both login roles, in any database, by an administrator. Repeatable.

    Fails when an existing role could bypass row-level security.
    """
    return (
        _create(OWNER),
        _create(SERVICE),
        *_password(OWNER, passwords.owner),
        *_password(SERVICE, passwords.service),
        # An administrator who is no superuser may give a database only to a role it is in.
        f"""DO $$ BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT {OWNER} TO %I', current_user);
    END IF;
END $$""",  # noqa: S608 - a constant
    )


def database_statement(database: str) -> str:
    """Creates the database; to be run outside a transaction, only when it does not exist."""
    return f"CREATE DATABASE {quoted(database)} OWNER {OWNER} ENCODING 'UTF8' TEMPLATE template0"


def content_statements(database: str) -> tuple[str, ...]:
    """Inside the new database: who may connect, and the vector type. Repeatable."""
    name = quoted(database)
    return (
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO {SERVICE}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {SERVICE}",
        f"GRANT USAGE, CREATE ON SCHEMA public TO {OWNER}",
        "CREATE EXTENSION IF NOT EXISTS vector",
    )


def bootstrap_script(database: str = "mnema", passwords: Passwords = NO_PASSWORDS) -> str:
    """Everything as one psql script (it uses psql's \\gexec and \\connect). Repeatable."""
    create = literal(database_statement(database))
    exists = f"SELECT FROM pg_database WHERE datname = {literal(database)}"
    lines = ["\\set ON_ERROR_STOP on"]
    lines += [f"{statement};" for statement in role_statements(passwords)]
    lines += [f"SELECT {create} WHERE NOT EXISTS ({exists}) \\gexec"]
    lines += [f"\\connect {quoted(database)}"]
    lines += [f"{statement};" for statement in content_statements(database)]
    return "\n".join(lines) + "\n"


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string (standard_conforming_strings, the default since 9.1)."""
    return "'" + text.replace("'", "''") + "'"


def _create(role: str) -> str:
    return f"""DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {role} LOGIN;
    ELSIF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}' AND (rolsuper OR rolbypassrls)) THEN
        RAISE EXCEPTION 'role {role} is a superuser or bypasses row-level security';
    END IF;
END $$"""  # noqa: S608 - `role` is one of the two constants


def _password(role: str, password: str | None) -> tuple[str, ...]:
    return () if password is None else (f"ALTER ROLE {role} PASSWORD {literal(password)}",)
