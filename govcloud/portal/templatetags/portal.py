"""How the portal writes names, money, quantities, times and states."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Protocol

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils import timezone
from django.utils.dateformat import format as written
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from govcloud import clock
from govcloud.audit.models import Event
from govcloud.notifications.models import Message
from govcloud.portal import navigation as navigating
from govcloud.portal.audit.words import actor_of, reason_of
from govcloud.portal.findings.values import in_words
from govcloud.portal.middleware import seconds_left
from govcloud.portal.states import look_of
from govcloud.portal.worktop.filters import Filters
from govcloud.provisioning.kinds import base
from govcloud.provisioning.models import Step
from tenants.access.permissions import Permission
from tenants.models import Role, User
from tenants.policies import scope_of

register = template.Library()

DAYS = {"zh-hans": "Y年n月j日", "en": "j M Y"}
MOMENTS = {"zh-hans": "Y年n月j日 H:i", "en": "j M Y, H:i"}
SPRITE = "portal/vendor/tabler-icons/icons.svg"


@register.filter
def actor(event: Event) -> str:
    """Who it was; parts of the system as people call them."""
    return str(actor_of(event))


@register.filter
def because(event: Event) -> str:
    """Why, as somebody gave it; nothing where there is only a code for programs."""
    return reason_of(event)


@register.filter
def named(row: Any) -> str:
    """The name of a catalogue, tenant or flow row in the language of the page; Chinese where there is no other."""
    english: str = getattr(row, "name_en", "")
    return english if english and get_language() == "en" else str(row.name)


@register.filter
def compared(value: str, field: str) -> str:
    """One side of a difference that a finding tells of; ``field`` is what it is about."""
    return in_words(value, field)


@register.filter
def money(amount: Decimal | None) -> str:
    """Yuan to the fen, grouped by thousands as on a statement in either language; nothing is a dash."""
    if amount is None:
        return "—"
    sign = "−" if amount < 0 else ""
    return f"{sign}¥{abs(amount):,.2f}"


@register.filter
def price(amount: Decimal) -> str:
    """A price for one unit: at least to the fen, and as many of its six places as it uses."""
    places = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"¥{amount:,.{places}f}"


@register.filter
def quantity(amount: Decimal | int) -> str:
    """A quantity without the zeros that its column adds."""
    text = f"{amount:,f}" if isinstance(amount, Decimal) else f"{amount:,}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


@register.filter
def limited(limit: int | None) -> str:
    """A limit of a quota: nothing at all is 0, and no limit is a word."""
    return _("unlimited") if limit is None else quantity(limit)


@register.filter
def limit_in_days(days: int) -> str:
    """The limit of a step in working days; none is the same day."""
    return str(days) if days else _("the same day")


@register.filter
def moment(at: datetime | None) -> SafeString | str:
    """An instant by the installation's wall clock, machine-readable beside it."""
    if at is None:
        return "—"
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(timespec="seconds"), _in(MOMENTS, local)
    )


def moment_in_words(at: datetime) -> str:
    """The same where no markup can be, as in a list to choose from."""
    return _in(MOMENTS, timezone.localtime(at))


@register.filter
def day(at: date | None) -> SafeString | str:
    """The date (of an instant: by the installation's wall clock)."""
    if at is None:
        return "—"
    local = timezone.localtime(at) if isinstance(at, datetime) else at
    return format_html('<time datetime="{}">{}</time>', f"{local:%Y-%m-%d}", _in(DAYS, local))


@register.filter
def first_day(begins: datetime) -> SafeString | str:
    """Where a range of days begins; one that begins within a day is told to the minute."""
    return day(begins) if _is_midnight(begins) else moment(begins)


@register.filter
def last_day(ends: datetime | None) -> SafeString | str:
    """The last day in a range of days, which ends where the next one begins; nothing is a dash."""
    if ends is None:
        return "—"
    return day(ends - timedelta(days=1)) if _is_midnight(ends) else moment(ends)


def _is_midnight(at: datetime) -> bool:
    return timezone.localtime(at).time() == time()


def plain_day(at: date) -> str:
    """As ``day``, for the middle of a sentence."""
    return _in(DAYS, at)


def _in(patterns: dict[str, str], at: date) -> str:
    return written(at, patterns.get(get_language() or "", patterns["zh-hans"]))


