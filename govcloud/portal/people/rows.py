"""Which people the page shows: those whom the reader keeps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from govcloud.orders.resolution import as_uuid
from govcloud.organisation.people import kept_by, not_over, with_roles
from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing
from govcloud.portal.templatetags.portal import named
from govcloud.searching import terms_of
from tenants.models import User

VIEWS: Mapping[str, str | Promise] = {"": _("With a role"), "idle": _("Without a role"), "left": _("Left")}

HEADINGS: tuple[str | Promise, ...] = (
    pgettext_lazy("of a person", "Name"),
    _("User name"),
    _("Role"),
    _("Unit"),
    _("Held since"),
    _("Held until"),
    _("Account"),
)


@dataclass(frozen=True, slots=True)
class Asked(Narrowing):
    """Also the unit in which somebody holds a role, where one is named."""

    unit: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        plain = Narrowing.read(query, views=VIEWS)
        unit = as_uuid(query.get("unit", ""))
        return cls(view=plain.view, text=plain.text, unit=str(unit or ""))

    def query(self, **changes: str | int) -> str:
        values: dict[str, str | int] = {"view": self.view, "q": self.text, "unit": self.unit}
        return "?" + urlencode({name: value for name, value in (values | changes).items() if value})


def concerned(filters: Asked, actor: User, *, at: datetime) -> QuerySet[User]:
    """Narrowed by words and unit, but not by the view; ``holding`` says whether somebody holds a role, now or to come."""
    held = not_over(at=at).filter(user=OuterRef("pk"))
    rows = kept_by(actor, at=at).annotate(holding=Exists(held))
    if filters.unit:
        rows = rows.filter(Exists(held.filter(department__uuid=filters.unit)))
    for word in terms_of(filters.text):
        rows = rows.filter(Q(display_name__icontains=word) | Q(username__icontains=word))
    return rows


def in_view(view: str) -> Q:
    match view:
        case "idle":
            return Q(is_active=True, holding=False)
        case "left":
            return Q(is_active=False)
    return Q(is_active=True, holding=True)


def listed(filters: Asked, actor: User, *, at: datetime) -> QuerySet[User]:
    rows = concerned(filters, actor, at=at).filter(in_view(filters.view))
    return with_roles(rows.order_by("display_name", "username"), actor, at=at)


def sheet(rows: Iterable[User]) -> Sheet:
    """The list as a file, a line for each role."""
    told = (
        (
            person.audit_name,
            person.username,
            held.get_role_display() if held else "",
            named(held.department) if held and held.department else "",
            local(held.valid_from) if held else None,
            local(held.valid_until) if held else None,
            str(_("active") if person.is_active else _("left")),
        )
        for person in rows
        for held in (person.held or [None])  # type: ignore[attr-defined]  # of ``with_roles``
    )
    return Sheet("people", _("People"), HEADINGS, told)
