"""Which operations a list shows: read from the query string, never trusted."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.orders.models import Order
from govcloud.orders.resolution import as_uuid
from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing
from govcloud.portal.templatetags.portal import named
from govcloud.provisioning.actions.base import title_of
from govcloud.provisioning.lifecycle import FINISHED, OperationStatus
from govcloud.provisioning.models import Operation, Step
from govcloud.searching import terms_of
from tenants.models import User

LATELY = timedelta(days=7)

VIEWS: Mapping[str, str | Promise] = {
    "": _("Under way"),
    "parked": _("Waiting for an administrator"),
    "ended": _("Ended in the last seven days"),
    "all": _("All of them"),
}

HEADINGS: tuple[str | Promise, ...] = (
    _("Operation"),
    _("What"),
    _("Order"),
    _("System"),
    _("Cloud"),
    _("Status"),
    _("Steps finished"),
    _("Steps"),
    _("Began"),
    _("Finished"),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """As ``Narrowing``, and by the code of a cloud."""

    view: str = ""
    text: str = ""
    cloud: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str], *, clouds: Collection[str]) -> Self:
        plain, cloud = Narrowing.read(query, views=VIEWS), query.get("cloud", "")
        return cls(plain.view, plain.text, cloud if cloud in clouds else "")

    def query(self, **changes: str | int) -> str:
        values: dict[str, str | int] = {"view": self.view, "q": self.text, "cloud": self.cloud}
        return "?" + urlencode({name: value for name, value in (values | changes).items() if value})


@dataclass(frozen=True, slots=True)
class Shown:
    """``order`` is the number of the order it belongs to; ``finished`` of its ``steps`` are."""

    operation: Operation
    what: str
    order: str
    finished: int
    steps: int


def what(operation: Operation) -> str:
    return title_of(operation.action) if operation.action else str(operation.get_kind_display())


def matching(filters: Filters, actor: User, *, at: datetime) -> QuerySet[Operation]:
    """Narrowed by cloud and words, but not by the view: an order's number, any id, or what is worked on or for whom."""
    rows = Operation.objects.visible_to(actor, at=at)
    if filters.cloud:
        rows = rows.filter(cloud__code=filters.cloud)
    for word in terms_of(filters.text):
        rows = rows.filter(_about(word))
    return rows


def _about(word: str) -> Q:
    if order := Order.objects.filter(number=word.upper()).values_list("uuid", flat=True).first():
        return Q(thread=order)
    if uuid := as_uuid(word):
        return Q(uuid=uuid) | Q(thread=uuid) | Q(resource__uuid=uuid)
    return (
        Q(reason__icontains=word)
        | Q(system__name__icontains=word)
        | Q(system__name_en__icontains=word)
        | Q(Exists(Step.objects.filter(operation=OuterRef("pk"), label__icontains=word)))
    )


def in_view(view: str, *, at: datetime) -> Q:
    match view:
        case "parked":
            return Q(status=OperationStatus.PARKED)
        case "ended":
            return Q(finished_at__gte=at - LATELY)
        case "all":
            return Q()
    return Q(status__in=(OperationStatus.RUNNING, OperationStatus.UNDOING))


def listed(filters: Filters, actor: User, *, at: datetime) -> QuerySet[Operation]:
    """The latest first."""
    rows = matching(filters, actor, at=at).filter(in_view(filters.view, at=at))
    return rows.select_related("cloud", "system").order_by("-id")


def shown(operations: Iterable[Operation], actor: User, *, at: datetime) -> list[Shown]:
    """With their orders and how far they are: two queries, however many there are."""
    rows = list(operations)
    threads = {each.thread for each in rows if each.thread is not None}
    orders = Order.objects.visible_to(actor, at=at).filter(uuid__in=threads)
    numbers: dict[Any, str] = dict(orders.values_list("uuid", "number"))
    counts = _counts(rows)
    return [
        Shown(each, what(each), numbers.get(each.thread, ""), *counts.get(each.pk, (0, 0))) for each in rows
    ]


def _counts(rows: Sequence[Operation]) -> dict[int, tuple[int, int]]:
    steps = Step.objects.filter(operation__in=rows).order_by().values("operation")
    counted = steps.annotate(done=Count("pk", filter=Q(state__in=sorted(FINISHED))), all=Count("pk"))
    return {key: (done, every) for key, done, every in counted.values_list("operation", "done", "all")}


def sheet(operations: Iterable[Operation], actor: User, *, at: datetime) -> Sheet:
    """The list as a file."""
    told = (
        (
            each.operation.reason,
            each.what,
            each.order,
            named(each.operation.system),
            named(each.operation.cloud),
            each.operation.get_status_display(),
            each.finished,
            each.steps,
            local(each.operation.created_at),
            local(each.operation.finished_at),
        )
        for each in shown(operations, actor, at=at)
    )
    return Sheet("operations", _("Operations"), HEADINGS, told)
