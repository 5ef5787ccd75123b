from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Exists, F, OuterRef, Prefetch, Q, Subquery, Value
from django.db.models.functions import Coalesce, NullIf

from govcloud.approvals.lifecycle import ConsultationStatus, StageStatus, Status
from tenants.models import Role
from tenants.policies import allows, scope_of
from tenants.queries import within

if TYPE_CHECKING:
    from collections.abc import Collection

    from govcloud.approvals.models import (
        Absence,
        Case,
        CaseStage,
        Confirmation,
        Consultation,
        FlowVersion,
        Seat,
    )
    from tenants.models import User


class FlowVersionQuerySet(models.QuerySet["FlowVersion"]):
    def in_force(self, *, at: datetime) -> "FlowVersionQuerySet":
        """Published and begun, the last published first: it routes new cases.

        An older one whose time comes later does not take them back: it was superseded.
        """
        return self.filter(published_at__lte=at, in_force_from__lte=at).order_by("-number")

    def telling_superseded(self) -> "FlowVersionQuerySet":
        """Each with ``superseded``: whether a later version begins before it, or with it, so that it never routes anything."""
        return self.annotate(superseded=self._superseding())

    def to_come(self, *, at: datetime) -> "FlowVersionQuerySet":
        """Published and not begun, the next one first; not those that are superseded."""
        coming = self.filter(~self._superseding(), published_at__lte=at, in_force_from__gt=at)
        return coming.order_by("in_force_from")

    def _superseding(self) -> Exists:
        return Exists(
            self.model._default_manager.filter(  # noqa: SLF001
                number__gt=OuterRef("number"), in_force_from__lte=OuterRef("in_force_from")
            )
        )

    def drafts(self) -> "FlowVersionQuerySet":
        return self.filter(published_at=None)


class AbsenceQuerySet(models.QuerySet["Absence"]):
    def in_force(self, *, at: datetime) -> "AbsenceQuerySet":
        return self.filter(starts_at__lte=at, ends_at__gt=at)

    def to_tell(self, *, at: datetime) -> "AbsenceQuerySet":
        """In force, without a word to the substitute yet."""
        return self.in_force(at=at).filter(told_at=None)


class SeatQuerySet(models.QuerySet["Seat"]):
    def open_to(self, person: "User", *, at: datetime) -> "SeatQuerySet":
        """Seats of current stages that the person may take: their own by name, or of a role they hold there, unless they
        have delegated their part in it, or it was delegated for them.
        """
        scope = scope_of(person, at=at)
        named, unnamed = Q(person=person), Q(role__in=scope.roles)
        if person.limited_to is not None:
            named &= Q(role__in=["", *(role for role in Role.values if allows(person, role))])
        for role, path in scope.unit_roles:
            unnamed |= Q(role=role, stage__case__department__path__startswith=path)
        given = self.model._default_manager.filter(  # noqa: SLF001
            Q(given_by=person) | Q(given_for=person), stage=OuterRef("stage"), origin="delegated"
        ).exclude(Q(person=person) | Q(person=F("given_for")))
        return self.filter(
            named | Q(unnamed, ~Exists(given), person=None),
            status="open",
            stage__status=StageStatus.CURRENT,
        )


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "CaseQuerySet":
        return self.filter(within(actor, at=at, path="department__path"))

    def todo(self, actor: "User", *, at: datetime) -> "CaseQuerySet":
        """The cases that wait for this actor, or for one they stand in for: a seat is open to them, and the matter is
        neither their own nor decided by them.
        """
        turn = _seat_for(actor, undecided_by=[actor], at=at)
        for person in stood_in_for(actor, at=at):
            turn |= _seat_for(person, undecided_by=[actor, person], at=at) & ~_applied(person)
        return self.filter(turn & ~_applied(actor), status=Status.OPEN)

    def on_behalf_of(self, person: "User", substitute: "User", *, at: datetime) -> "CaseQuerySet":
        """The cases that wait for this person and that neither of the two has a part in."""
        seat = _seat_for(person, undecided_by=[person, substitute], at=at)
        return self.filter(seat & ~_applied(person) & ~_applied(substitute), status=Status.OPEN)

    def with_stages(self) -> "CaseQuerySet":
        """With every stage and who decided it, in three queries however many cases."""
        from govcloud.approvals.models import Decision  # noqa: PLC0415  the models import this module

        decisions = Decision.objects.select_related("decider", "on_behalf_of").order_by("id")
        return self.prefetch_related("stages", Prefetch("stages__decisions", decisions))


