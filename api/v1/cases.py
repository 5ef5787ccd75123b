"""Cases: matters being decided, and what waits for the person who asks (``?todo=true``)."""

from datetime import datetime
from typing import Any, cast

import django_filters as filters
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.references import find
from api.v1.people import PersonRef
from api.v1.tenants import DepartmentRef
from govcloud.approvals import pauses, reminders, services, sharing
from govcloud.approvals.lifecycle import ConsultationStatus, StageStatus, Status
from govcloud.approvals.models import Answer as Verdict
from govcloud.approvals.models import (
    Case,
    CaseKind,
    CaseStage,
    Confirmation,
    Consultation,
    Decision,
    Manner,
    Quorum,
    Reminder,
    Seat,
    SeatOrigin,
    SeatStatus,
    Verb,
)
from govcloud.approvals.policies import (
    CaseNotOpen,
    DecidedAlready,
    deciders,
    held_for,
    involved_by_deciding,
    open_seats,
    owners,
    require_decider,
    turn_of,
)
from govcloud.approvals.queries import current_stage
from govcloud.approvals.signable import Need, need_of
from tenants.models import Role, User


class DecisionAnswer(serializers.Serializer[Decision]):
    uuid = serializers.UUIDField()
    verb = serializers.ChoiceField(Verb.choices)
    opinion = serializers.CharField(help_text="of an approval with conditions: the conditions")
    decider = PersonRef(allow_null=True, help_text="null: a rule decided; the stage says which")
    on_behalf_of = PersonRef(allow_null=True, help_text="whom a substitute stood in for")
    revision_hash = serializers.CharField()
    at = serializers.DateTimeField()


class SeatAnswer(serializers.Serializer[Seat]):
    uuid = serializers.UUIDField()
    origin = serializers.ChoiceField(SeatOrigin.choices)
    role = serializers.ChoiceField(Role.choices, allow_blank=True, help_text="empty for an added reviewer")
    person = PersonRef(allow_null=True, help_text="null: whoever holds the role")
    given_by = PersonRef(allow_null=True, help_text="who delegated it, or added the reviewer")
    given_for = PersonRef(
        allow_null=True, help_text="whose part it was: that of who gave it, or of whom they stood in for"
    )
    given_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    status = serializers.ChoiceField(SeatStatus.choices)


class StageAnswer(serializers.Serializer[CaseStage]):
    position = serializers.IntegerField()
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    also_roles = serializers.ListField(
        child=serializers.ChoiceField(Role.choices), help_text="roles that countersign"
    )
    quorum = serializers.ChoiceField(Quorum.choices, help_text="how many of each role sign")
    quorum_count = serializers.IntegerField(allow_null=True)
    auto_reason = serializers.CharField(help_text="the rule that decides it; empty where people do")
    auto_reason_en = serializers.CharField()
    working_days = serializers.IntegerField(min_value=0, help_text="limit; 0: the same day")
    status = serializers.ChoiceField(StageStatus.choices)
    since = serializers.DateTimeField(source="opened_at", allow_null=True)
    due_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    revision = serializers.IntegerField()
    decision = DecisionAnswer(allow_null=True, help_text="the one that closed it, or the last one so far")
    decisions = DecisionAnswer(many=True)
    seats = SeatAnswer(many=True, help_text="the signatures it asks for, once its turn has come")
    deciders = serializers.SerializerMethodField(help_text="who may decide it; empty once it is decided")

    @extend_schema(responses=PersonRef(many=True))
    def get_deciders(self, stage: CaseStage) -> list[Any]:
        held = self.context.get("deciders", {})
        match stage.status:
            case StageStatus.CURRENT:
                people = [
                    person
                    for seat in open_seats(stage)
                    for person in ([seat.person] if seat.person else held.get(seat.role, ()))
                ]
            case StageStatus.WAITING if not stage.auto_reason:
                people = [person for role in stage.roles for person in held.get(role, ())]
            case _:
                people = []
        return list(PersonRef(cast("Any", list(dict.fromkeys(people))), many=True).data)


class ConsultationAnswer(Answer):
    uuid = serializers.UUIDField()
    case = serializers.UUIDField(source="stage.case.uuid")
    stage = serializers.CharField(source="stage.code", help_text="code")
    asked_by = PersonRef()
    person = PersonRef(help_text="whose opinion is asked for")
    question = serializers.CharField()
    manner = serializers.ChoiceField(Manner.choices)
    status = serializers.ChoiceField(ConsultationStatus.choices)
    asked_at = serializers.DateTimeField()
    answer = serializers.CharField()
    closed_at = serializers.DateTimeField(allow_null=True)


