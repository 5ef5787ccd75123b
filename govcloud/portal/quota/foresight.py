"""What if so much were ordered: the form that asks, and what it would take up the tree."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.functional import Promise

from govcloud.portal.reading import number_in
from govcloud.quotas import services
from govcloud.quotas.models import Dimension
from govcloud.quotas.services import LARGEST_LIMIT, QuotaEffect
from tenants.models import Department


@dataclass(frozen=True, slots=True)
class Asked:
    """A field of the form: what was typed, and whether it is a number that can be asked about."""

    name: str
    label: str | Promise
    typed: str
    amount: int | None

    @property
    def wrong(self) -> bool:
        return bool(self.typed) and self.amount is None


@dataclass(frozen=True, slots=True)
class Foresight:
    """``effects`` are empty until something has been asked."""

    fields: tuple[Asked, ...]
    effects: tuple["Level", ...] = field(default=())

    @property
    def fits(self) -> bool:
        return all(level.effect.fits for level in self.effects)


@dataclass(frozen=True, slots=True)
class Level:
    """One account of one unit: before and after, and what is free then."""

    effect: QuotaEffect

    @property
    def before(self) -> int:
        return self.effect.held + self.effect.used

    @property
    def free(self) -> int | None:
        limit = self.effect.limit
        return None if limit is None else limit - self.effect.after


def foresee(department: Department, query: Mapping[str, str]) -> Foresight:
    """Nothing is held by asking."""
    fields = tuple(_asked(each, query.get(each.value, "").strip()[:20]) for each in Dimension)
    amounts = {each.name: each.amount for each in fields if each.amount}
    if not amounts or any(each.wrong for each in fields):
        return Foresight(fields)
    effects = services.effect(department=department, amounts=amounts)
    return Foresight(fields, tuple(Level(effect) for effect in effects))


def _asked(dimension: Dimension, typed: str) -> Asked:
    return Asked(dimension.value, dimension.label, typed, number_in(typed, most=LARGEST_LIMIT))
