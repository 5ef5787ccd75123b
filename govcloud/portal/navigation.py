"""What the header leads to: what everybody works with beside each other, and what some do in a menu behind it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.policies import FLOW_READERS
from govcloud.clouds.policies import KEEPERS as KEEP_CLOUDS
from govcloud.notifications.policies import KEEPERS as KEEP_WEBHOOKS
from govcloud.organisation.policies import KEEPERS_OF_PEOPLE
from govcloud.protection.holds import KEEPERS as HOLD
from govcloud.provisioning.policies import OPERATORS
from govcloud.reconciliation.policies import READERS as READ_FINDINGS
from govcloud.supervision.policies import READERS as SUPERVISE
from govcloud.takeover.policies import READERS as READ_TAKEOVERS
from tenants.models import DECIDING, Role, User
from tenants.policies import READS_AUDIT, Wanted, scope_of


@dataclass(frozen=True, slots=True)
class Entry:
    """``view`` is the name of the page; ``wanted`` what one of must be held, everybody's if there is nothing."""

    view: str
    icon: str
    label: str | Promise
    wanted: Collection[Wanted] = ()


WRITES = Entry("portal:order-new", "plus", _("New order"), (Role.APPLICANT,))
EVERYBODYS = (
    Entry("portal:orders", "list", _("Orders")),
    Entry("portal:leases", "hourglass", _("Leases")),
    Entry("portal:quota", "database", _("Quota")),
    Entry("portal:units", "building", _("Units")),
)
FURTHER = (
    Entry("portal:absences", "user", _("Substitutes"), DECIDING),
    Entry("portal:supervision", "eye", _("Supervision"), SUPERVISE),
    Entry("portal:people", "users", _("People"), KEEPERS_OF_PEOPLE),
    Entry(
        "portal:reviews",
        "check",
        _("Access reviews"),
        (*KEEPERS_OF_PEOPLE, Role.AUDIT_ADMIN, Role.SUPERVISOR),
    ),
    Entry("portal:clouds", "cloud", _("Clouds"), (*OPERATORS, *KEEP_CLOUDS)),
    Entry("portal:engine", "progress-check", _("Engine"), OPERATORS),
    Entry("portal:findings", "search", _("Findings"), READ_FINDINGS),
    Entry("portal:takeovers", "download", _("Takeovers"), READ_TAKEOVERS),
    Entry("portal:holds", "lock", _("Legal holds"), HOLD),
    Entry("portal:flows", "stack-2", _("Approval flow"), FLOW_READERS),
    Entry("portal:accounts", "user", _("Accounts"), (Role.SYSTEM_ADMIN,)),
    Entry("portal:calendar", "calendar-event", _("Calendar")),
    Entry("portal:webhooks", "send", _("Webhooks"), KEEP_WEBHOOKS),
    Entry("portal:roles", "lock", _("Roles"), (Role.SECURITY_ADMIN,)),
    Entry("portal:audit", "shield-check", _("Audit"), READS_AUDIT),
)
"""What is not what everybody works with: most of it is some people's."""

FEW = 2
"""So many of them stand beside the others; more are put into a menu."""


@dataclass(frozen=True, slots=True)
class Navigation:
    beside: Sequence[Entry]
    menu: Sequence[Entry]


def of(user: User, *, at: datetime) -> Navigation:
    """What the reader finds in the header; their roles are those that the page has read already."""
    scope = scope_of(user, at=at)
    theirs = [entry for entry in FURTHER if not entry.wanted or scope.holds_any(entry.wanted)]
    beside = (WRITES, *EVERYBODYS) if scope.holds(Role.APPLICANT) else EVERYBODYS
    if len(theirs) <= FEW:
        return Navigation((*beside, *theirs), ())
    return Navigation(beside, theirs)