class CaseStageQuerySet(models.QuerySet["CaseStage"]):
    def with_asked_noted(self) -> "CaseStageQuerySet":
        """Adds ``consulted`` and ``reminded``: whether anybody was asked for an opinion there, or reminded. Where nobody was, which is
        the rule, it costs no statement to know.
        """
        from govcloud.approvals.models import Consultation, Reminder  # noqa: PLC0415  the models import this module

        here = {"stage": OuterRef("pk")}
        return self.annotate(
            consulted=Exists(Consultation.objects.filter(**here)),
            reminded=Exists(Reminder.objects.filter(**here)),
        )


class ConfirmationQuerySet(models.QuerySet["Confirmation"]):
    def with_people(self) -> "ConfirmationQuerySet":
        """Oldest first, with who answered and who mended."""
        return self.select_related("answered_by", "remedied_by").order_by("position")

    def waiting_for(self, actor: "User", *, at: datetime) -> "ConfirmationQuerySet":
        """Those that the actor can answer as an applicant of the department, and those whose defects they can mend."""
        scope = scope_of(actor, at=at)
        waits = Q(pk__in=())
        for role, path in scope.unit_roles:
            if role == Role.APPLICANT:
                waits |= Q(answer="", case__department__path__startswith=path)
        if scope.holds(Role.CLOUD_ADMIN):
            waits |= Q(answer="defects", remedied_at=None)
        return self.filter(waits)


class ConsultationQuerySet(models.QuerySet["Consultation"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "ConsultationQuerySet":
        return self.filter(within(actor, at=at, path="stage__case__department__path"))

    def open(self) -> "ConsultationQuerySet":
        return self.filter(status=ConsultationStatus.ASKED)


def current_stage(name: str, *, case: str = "pk") -> Subquery:
    """What the stage that decides now has in a column; ``case`` is where the rows that it is added to have their case."""
    from govcloud.approvals.models import CaseStage  # noqa: PLC0415  the models import this module

    current = CaseStage.objects.filter(case=OuterRef(case), status=StageStatus.CURRENT)
    return Subquery(current.values(name)[:1])


def confirmation_awaited(*, case: str) -> Subquery:
    """What is waited for after the delivery: ``answer`` of the department, or a remedy of ``defects``; null for nothing."""
    from govcloud.approvals.models import Confirmation  # noqa: PLC0415  the models import this module

    waits = Confirmation.objects.filter(~Q(answer="confirmed"), case=OuterRef(case), remedied_at=None)
    return Subquery(waits.values(told=Coalesce(NullIf(F("answer"), Value("")), Value("answer")))[:1])


def stood_in_for(actor: "User", *, at: datetime) -> "list[User]":
    """Whom the actor is the substitute of at the instant. Read once per request, as ``scope_of`` is."""
    from govcloud.approvals.models import Absence  # noqa: PLC0415  the models import this module

    kept: tuple[datetime, list[User]] | None = getattr(actor, "_stood_in_for", None)
    if kept is not None and kept[0] == at:
        return kept[1]
    absences = Absence.objects.in_force(at=at).filter(substitute=actor, person__is_active=True)
    people = [absence.person for absence in absences.select_related("person").order_by("person")]
    for person in people:
        person.limited_to = actor.limited_to  # what somebody acts with opens no more on behalf of another
    actor._stood_in_for = (at, people)  # type: ignore[attr-defined]  # noqa: SLF001
    return people


def _seat_for(person: "User", *, undecided_by: "Collection[User]", at: datetime) -> Q:
    """Cases with a seat open to the person, in whose present revision none of these has decided at an earlier stage.

    Both in one condition: PostgreSQL then begins with the few open seats, and not with the decisions of all open cases.
    """
    from govcloud.approvals.models import Decision, Seat  # noqa: PLC0415  the models import this module

    decided = Decision.objects.filter(
        Q(decider__in=undecided_by) | Q(on_behalf_of__in=undecided_by),
        stage__case=OuterRef("stage__case"),
        stage__revision=OuterRef("stage__revision"),
    )
    seats = Seat.objects.open_to(person, at=at).filter(~Exists(decided), stage__case=OuterRef("pk"))
    return Q(Exists(seats))


def _applied(person: "User") -> Q:
    """Cases for which the person applied, or that they submitted in any revision or wrote of: as ``policies.owners``."""
    submitted = Q(submitted_by=person) | Q(submitters__contains=[person.pk])
    return Q(applicant=person) | submitted | Q(writers__contains=[person.pk])
