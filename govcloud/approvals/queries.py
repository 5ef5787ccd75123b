from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Exists, F, OuterRef, Prefetch, Q

from govcloud.approvals.lifecycle import StageStatus, Status
from tenants.policies import scope_of
from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.approvals.models import Case, FlowVersion
    from tenants.models import User


class FlowVersionQuerySet(models.QuerySet["FlowVersion"]):
    def in_force(self, *, at: datetime) -> "FlowVersionQuerySet":
        """Published and begun, the newest first: the first one routes new cases."""
        return self.filter(published_at__lte=at, in_force_from__lte=at).order_by("-in_force_from", "-number")


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "CaseQuerySet":
        return self.filter(within(actor, at=at, path="department__path"))

    def todo(self, actor: "User", *, at: datetime) -> "CaseQuerySet":
        """The cases that wait for this actor: at a stage of a role they hold there, not their own, not decided by them."""
        from govcloud.approvals.models import Decision  # noqa: PLC0415  the models import this module

        scope = scope_of(actor, at=at)
        turn = Q(stages__role__in=scope.roles)
        for role, path in scope.unit_roles:
            turn |= Q(stages__role=role, department__path__startswith=path)
        decided = Decision.objects.filter(
            decider=actor, stage__case=OuterRef("pk"), stage__revision=OuterRef("revision")
        )
        return (
            self.filter(turn, status=Status.OPEN, stages__status=StageStatus.CURRENT)
            .exclude(Q(applicant=actor) | Q(submitted_by=actor))
            .filter(~Exists(decided))
            .annotate(waiting_since=F("stages__opened_at"), stage_due_at=F("stages__due_at"))
        )

    def with_stages(self) -> "CaseQuerySet":
        """With every stage and who decided it, in two queries however many cases."""
        from govcloud.approvals.models import CaseStage  # noqa: PLC0415  the models import this module

        return self.prefetch_related(
            Prefetch("stages", CaseStage.objects.select_related("decision__decider"))
        )
