"""What happened to units, systems and people, in words: briefer than the audit trail's, as the page says whose they are."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from govcloud.audit.models import Event
from govcloud.portal.audit.words import words_of

TELLINGS: Mapping[str, str | Promise] = {
    "department.registered": _("Registered"),
    "department.changed": _("Changed"),
    "department.connection_changed": _("Connection changed"),
    "department.moved": _("Moved in the tree"),
    "department.closed": _("Closed"),
    "quota.opened": _("Quota accounts opened"),
    "system.registered": _("Registered"),
    "system.changed": _("Changed"),
    "system.retired": _("Retired"),
    "system.owner_read": _("The owner's particulars were read"),
    "role.granted": _("Role given"),
    "role.ended": _("Role ended"),
    "person.left": _("Left; work handed over"),
    "accessreview.opened": _("Opened"),
    "accessreview.closed": pgettext_lazy("access review", "Closed"),
}


def told(event: Event) -> str:
    return str(TELLINGS.get(event.verb) or words_of(event))