@register.filter
def span(seconds: float | None) -> str:
    """A length of time in its two largest units, as one would say it; nothing is a dash."""
    if seconds is None:
        return "—"
    whole = round(seconds)
    if seconds < 10:
        return _("%(seconds)s s") % {"seconds": f"{seconds:.1f}"}
    if whole < 60:
        return _("%(seconds)s s") % {"seconds": whole}
    if whole < 3600:
        return _("%(minutes)s min %(seconds)s s") % {"minutes": whole // 60, "seconds": whole % 60}
    if whole < 86_400:
        return _("%(hours)s h %(minutes)s min") % {"hours": whole // 3600, "minutes": whole % 3600 // 60}
    return _("%(days)s d %(hours)s h") % {"days": whole // 86_400, "hours": whole % 86_400 // 3600}


@register.filter
def percent(share: float) -> str:
    return f"{share:.1%}"


@register.filter
def kind_title(kind: str) -> str:
    """What a kind of step does, in plain words."""
    return base.title_of(kind)


@register.filter
def deed(step: base.Deed) -> str:
    """What a step does, in plain words."""
    return base.deed_of(step)


@register.filter
def about(step: Step) -> str:
    """What a step is done to."""
    return base.about(step)


@register.filter
def permission_name(permission: str) -> str:
    """What it allows, in plain words."""
    return str(Permission(permission).label)


@register.simple_tag(takes_context=True)
def unread(context: template.Context) -> int:
    """How many notices the reader has not read; nothing for who has not signed in."""
    user = context.get("user")
    return Message.objects.visible_to(user).unread().count() if isinstance(user, User) else 0


@register.simple_tag(takes_context=True)
def session_left(context: template.Context) -> int:
    """Seconds until the reader's session ends if nothing else is asked for."""
    request = context.get("request")
    return seconds_left(request) if request is not None else 0


@register.simple_tag(takes_context=True)
def manages_security(context: template.Context) -> bool:
    """Whether the reader gives and takes roles."""
    user, at = context.get("user"), context.get("at")
    held = isinstance(user, User) and at is not None and scope_of(user, at=at).holds(Role.SECURITY_ADMIN)
    return bool(held)


@register.inclusion_tag("portal/navigation.html", takes_context=True)
def navigation(context: template.Context) -> dict[str, Any]:
    """What the header leads to. Asked for the page's own instant, so that the reader's roles are read once."""
    user, at, request = context.get("user"), context.get("at"), context.get("request")
    if not isinstance(user, User) or request is None:
        return {"beside": (), "menu": ()}
    found = navigating.of(user, at=at or clock.now())
    match = request.resolver_match
    return {"beside": found.beside, "menu": found.menu, "here": match.view_name if match else ""}


@register.simple_tag
@cache
def icon(name: str, extra: str = "") -> SafeString:
    """A Tabler icon from the sprite; it says nothing to a screen reader, so a word goes with it."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        extra,
        static(SPRITE),
        name,
    )


@register.simple_tag
def state(value: str, label: str) -> SafeString:
    """A status as a word with an icon; its colour only repeats what they say."""
    look = look_of(value)
    return format_html(
        '<span class="state state-{}">{}<span>{}</span></span>', look.tone, icon(look.icon), label
    )


@register.simple_tag
def time_zone() -> str:
    """The zone that every time of the page is in, as ``Asia/Shanghai (UTC+08:00)``."""
    offset = f"{timezone.localtime():%z}"
    return f"{settings.TIME_ZONE} (UTC{offset[:3]}:{offset[3:]})"


class Paged(Protocol):
    """The filters of a list that comes in pages."""

    def query(self, **changes: str | int) -> str: ...


@register.simple_tag
def page_query(filters: Paged, number: int) -> str:
    """The query string of another page of the same list."""
    return filters.query(page=number)


@register.simple_tag
def sort_heading(filters: Filters, name: str, label: str, extra: str = "") -> SafeString:
    """The heading of a column by which the list can be sorted: upwards first, and the other way when it is chosen again."""
    chosen, down = filters.sort.removeprefix("-") == name, filters.sort.startswith("-")
    direction = "descending" if down else "ascending"
    mark = icon(f"arrow-{'down' if down else 'up'}") if chosen else icon("arrows-sort", "sort-idle")
    return format_html(
        '<th scope="col" class="{}"{}><a href="{}" class="sort">{}{}</a></th>',
        extra,
        format_html(' aria-sort="{}"', direction) if chosen else "",
        filters.query(sort=f"-{name}" if chosen and not down else name),
        label,
        mark,
    )
