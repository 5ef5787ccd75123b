from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Upper
from django.utils.translation import gettext

from govcloud.among import among
from govcloud.grams import Grams, Joined, grams_of  # noqa: F401  migrations name them here
from govcloud.orders.lifecycle import OPEN, Status
from tenants.queries import within

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from govcloud.inventory.models import Resource
    from govcloud.orders.models import Attachment, Order, Placement, Unit
    from tenants.models import System, User


class OrderQuerySet(models.QuerySet["Order"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "OrderQuerySet":
        return self.filter(within(actor, at=at, path="system__department__path"))

    def mentioning(self, words: "Iterable[str]") -> "OrderQuerySet":
        """Each word is in the number or the title, the name or code of the system, or a name of its department or applicant.

        Whose name a word is in is looked up first, by one query for all words: with the keys at hand every alternative has its
        index, and PostgreSQL knows how many rows to expect. The characters decide only what is read, the spelling what is found.
        """
        words = list(words)
        rows = self.alias(grams=Grams(F("searched")))
        for word, named in zip(words, _named(words), strict=True):
            text = Value(word, output_field=models.TextField())
            # To take a row's characters apart costs more than all else: PostgreSQL asks for names and spelling first.
            rows = rows.filter(
                named | Q(grams__contains=grams_of(word)), named | Q(searched__contains=Upper(text))
            )
        return rows


def _named(words: "Sequence[str]") -> list[Q]:
    """For each word the orders of systems and of people in whose names it is."""
    queries: list[QuerySet[Any, Any]] = []
    for place, word in enumerate(words):
        queries.append(systems_named(word).values_list(Value(place), Value("system"), "pk"))
        queries.append(_people(word).values_list(Value(place), Value("applicant"), "pk"))
    keys: dict[tuple[int, str], list[int]] = {}
    for place, what, key in queries[0].union(*queries[1:], all=True) if queries else ():
        keys.setdefault((place, what), []).append(key)
    return [
        among("system", keys.get((place, "system"), ()))
        | among("applicant", keys.get((place, "applicant"), ()))
        for place in range(len(words))
    ]


def systems_named(word: str) -> "QuerySet[System]":
    """Those in whose name or code, or in whose department's name, the word is."""
    from tenants.models import System  # noqa: PLC0415  the models of orders read this module

    return System.objects.filter(
        Q(name__icontains=word)
        | Q(name_en__icontains=word)
        | Q(code__icontains=word)
        | Q(department__name__icontains=word)
        | Q(department__name_en__icontains=word)
    )


def _people(word: str) -> "QuerySet[User]":
    from tenants.models import User  # noqa: PLC0415  as above

    return User.objects.filter(display_name__icontains=word)


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def in_the_order(self) -> "AttachmentQuerySet":
        return self.filter(removed_before=None)

    def visible_to(self, actor: "User", *, at: datetime) -> "AttachmentQuerySet":
        return self.filter(within(actor, at=at, path="order__system__department__path"))


class PlacementQuerySet(models.QuerySet["Placement"]):
    def waiting(self) -> "PlacementQuerySet":
        return self.filter(cloud=None, called_off_at=None)


def orders_about(
    resources: "Iterable[Resource]", *, statuses: "Iterable[Status]" = OPEN
) -> "QuerySet[Unit, str]":
    """The numbers of orders that are about to change, renew or release resources, give them a volume or put servers on them."""
    from govcloud.orders.models import Action, Unit  # noqa: PLC0415  the models read this module

    about = Q(resource__in=resources) & ~Q(item__action=Action.CREATE)
    comes_to = Q(volume__server__in=resources) | Q(item__server__network__in=resources)
    units = Unit.objects.filter(about | comes_to, item__order__status__in=statuses)
    return units.order_by("item__order").values_list("item__order__number", flat=True)


def claim_on(resource: "Resource") -> str | None:
    """Whether an open order is about to make something else of a resource than it is: its number, in words."""
    number = orders_about([resource]).exclude(item__action="renew").first()
    return gettext("the order %(number)s is about it") % {"number": number} if number else None
