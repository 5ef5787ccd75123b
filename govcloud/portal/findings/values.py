"""What a finding compares, in the reader's language where it is a state; all else is as the record or the cloud has it."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from govcloud.inventory.models import Power
from govcloud.reconciliation.comparison import DISABLED, LOST, USABLE
from govcloud.reconciliation.vocabulary import Field

_STATES: Mapping[str, Mapping[str, str | Promise]] = {
    Field.POWER: {power.value: power.label for power in Power},
    Field.STATE: {
        USABLE: _("usable"),
        LOST: pgettext_lazy("a recovery point", "lost"),
        DISABLED: _("disabled"),
        "error": _("in error"),
    },
}


def in_words(value: str, field: str) -> str:
    """A state that only the cloud has a word for stays as it is; nothing is a dash."""
    return str(_STATES.get(field, {}).get(value, value)) or "–"
