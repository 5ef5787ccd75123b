"""The database role that the application works with: it writes its rows and cannot touch the trail, nor the triggers on it.

The triggers refuse everybody to change or remove an event, but who owns a table can take its triggers away. So the tables
belong to one role, with which migrations run, and the application works with another.
"""

from dataclasses import dataclass

from django.db import connection, transaction
from psycopg import sql

APPEND_ONLY = """
SELECT relation.relname, bit_or(refusal.tgtype)::int & 8 <> 0, bit_or(refusal.tgtype)::int & 16 <> 0
FROM pg_trigger AS refusal
JOIN pg_class AS relation ON relation.oid = refusal.tgrelid
WHERE refusal.tgfoid = 'public.govcloud_append_only'::regproc AND NOT refusal.tgisinternal
GROUP BY relation.relname ORDER BY relation.relname
"""
"""Tables with a trigger that refuses deletion (pg_trigger.tgtype bit 3) or a change (bit 4)."""

POWERS = """
SELECT rolsuper, EXISTS (
    SELECT FROM pg_class WHERE relname = 'audit_event' AND relnamespace = 'public'::regnamespace
    AND pg_has_role(current_user, relowner, 'MEMBER')
) FROM pg_roles WHERE rolname = current_user
"""


class NoSuchRole(Exception):
    """There is no database role of that name, or it owns the tables itself."""


@dataclass(frozen=True, slots=True)
class Powers:
    """What the role that we are connected as could do to the trail."""

    superuser: bool
    owns_the_trail: bool


def powers() -> Powers:
    with connection.cursor() as cursor:
        cursor.execute(POWERS)
        return Powers(*cursor.fetchone())


def refused() -> dict[str, list[str]]:
    """What the database refuses everybody, by table: UPDATE, DELETE or both."""
    with connection.cursor() as cursor:
        cursor.execute(APPEND_ONLY)
        return {
            table: ["DELETE"] * deletion + ["UPDATE"] * change
            for table, deletion, change in cursor.fetchall()
        }


def grant(role: str) -> list[str]:
    """Give the role what the application needs, now and of tables to come; returns the tables whose rows it cannot change.

    Connected as the owner of the tables. May be repeated, and is to be after each migration that adds an append-only table.
    Raises NoSuchRole.
    """
    name, kept = sql.Identifier(role), refused()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolname = current_user FROM pg_roles WHERE rolname = %s", [role])
        found = cursor.fetchone()
        if found is None or found[0]:
            raise NoSuchRole(role)
        for statement in GRANTS:
            cursor.execute(sql.SQL(statement).format(role=name))
        for table, privileges in kept.items():
            taken = sql.SQL("REVOKE {privileges} ON {table} FROM {role}")
            names = sql.SQL(", ").join(sql.SQL(each) for each in privileges)
            cursor.execute(taken.format(privileges=names, table=sql.Identifier(table), role=name))
    return [table for table, privileges in kept.items() if "UPDATE" in privileges]


GRANTS = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "REVOKE CREATE ON SCHEMA public FROM {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {role}",
)