class ReminderAnswer(serializers.Serializer[Reminder]):
    uuid = serializers.UUIDField()
    stage = serializers.CharField(source="stage.code", help_text="code")
    person = PersonRef()
    text = serializers.CharField()
    at = serializers.DateTimeField()


class ConfirmationAnswer(serializers.Serializer[Confirmation]):
    uuid = serializers.UUIDField()
    asked_at = serializers.DateTimeField(help_text="when all was delivered, or mended")
    due_at = serializers.DateTimeField(help_text="limit of the department's answer")
    answer = serializers.ChoiceField(Verdict.choices, allow_blank=True, help_text="empty: none yet")
    remark = serializers.CharField(help_text="of defects: what is not as it was approved")
    answered_by = PersonRef(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    remedy_due_at = serializers.DateTimeField(
        allow_null=True, help_text="limit for mending defects; null: none reported, or no limit in the flow"
    )
    remedy = serializers.CharField(help_text="what the centre has done about them")
    remedied_by = PersonRef(allow_null=True)
    remedied_at = serializers.DateTimeField(allow_null=True)


class PauseAnswer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="null while it lasts")


class CaseSummary(Answer):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(CaseKind.choices)
    status = serializers.ChoiceField(Status.choices)
    subject_kind = serializers.CharField(help_text="“order”")
    subject = serializers.UUIDField(source="subject_id", help_text="the order's uuid")
    label = serializers.CharField(source="subject_label")  # type: ignore[assignment]
    department = DepartmentRef()
    applicant = PersonRef()
    revision = serializers.IntegerField()
    revision_hash = serializers.CharField(help_text="to be sent with a decision")
    opened_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    fulfilment_due_at = serializers.DateTimeField(
        allow_null=True, help_text="limit for building what was approved; null: none, or not approved yet"
    )
    fulfilled_at = serializers.DateTimeField(allow_null=True)
    stage = serializers.CharField(allow_null=True, help_text="code of the stage that decides now")
    stage_due_at = serializers.DateTimeField(allow_null=True)


class NeedAnswer(serializers.Serializer[Need]):
    stage = serializers.CharField(source="stage.code", help_text="code")
    refused = serializers.BooleanField(
        source="others", help_text="an approval is refused (409): others could approve now"
    )
    text = serializers.CharField()


class CaseDetail(CaseSummary):
    """Also within an order, whose case has no columns added: what decides now is read off the stages."""

    stage = serializers.SerializerMethodField(help_text="code of the stage that decides now")  # type: ignore[assignment]
    stage_due_at = serializers.SerializerMethodField()  # type: ignore[assignment]
    leaves_to_nobody = serializers.SerializerMethodField(
        help_text="where nobody would be left for a signature once the person who asks has approved, as each person signs once"
    )
    pauses = serializers.SerializerMethodField(
        help_text="while it was back for correction: the clock of the whole case stood still"
    )
    stages = StageAnswer(many=True, help_text="in the order in which they were opened, earlier rounds first")
    consultations = serializers.SerializerMethodField(help_text="opinions that were asked for")
    reminders = serializers.SerializerMethodField()
    confirmations = serializers.SerializerMethodField(
        help_text="what the department was asked about the delivery, oldest first"
    )

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_stage(self, case: Case) -> str | None:
        return getattr(_current(case), "code", None)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_stage_due_at(self, case: Case) -> Any:
        stage = _current(case)
        return None if stage is None else serializers.DateTimeField().to_representation(stage.due_at)

    @extend_schema_field(PauseAnswer(many=True))
    def get_pauses(self, case: Case) -> Any:
        return PauseAnswer(cast("Any", list(pauses.of(case, case.stages.all()))), many=True).data

    @extend_schema_field(NeedAnswer(allow_null=True))
    def get_leaves_to_nobody(self, case: Case) -> Any:
        need = _need(case, self.context["actor"], at=self.context["at"])
        return None if need is None else NeedAnswer(need).data

    @extend_schema_field(ConsultationAnswer(many=True))
    def get_consultations(self, case: Case) -> Any:
        if not any(vars(stage)["consulted"] for stage in case.stages.all()):
            return []
        rows = Consultation.objects.filter(stage__case=case)
        asked = rows.select_related("stage__case", "asked_by", "person")
        return ConsultationAnswer(cast("Any", asked), many=True).data

    @extend_schema_field(ReminderAnswer(many=True))
    def get_reminders(self, case: Case) -> Any:
        if not any(vars(stage)["reminded"] for stage in case.stages.all()):
            return []
        rows = Reminder.objects.filter(stage__case=case).select_related("stage", "person")
        return ReminderAnswer(cast("Any", rows), many=True).data

    @extend_schema_field(ConfirmationAnswer(many=True))
    def get_confirmations(self, case: Case) -> Any:
        if case.status != Status.APPROVED:
            return []  # only what was approved is delivered
        rows = Confirmation.objects.with_people().filter(case=case)
        return ConfirmationAnswer(cast("Any", rows), many=True).data


