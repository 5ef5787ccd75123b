"""Writing an order in the browser: a new one, what is said of it, and its items. The same services judge as for the API."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from govcloud import clock
from govcloud.audit import watching
from govcloud.orders import services
from govcloud.orders.drafts import ItemDraft
from govcloud.orders.models import Order
from govcloud.orders.queries import systems_named
from govcloud.orders.redrafting import drafts_of
from govcloud.orders.resolution import as_uuid
from govcloud.orders.submission import NotEditable, require_editable
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.order import views as order_views
from govcloud.portal.reading import number_in, version_in
from govcloud.portal.resuming import resumes
from govcloud.portal.templatetags.portal import named
from govcloud.portal.writing import places
from govcloud.portal.writing.choices import CHOICES
from govcloud.portal.writing.fields import YES
from govcloud.portal.writing.offers import ON_THIS_PAGE, Offers
from govcloud.portal.writing.once import MadeBefore, once
from govcloud.portal.writing.sheets import Heading, Problem, Sheet, needs_backup, needs_network
from tenants.models import Role, System, User

MOST_IN_A_MENU = 50
Begin = Callable[[Sheet], None]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@resumes
def new(request: HttpRequest) -> HttpResponse:
    """A new order with its first items; nothing is stored before it can be."""
    actor, at = deeds.admitted(request, Role.APPLICANT)
    sent = request.POST if request.method == "POST" else request.GET
    typed = sent.get("system", "").replace("\0", "").strip()[:80]
    meant = places.meant(typed, actor, by_code="slot" in request.POST, at=at)
    system = meant[0] if len(meant) == 1 else None
    offers = Offers(system, at) if system else None
    if request.method != "POST":
        sheet = Sheet(
            offers, heading=Heading({"title": request.GET.get("title", "").replace("\0", "")[:120]})
        )
        if request.GET.get("item") in CHOICES:
            _first(sheet, request.GET["item"], request)
        return _begin(request, sheet, system, actor, at=at)
    heading = Heading.read(request)
    refused = _refused_as_classified(heading, actor, at=at)
    if refused is not None:
        return _begin(request, Sheet(heading=Heading()), None, actor, at=at, refused=refused)
    sheet = Sheet(offers, heading=heading)
    sheet.read_slots(request)
    sheet.key = as_uuid(request.POST.get("key", "")) or sheet.key
    if len(meant) > 1:
        text = _("Several of your systems match: %(names)s. Choose one of them.")
        heading.tell(
            "system", text % {"names": _(", ").join(f"{named(each)} ({each.code})" for each in meant)}
        )
    number = _go_on(sheet, heading, system, request.POST, actor, at=at)
    if number is not None:
        return redirect("portal:order", number)
    return _begin(request, sheet, system, actor, at=at, refused=deeds.put_off())


def _go_on(
    sheet: Sheet, heading: Heading, system: System | None, sent: QueryDict, actor: User, *, at: datetime
) -> str | None:
    """From what the order is for to its items, and from these to the draft: the number of the one that was made, if it was."""
    if system is None or sheet.offers is None:
        sheet.slots.clear()  # what was written for another system, or for one that has gone, can be in none of its lists
    if deeds.held_back() is not None:
        return None
    if (system is None or sheet.offers is None) and "system" not in heading.errors:
        heading.tell("system", _("Choose one of your systems."))
    if not heading.declared:
        heading.tell("declares_classified", _("Answer this."))
    if system is None or sheet.offers is None or heading.errors:
        return None
    begun = bool(sheet.slots)
    if sheet.obey(sent.get("do", "")):
        watching.note(only_looks=True)
        if not begun and sheet.slots:
            _complete(sheet, sheet.offers)
        return None
    try:
        return once(
            key=sheet.key, sent=sent, make=lambda: _created(sheet, system, actor, at=at), actor=actor, at=at
        )
    except MadeBefore as before:
        sheet.key = uuid4()
        text = _(
            "This form has made the order %(number)s already, from something else: kept again, what stands here now makes a further order."
        )
        sheet.problems.append(Problem(text % {"number": before.number}))
    return None


@require_GET
@login_required
def systems(request: HttpRequest) -> HttpResponse:
    """What the field for a system offers while it is typed in, of those that the reader may order for."""
    actor, at = deeds.admitted(request, Role.APPLICANT)
    text = request.GET.get("system", "").replace("\0", "").strip()[:80]
    rows = places.orderable(actor, at=at).filter(pk__in=systems_named(text)).select_related("department")
    return render(request, "portal/systems.html", {"systems": rows.order_by("name", "code")[:MOST_IN_A_MENU]})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@resumes
def heading(request: HttpRequest, number: str) -> HttpResponse:
    """What is said of the order as a whole."""
    found, actor, at = asked(request, number)
    barred = barred_from(request, found, actor, at=at)
    if barred is not None:
        return barred
    sheet = Sheet(heading=Heading.of(found), drafts=drafts_of(found), version=found.version)
    if request.method == "POST":
        sheet.heading = heading = Heading.read(request)
        refused = _refused_as_classified(heading, actor, at=at)
        if refused is not None:
            sheet.heading = Heading.of(found)
            return _page(request, sheet, found, at=at, refused=refused)
        sheet.version = version_of(request)
        put_off = deeds.put_off()
        if put_off is not None:
            return _page(request, sheet, found, at=at, refused=put_off)
        if not heading.declared:
            heading.tell("declares_classified", _("Answer this."))
        if not heading.errors and _kept(sheet, found, (), heading.values, actor, at=at):
            return redirect("portal:order", number)
    return _page(request, sheet, found, at=at)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@resumes
def new_item(request: HttpRequest, number: str, choice: str) -> HttpResponse:
    """A further item, begun as a copy (``?from=``) or for something that stands (``?target=``) if that is asked for."""
    if choice not in CHOICES:
        raise Http404

    def begin(sheet: Sheet) -> None:
        copied = number_in(request.GET.get("from", ""), most=len(sheet.drafts))
        if copied:
            slot = sheet.take_up(copied - 1)
            if slot is not None and slot.choice.slug == choice:
                slot.position, slot.was = None, ""
                slot.begins = "name"
                return
            sheet.slots.clear()
        _first(sheet, choice, request)

    return _items(request, number, begin)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@resumes
def item(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """An item that the order has; ``position`` is counted from 1."""

    def begin(sheet: Sheet) -> None:
        if sheet.take_up(position - 1) is None:
            raise Http404

    return _items(request, number, begin)


@require_POST
@login_required
def removal(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """Take an item out of the order."""
    found, actor, at = asked(request, number)
    barred = barred_from(request, found, actor, at=at)
    if barred is not None:
        return barred
    drafts, version = drafts_of(found), version_of(request)
    if version == found.version and not 1 <= position <= len(drafts):
        raise Http404  # of another version it may well be one that has been taken out meanwhile
    kept = [draft for n, draft in enumerate(drafts, start=1) if n != position]
    refused = deeds.attempt(
        lambda: services.revise(
            order=found,
            **_heading_of(found),
            items=kept,
            expected_version=version,
            actor=actor,
            at=at,
        )
    )
    if refused is not None:
        return order_views.page(request, found, actor, at=at, refused=refused)
    return redirect("portal:order", number)


def _items(request: HttpRequest, number: str, begin: Begin) -> HttpResponse:
    """The page of one or several items of an order."""
    found, actor, at = asked(request, number)
    barred = barred_from(request, found, actor, at=at)
    if barred is not None:
        return barred
    drafts = drafts_of(found)
    sheet = Sheet(offers=Offers(found.system, at, drafts), drafts=drafts, version=found.version)
    if request.method != "POST":
        begin(sheet)
        return _page(request, sheet, found, at=at)
    sheet.version = version_of(request)
    sheet.read_slots(request)
    put_off = deeds.put_off()
    if not sheet.slots:
        begin(sheet)
    elif put_off is not None:
        return _page(request, sheet, found, at=at, refused=put_off)
    elif sheet.obey(request.POST.get("do", "")):
        watching.note(only_looks=True)
    else:
        places.require_seen(sheet.named, actor, at=at)
        made = sheet.made()
        told = _heading_of(found)
        if made is not None and _kept(sheet, found, made, told, actor, at=at):
            return redirect("portal:order", number)
    return _page(request, sheet, found, at=at)


def _kept(
    sheet: Sheet,
    order: Order,
    made: Sequence[ItemDraft],
    heading: dict[str, Any],
    actor: User,
    *,
    at: datetime,
) -> bool:
    """Whether the order has it, with the items ``made`` on the page; if not, the sheet tells why."""
    told = {name: heading[name] for name in ("title", "justification", "urgency")}
    refusal = deeds.refusal_of(
        lambda: services.revise(
            order=order,
            **told,
            declares_classified=False,
            items=sheet.content(made),
            expected_version=sheet.version,
            actor=actor,
            at=at,
        )
    )
    if refusal is None:
        return True
    if not isinstance(refusal, services.StaleVersion):
        sheet.tell(refusal)
        return False
    order.refresh_from_db(fields=["version", "status", "title", "justification", "urgency"])
    now = drafts_of(order)
    if sheet.stands_in(order, now, made):
        return True
    sheet.tell(refusal)
    sheet.find_again(now, order.version)
    return False


def _created(sheet: Sheet, system: System, actor: User, *, at: datetime) -> Order | None:
    """The draft; None after the sheet has been told why there is none."""
    places.require_seen(sheet.named, actor, at=at)
    made = sheet.made()
    if made is None or sheet.heading is None:
        return None
    told = {name: sheet.heading.values[name] for name in ("title", "justification", "urgency")}
    orders: list[Order] = []
    refusal = deeds.refusal_of(
        lambda: orders.append(
            services.draft(
                system=system,
                **told,
                declares_classified=False,
                items=sheet.content(made),
                actor=actor,
                at=at,
            )
        )
    )
    if refusal is not None:
        sheet.tell(refusal)
    return orders[0] if orders else None


def _refused_as_classified(heading: Heading, actor: User, *, at: datetime) -> Refused | None:
    """Declared work is refused before anything else of what was sent is read."""
    if not heading.classified:
        return None
    return deeds.attempt(lambda: services.refuse_classified(declared=heading.classified, actor=actor, at=at))


def _first(sheet: Sheet, slug: str, request: HttpRequest) -> None:
    """An item to begin with, for something that stands if that is named (``?target=``)."""
    if sheet.offers is None:
        return
    target = request.GET.get("target", "").replace("\0", "")[:36]
    slot = sheet.add(slug, {"target": target} if target else None)
    _complete(sheet, sheet.offers)
    if target and len(slot.choice.fields) > 1:
        slot.begins = slot.choice.fields[1].key


def _complete(sheet: Sheet, offers: Offers) -> None:
    """With a server that would lack them: its network, and the off-site backup that its system must have."""
    (slot,) = sheet.slots
    slot.begins = slot.choice.fields[0].key
    if slot.choice.slug != "server":
        return
    if needs_network(sheet.drafts, offers):
        slot.values["network"], slot.begins = ON_THIS_PAGE, ""
        sheet.add("network").begins = "name"
        sheet.slots.reverse()
        sheet.renumber()
    if needs_backup(sheet.drafts, offers):
        sheet.add("backup", {"off_site": YES})


def asked(request: HttpRequest, number: str) -> tuple[Order, User, datetime]:
    """The order, who asks, and when. Raises Http404, audited where it is foreign, and PermissionDenied for who cannot write it."""
    actor, at = cast("User", request.user), clock.now()
    found = order_views.visible(number, actor, at=at)
    places.require_applicant(found.system, actor, at=at)
    return found, actor, at


def barred_from(request: HttpRequest, found: Order, actor: User, *, at: datetime) -> HttpResponse | None:
    """The order's page, where it cannot be written any more."""
    try:
        require_editable(found)
    except NotEditable as error:
        watching.note(code=error.code)
        return order_views.page(request, found, actor, at=at, refused=Refused(error.detail, 409))
    return None


