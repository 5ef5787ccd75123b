"""The demo data: a centre that can take orders, loaded in one transaction, as often as one likes."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import services as approvals
from govcloud.audit import services as audit
from govcloud.calendars import services as calendars
from govcloud.demo import clouds, offers, people, places
from govcloud.errors import Forbidden
from tenants.models import Department, System, User

LOADER = audit.SystemActor("demo data")
YEARS = (2025, 2026)  # whose holidays are published


class DemonstrationOnly(Forbidden):
    code = "demonstration-only"
    message = _("Demo data have people with a known password: the production profile takes none.")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is there after loading, and the password that everybody in the demo has."""

    departments: int
    systems: int
    people: int
    password: str


def load(*, cloud: str, at: datetime, big: bool = False) -> Loaded:
    """Make what is missing; nothing that is there is changed, except how the cloud is reached.

    ``cloud`` is a name of clouds.yaml. Raises DemonstrationOnly in the production profile.
    """
    if not settings.EMBEDDED:
        raise DemonstrationOnly
    with transaction.atomic():
        before = _counts()
        calendars.seed(years=YEARS)
        approvals.publish_default_flow(actor=LOADER, at=at)
        offers.load()
        clouds.load(cloud)
        departments = places.load_departments(big=big, at=at)
        places.load_systems(departments, at=at)
        word = people.load(departments, at=at)
        after = _counts()
        if after != before:
            audit.record(
                actor=LOADER, verb="demo.loaded", subject=None, at=at, label=cloud, before=before, after=after
            )
    return Loaded(**after, password=word)


def _counts() -> dict[str, int]:
    return {
        "departments": Department.objects.count(),
        "systems": System.objects.count(),
        "people": User.objects.count(),
    }