class SharingBody(Body):
    stage = serializers.CharField(max_length=40, help_text="code of the stage that was read")
    person = serializers.UUIDField(help_text="one of GET /cases/{uuid}/people")


class ReviewerBody(SharingBody):
    reason = serializers.CharField(max_length=500)


class DelegationBody(ReviewerBody):
    seat = serializers.UUIDField(
        allow_null=True, default=None, help_text="of a seat that one gave and gives to another; else null"
    )


class ConsultationBody(SharingBody):
    question = serializers.CharField(max_length=2_000)
    manner = serializers.ChoiceField(Manner.choices, default=Manner.ADVISORY)


class ReminderBody(Body):
    text = serializers.CharField(max_length=200, allow_blank=True, default="")


class SeatAgainAnswer(serializers.Serializer[Any]):
    seat = serializers.UUIDField()
    candidates = PersonRef(many=True, help_text="who can have it instead; oneself to take it back")


class PeopleAnswer(serializers.Serializer[Any]):
    """Whoever is not named is refused."""

    candidates = PersonRef(many=True, help_text="who can decide it instead (a delegation)")
    reviewers = PersonRef(many=True, help_text="who can sign it as well")
    consulted = PersonRef(many=True, help_text="who can be asked for an opinion")
    given = SeatAgainAnswer(
        many=True, help_text="the seats that one has given to others who have not signed yet"
    )


class CaseFilters(filters.FilterSet):  # type: ignore[misc]
    todo = TrueOrFalseFilter(
        method="waiting", label="true: only what waits for a decision of the person who asks"
    )
    to_confirm = TrueOrFalseFilter(
        method="confirming",
        label="true: only what was delivered and waits for the person who asks: to confirm it, or to mend its defects",
    )
    status = filters.MultipleChoiceFilter(choices=Status.choices)
    kind = filters.ChoiceFilter(choices=CaseKind.choices)
    department = filters.UUIDFilter("department__uuid")
    subject = filters.UUIDFilter("subject_id")
    due_before = filters.IsoDateTimeFilter("due_at", lookup_expr="lt")

    def waiting(self, rows: QuerySet[Case], _name: str, value: bool) -> QuerySet[Case]:  # noqa: FBT001
        """Narrows what the view lets through to what ``Case.objects.todo`` names."""
        view = self.request.parser_context["view"]
        if not value:
            return rows
        return rows.filter(pk__in=Case.objects.todo(view.actor, at=view.at).values("pk"))

    def confirming(self, rows: QuerySet[Case], _name: str, value: bool) -> QuerySet[Case]:  # noqa: FBT001
        """Narrows what the view lets through to what ``Confirmation.objects.waiting_for`` names."""
        view = self.request.parser_context["view"]
        if not value:
            return rows
        waiting = Confirmation.objects.waiting_for(view.actor, at=view.at)
        return rows.filter(pk__in=waiting.values("case"))


def stage_prefetches(prefix: str = "") -> "list[Prefetch[str, Any, str]]":
    """What stages are answered with, in three queries however many cases."""
    stages = CaseStage.objects.with_asked_noted().order_by("revision", "position")
    decisions = Decision.objects.select_related("decider", "on_behalf_of").order_by("id")
    seats = Seat.objects.select_related("person", "given_by", "given_for")
    return [
        Prefetch(f"{prefix}stages", stages),
        Prefetch(f"{prefix}stages__decisions", decisions),
        Prefetch(f"{prefix}stages__seats", seats),
    ]


def _current(case: Case) -> CaseStage | None:
    return next((stage for stage in case.stages.all() if stage.status == StageStatus.CURRENT), None)


def _need(case: Case, actor: User, *, at: datetime) -> Need | None:
    """What an approval by the actor would leave to nobody; None for who has nothing to sign now."""
    stages = [stage for stage in case.stages.all() if stage.revision == case.revision]
    turn = turn_of(case, stages, actor=actor, at=at)
    return need_of(turn, stages, actor=actor, at=at) if turn else None


def decider_context(case: Case, *, actor: User, at: datetime) -> dict[str, Any]:
    """Who asks, and who may decide the stages of a case that are still open, in one query; for ``CaseDetail``."""
    stages = [stage for stage in case.stages.all() if stage.revision == case.revision]
    unfinished = [s for s in stages if s.status in {StageStatus.CURRENT, StageStatus.WAITING}]
    roles = {role for stage in unfinished for role in stage.roles}
    if not roles:
        return {"deciders": {}, "actor": actor, "at": at}
    without = owners(case) | involved_by_deciding(stages)
    among = held_for(case, roles=roles, at=at)
    people = deciders(department=case.department, roles=roles, without=without, at=at, among=among)
    return {"deciders": people, "actor": actor, "at": at}


