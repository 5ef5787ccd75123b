"""The list of orders as a file."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.portal.files import Sheet, local
from govcloud.portal.templatetags.portal import named

HEADINGS: tuple[str | Promise, ...] = (
    _("Number"),
    _("Title"),
    _("Department"),
    _("System"),
    _("Applicant"),
    _("Status"),
    _("Price per month (yuan)"),
    _("Submitted"),
    _("Finished"),
)


def sheet(orders: Iterable[Any]) -> Sheet:
    return Sheet("orders", _("Orders"), HEADINGS, _rows(orders))


def _rows(orders: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    for order in orders:
        yield (
            order.number,
            order.title,
            named(order.system.department),
            named(order.system),
            str(order.applicant),
            order.get_status_display(),
            order.monthly_total,
            local(order.submitted_at),
            local(order.finished_at),
        )
