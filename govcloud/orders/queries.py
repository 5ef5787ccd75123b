from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q, QuerySet, Value
from django.utils.translation import gettext

from govcloud.orders.lifecycle import OPEN, Status
from tenants.queries import within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from govcloud.inventory.models import Resource
    from govcloud.orders.models import Attachment, Order, Placement, Unit
    from tenants.models import System, User


TEXTS: "models.Field[Any, Any]" = ArrayField(models.TextField())


class Joined(Func):
    """Texts with a blank between them. (``Concat`` guards against nulls, and would have them in the index's expression.)"""

    template = "(%(expressions)s)"
    arg_joiner = " || ' ' || "
    output_field = models.TextField()


class Grams(Func):
    """The single characters and pairs of characters that a text consists of, in capitals (migration 0012); with a second
    argument of 2 the pairs alone.

    One or two Chinese characters are a word; an index of trigrams would not find them. PostgreSQL
    capitalises rows and words alike, by the database's locale.
    """

    function = "govcloud_grams"
    output_field = TEXTS


class OrderQuerySet(models.QuerySet["Order"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "OrderQuerySet":
        return self.filter(within(actor, at=at, path="system__department__path"))

    def mentioning(self, words: "Iterable[str]", *, few: bool = False) -> "OrderQuerySet":
        """Each word is in the number or the title, the name or code of the system, or a name of its department or applicant.

        The longest is looked for by index, and the others in what has it: nobody can tell beforehand how many rows have two
        words, and PostgreSQL, guessing one, would compare every row that has the first with every one that has the second. With ``few``
        (those of one department, say) all rows are read instead, which is less than the index finds everywhere.
        """
        longest_first = sorted(words, key=len, reverse=True)
        by_index = 0 if few else 1
        rows = self
        for word in longest_first[:by_index]:
            rows = rows.filter(pk__in=self._with(word))
        for word in longest_first[by_index:]:
            rows = rows.filter(_spelt(word) | Q(system__in=_systems(word)) | Q(applicant__in=_people(word)))
        return rows

    def _with(self, word: str) -> "QuerySet[Any, Any]":
        """A union, so that each place where the word may be has its index. It takes these rows, not all there are: few of
        them are read one by one.
        """
        rows = self.order_by()
        grams = Grams(Value(word, output_field=models.TextField()), Value(min(2, len(word))))
        titled = rows.alias(grams=Grams(Joined(F("number"), F("title")))).filter(
            _spelt(word), grams__contains=grams
        )
        named = (rows.filter(system__in=_systems(word)), rows.filter(applicant__in=_people(word)))
        return titled.values("pk").union(*(each.values("pk") for each in named), all=True)


def _spelt(word: str) -> Q:
    return Q(number__icontains=word) | Q(title__icontains=word)


def _systems(word: str) -> "QuerySet[System]":
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


@dataclass(frozen=True, slots=True)
class Leaves:
    """Rows for a paginator. The keys of a page are found first, and only its rows are joined and summed up.

    ``dress`` adds what is shown of them. Done to all of them, it would be done to every row that a page far back skips.
    """

    rows: QuerySet[Any]
    dress: Callable[[QuerySet[Any]], QuerySet[Any]]

    def count(self) -> int:
        return self.rows.count()

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, piece: slice) -> QuerySet[Any]:
        keys = self.rows.values("pk")[piece]
        shown = self.dress(self.rows.model._default_manager.filter(pk__in=keys))  # noqa: SLF001
        asked = self.rows.query.order_by
        return shown.order_by(*asked) if asked else shown


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