def with_stage(rows: QuerySet[Case]) -> QuerySet[Case]:
    """Adds what a list shows of the parties and of the stage that decides now, in the same query."""
    return rows.select_related("department", "applicant").annotate(
        stage=current_stage("code"), stage_due_at=current_stage("due_at")
    )


class Cases(Listed[Case], Retrieved[Case]):
    """Matters being decided. They are decided under their order: ``POST /orders/{uuid}/decisions``."""

    queryset = Case.objects.all()
    serializer_class = CaseSummary
    filterset_class = CaseFilters
    dress = staticmethod(with_stage)
    search_fields = ("subject_label", "department__name", "department__name_en")
    ordering_fields = ("opened_at", "due_at", "status")
    refusals = {"people": (CaseNotOpen, DecidedAlready)}

    def get_queryset(self) -> QuerySet[Case]:
        rows = Case.objects.visible_to(self.actor, at=self.at)
        if self.action == "list":
            return rows
        return with_stage(rows).select_related("submitted_by").prefetch_related(*stage_prefetches())

    @extend_schema(responses=CaseDetail)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them, with the opinions that were asked for and the reminders."""
        return self.answer(self.get_object())

    @extend_schema(request=DelegationBody, responses=CaseDetail)
    @action(detail=True, methods=["post"])
    def delegations(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Give one's seat of the current stage to somebody else, or a seat that one gave to yet another."""
        case, given = self.get_object(), self.parsed(DelegationBody)
        person = self.person(given, sharing.eligible(case=case, at=self.at))
        sharing.delegate(case=case, **{**given, "person": person}, actor=self.actor, at=self.at)
        return self.answer(self.get_object())

    @extend_schema(request=ReviewerBody, responses=CaseDetail)
    @action(detail=True, methods=["post"])
    def reviewers(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Have somebody else sign the current stage as well."""
        case, given = self.get_object(), self.parsed(ReviewerBody)
        person = self.person(given, sharing.eligible(case=case, at=self.at))
        sharing.add_reviewer(case=case, **{**given, "person": person}, actor=self.actor, at=self.at)
        return self.answer(self.get_object())

    @extend_schema(request=ConsultationBody, responses=CaseDetail)
    @action(detail=True, methods=["post"])
    def consultations(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Ask somebody for an opinion on the current stage."""
        case, given = self.get_object(), self.parsed(ConsultationBody)
        person = self.person(given, sharing.consulted(case=case, at=self.at))
        sharing.consult(case=case, **{**given, "person": person}, actor=self.actor, at=self.at)
        return self.answer(self.get_object())

    @extend_schema(request=ReminderBody, responses=CaseDetail)
    @action(detail=True, methods=["post"])
    def reminders(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Ask for the current stage to be decided soon; once a day."""
        case, text = self.get_object(), self.parsed(ReminderBody)["text"]
        reminders.remind(case=case, text=text, actor=self.actor, at=self.at)
        return self.answer(self.get_object())

    @extend_schema(responses=PeopleAnswer)
    @action(detail=True, methods=["get"], filterset_class=None, search_fields=(), ordering_fields=())
    def people(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Who it can be delegated to, added as a reviewer, or asked for an opinion. For those who decide it now or have given it."""
        case = self.get_object()
        found = sharing.offered(case=case, actor=self.actor, at=self.at)
        if not found.again:
            stages = services.stages_of(case)
            current = next((stage.code for stage in stages if stage.status == StageStatus.CURRENT), "")
            require_decider(case, stages, seen=current, revision_hash=None, actor=self.actor, at=self.at)
        people = {
            "candidates": found.delegates,
            "reviewers": found.reviewers,
            "consulted": found.consulted,
            "given": [{"seat": seat.uuid, "candidates": persons} for seat, persons in found.again],
        }
        return Response(PeopleAnswer(people).data)

    def person(self, given: dict[str, Any], known: list[User]) -> User:
        """Whom the body names: anybody whom the case can be shared with, or who has to do with it. Others are not told apart."""
        case = self.get_object()
        everybody = {user.pk for user in known} | owners(case) | {self.actor.pk}
        people = User.objects.filter(pk__in=everybody)
        return find(visible=people, actor=self.actor, at=self.at, pointer="/person", uuid=given["person"])

    def answer(self, case: Case) -> Response:
        """The case as it is now."""
        context = {**self.get_serializer_context(), **decider_context(case, actor=self.actor, at=self.at)}
        return Response(CaseDetail(case, context=context).data)
