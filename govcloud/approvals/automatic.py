"""What is decided by rule: the rule in words, in both languages, as it is written down with the decision."""

from collections.abc import Iterator

from django.utils import translation
from django.utils.translation import gettext as _

from govcloud.approvals.models import Quota, Sizes
from govcloud.approvals.routing import Conditional
from govcloud.audit.services import SystemActor
from tenants.models import NetworkZone

RULE = SystemActor("approvals")
"""Who decides where a rule does."""


def in_words(stage: Conditional, *, language: str) -> str:
    """The rule of a stage: “within quota, standard flavors, below 500 yuan a month”."""
    with translation.override(language):
        return _(", ").join(_parts(stage))


def _parts(stage: Conditional) -> Iterator[str]:
    if stage.auto_quota:
        yield str(Quota(stage.auto_quota).label)
    if stage.auto_sizes:
        yield str(Sizes(stage.auto_sizes).label)
    if stage.auto_zone:
        yield str(NetworkZone(stage.auto_zone).label)
    if stage.auto_max_mlps_level is not None:
        yield _("MLPS level %(level)s at most") % {"level": stage.auto_max_mlps_level}
    if stage.auto_max_quantity is not None:
        yield _("%(number)s resources at most") % {"number": stage.auto_max_quantity}
    if stage.auto_below_amount is not None:
        yield _("below %(amount)s yuan a month") % {"amount": f"{stage.auto_below_amount.normalize():f}"}