def _heading_of(order: Order) -> dict[str, Any]:
    """What is said of it, as it stands. That it is not classified was declared when that was written."""
    return {
        "title": order.title,
        "justification": order.justification,
        "urgency": order.urgency,
        "declares_classified": False,
    }


def version_of(request: HttpRequest) -> int:
    """Of the order, as the form had it."""
    return version_in(request.POST.get("version", ""))


def _begin(
    request: HttpRequest,
    sheet: Sheet,
    system: System | None,
    actor: User,
    *,
    at: datetime,
    refused: Refused | None = None,
) -> HttpResponse:
    """The page of a new order: first what it is for, then its items."""
    menu: list[System] | None = None
    if system is None or not sheet.slots:
        rows = places.orderable(actor, at=at).order_by("name", "code")
        found = list(rows[: MOST_IN_A_MENU + 1])
        menu = found if len(found) <= MOST_IN_A_MENU else None
    context = {
        "sheet": sheet,
        "system": system,
        "systems": menu,
        "code": request.POST.get("system", request.GET.get("system", ""))[:80],
        "choices": [each for each in CHOICES.values() if each.creates],
        "changes": [each for each in CHOICES.values() if not each.creates],
        "refused": refused,
        "at": at,
    }
    return render(request, "portal/writing/new.html", context, status=_status(sheet, refused))


def _page(
    request: HttpRequest, sheet: Sheet, order: Order, *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    context = {"sheet": sheet, "order": order, "refused": refused, "at": at}
    return render(request, "portal/writing/page.html", context, status=_status(sheet, refused))


def _status(sheet: Sheet, refused: Refused | None) -> int:
    if refused is not None:
        return refused.status
    return 422 if sheet.wrong else 200
