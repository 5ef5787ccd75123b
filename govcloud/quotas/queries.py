from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import FilteredRelation, Q
from django.db.models.functions import Coalesce

from govcloud.quotas.lifecycle import RaiseStatus
from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.quotas.models import Crossing, LimitChange, QuotaAccount, TemporaryRaise
    from tenants.models import Department, User


class QuotaAccountQuerySet(models.QuerySet["QuotaAccount"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "QuotaAccountQuerySet":
        return self.filter(within(actor, at=at, path="department__path"))

    def up_the_tree(self, department: "Department", dimensions: Collection[str]) -> "QuotaAccountQuerySet":
        """The accounts of the department and of everything above it, for these dimensions."""
        return self.filter(department__in=department.ancestor_ids, dimension__in=dimensions)

    def in_force_and_lasting(self) -> dict[str, tuple[int | None, int | None]]:
        """By dimension, of one department: the limit, and the one without the temporary raise in force, if there is one."""
        running = FilteredRelation("raises", condition=Q(raises__status=RaiseStatus.RUNNING))
        found = self.annotate(running=running, lasting=Coalesce("running__falls_back_to", "limit"))
        rows = found.values_list("dimension", "limit", "lasting")
        return {dimension: (limit, lasting) for dimension, limit, lasting in rows}

    def locked(self) -> "QuotaAccountQuerySet":
        """Locked until the transaction ends, always in the same order, so that two of us never wait for each other."""
        return self.select_for_update(no_key=True, of=("self",)).order_by("pk")


class LimitChangeQuerySet(models.QuerySet["LimitChange"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "LimitChangeQuerySet":
        return self.filter(within(actor, at=at, path="account__department__path"))


class TemporaryRaiseQuerySet(models.QuerySet["TemporaryRaise"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "TemporaryRaiseQuerySet":
        return self.filter(within(actor, at=at, path="account__department__path"))

    def running(self) -> "TemporaryRaiseQuerySet":
        return self.filter(status=RaiseStatus.RUNNING)

    def due(self, *, at: datetime) -> "TemporaryRaiseQuerySet":
        return self.running().filter(next_run_at__lte=at)


class CrossingQuerySet(models.QuerySet["Crossing"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "CrossingQuerySet":
        return self.filter(within(actor, at=at, path="account__department__path"))

    def in_force(self) -> "CrossingQuerySet":
        return self.filter(cleared_at=None)
