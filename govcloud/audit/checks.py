"""What ``manage.py check --deploy`` asks of the trail: that it leaves the machine, and that we could not rewrite it."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks

from govcloud.audit import exporting, roles
from govcloud.audit.sealing import ALGORITHMS


@checks.register(checks.Tags.security)
def settings_are_usable(**_options: Any) -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    if settings.AUDIT_HASH not in ALGORITHMS:
        found.append(
            checks.Error(
                f"AUDIT_HASH is none of {', '.join(ALGORITHMS)}: no event can be sealed.", id="audit.E001"
            )
        )
    try:
        exporting.destination()
    except ValueError as error:
        found.append(checks.Error(f"AUDIT_EXPORT_TO: {error}.", id="audit.E002"))
    return found


@checks.register(checks.Tags.security, deploy=True)
def trail_leaves_the_machine(**_options: Any) -> list[checks.CheckMessage]:
    if settings.AUDIT_EXPORT_TO:
        return []
    return [
        checks.Warning("AUDIT_EXPORT_TO is empty: the audit trail stays on this machine.", id="audit.W001")
    ]


@checks.register(checks.Tags.database, deploy=True)
def we_cannot_rewrite_the_trail(
    databases: Sequence[str] | None = None, **_options: Any
) -> list[checks.CheckMessage]:
    """Asked of the database, so only where ``--database default`` is given."""
    if not databases or settings.EMBEDDED:
        return []
    able = roles.powers()
    if not able.superuser and not able.owns_the_trail:
        return []
    return [
        checks.Warning(
            "The application's database role could rewrite the audit trail: it owns its tables or is a superuser.",
            hint="Connect as a role that `manage.py grant_application_role` was run for.",
            id="audit.W002",
        )
    ]
