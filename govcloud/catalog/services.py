"""Taking things out of the catalogue."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import Flavor
from govcloud.errors import Conflict
from tenants.naming import name_of


class AlreadyRetired(Conflict):
    code = "already-retired"
    message = _("“%(name)s” was retired on %(on)s.")


def retire_flavor(*, flavor: Flavor, actor: audit.Actor, at: datetime) -> Flavor:
    """Take a flavor out of the catalogue: drafts that name it are refused from now on, what runs on it stays.

    Raises AlreadyRetired.
    """
    with transaction.atomic():
        locked = Flavor.objects.select_for_update().get(pk=flavor.pk)
        if locked.retired_at is not None:
            raise AlreadyRetired(name=name_of(locked), on=timezone.localdate(locked.retired_at).isoformat())
        locked.retired_at = at
        locked.save(update_fields=["retired_at"])
        audit.record(
            actor=actor,
            verb="flavor.retired",
            subject=None,
            label=locked.code,
            at=at,
            before={"retired_at": None},
            after={"retired_at": at},
        )
    return locked
