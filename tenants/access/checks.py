"""What no installation may have: a way around the roles."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from tenants.models import User


@register(Tags.security)
def no_way_around_the_roles(**_kwargs: Any) -> Iterable[CheckMessage]:
    """Roles are the only rights: no site for superusers, no other back end, and none among the people."""
    if apps.is_installed("django.contrib.admin"):
        yield Error(
            "django.contrib.admin is installed: it opens every table to superusers.", id="access.E001"
        )
    if settings.AUTHENTICATION_BACKENDS != ["django.contrib.auth.backends.ModelBackend"]:
        yield Error("AUTHENTICATION_BACKENDS has a way in that nothing here watches.", id="access.E002")
    if "user_is_no_superuser" not in {constraint.name for constraint in User._meta.constraints}:  # noqa: SLF001
        yield Error("The database would take a superuser.", id="access.E003")
    if not settings.EMBEDDED and settings.DEBUG:
        yield Error("Debug pages show settings to whoever causes an error.", id="access.E004")


@register(Tags.database, Tags.security)
def no_superusers(databases: Sequence[str] | None = None, **_kwargs: Any) -> Iterable[CheckMessage]:
    """Of an installation older than the constraint, or whose constraint somebody dropped (``check --database``)."""
    for alias in databases or ():
        if User._meta.db_table not in connections[alias].introspection.table_names():  # noqa: SLF001
            continue  # the first migration of an empty database asks, too
        count = User.objects.using(alias).filter(is_superuser=True).count()
        if count:
            yield Error(f"There are {count} superusers in the database “{alias}”.", id="access.E005")
