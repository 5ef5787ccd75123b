"""What each verb of the audit trail means, in words; those of an order's own story are told by ``order.trail``."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.audit.models import Event
from govcloud.portal.order.trail import TELLINGS

WORDS: Mapping[str, str | Promise] = {
    "order.in_approval": _("Order in approval"),
    "order.archived": _("Archive package taken out"),
    "order.classified": _("Declared classified work"),
    "case.opened": _("Approval opened"),
    "case.open": _("Approval goes on with a new revision"),
    "case.returned": _("Approval ended: returned"),
    "case.approved": _("Approval ended: approved"),
    "case.rejected": _("Approval ended: rejected"),
    "flow.published": _("Approval flow published"),
    "credential.issued": _("Credential of a container issued"),
    "credential.revoked": _("Credential of a container revoked"),
    "legal_hold.placed": _("Legal hold placed"),
    "legal_hold.lifted": _("Legal hold lifted"),
    "sweep.requested": _("Comparison with the clouds asked for"),
    "sweep.running": _("Comparison with a cloud began"),
    "sweep.done": _("Comparison with a cloud done"),
    "sweep.failed": _("Comparison with a cloud failed"),
    "finding.suspected": _("Finding seen for the first time"),
    "finding.open": _("Finding to be decided"),
    "finding.applying": _("Finding being put right"),
    "finding.resolved": _("Finding resolved"),
    "finding.dismissed": _("Finding dismissed"),
    "resource.adopted": _("Resource adopted from the cloud"),
    "resource.lost": _("Resource recorded as lost"),
    "quota.corrected": _("Quota account corrected"),
    "takeover.requested": _("Takeover asked for"),
    "takeover.due": _("Takeover to be surveyed"),
    "takeover.surveying": _("Takeover: survey began"),
    "takeover.surveyed": _("Takeover: surveyed"),
    "takeover.failed": _("Takeover: survey failed"),
    "takeover.assigned": _("Takeover: assigned to a system"),
    "equivalent.set": _("Equivalent in the catalogue named"),
    "candidate.renamed": _("What is to be taken over renamed"),
    "candidate.taking": _("Being taken over"),
    "candidate.taken": _("Taken over"),
    "candidate.open": _("Not taken over after all"),
    "candidate.leaving": _("Being given up again"),
    "candidate.gone": _("Given up again"),
    "month.closed": _("Month closed"),
    "statement.exported": _("Statement exported"),
    "department.registered": _("Department registered"),
    "system.registered": _("System registered"),
    "role.granted": _("Role granted"),
    "quota.opened": _("Quota account opened"),
    "quota.limit_set": _("Quota limit set"),
    "quota.allotted": _("Quota handed on or taken back"),
    "quota.threshold_reached": _("Share of a quota limit reached"),
    "quota.threshold_cleared": _("Below a share of a quota limit again"),
    "temporaryraise.ended": _("Temporary raise ended"),
    "flavor.retired": _("Flavor retired"),
    "user.language_chosen": _("Language chosen"),
    "cloud.registered": _("Cloud registered"),
    "cloud.changed": _("Cloud changed"),
    "cloud.names_changed": _("Names on a cloud changed"),
    "cloud.credentials_stored": _("Credentials of a cloud stored"),
    "cloud.credentials_rotated": _("Credentials of clouds encrypted anew"),
    "cloud.enabled": _("Cloud put into use"),
    "cloud.disabled": _("Cloud taken out of use"),
    "cloud.retired": _("Cloud retired"),
    "maintenance.announced": _("Maintenance announced"),
    "maintenance.ended": _("Maintenance ended"),
    "session.opened": _("Signed in"),
    "session.closed": _("Signed out"),
    "token.issued": _("API token issued"),
    "token.refused": _("API token refused"),
    "token.revoked": _("API token revoked"),
    "access.refused": _("Asked for what is not theirs to see"),
    "audit.exported": _("Audit trail exported"),
    "list.exported": _("List exported"),
    "demo.loaded": _("Demo data loaded"),
    "clock.advanced": _("Demo clock moved"),
}


def words_of(event: Event) -> str | Promise:
    """The verb in words; the verb itself where nobody has found any."""
    return TELLINGS.get(event.verb) or WORDS.get(event.verb, event.verb)
