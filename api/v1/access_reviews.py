"""Access reviews: every role that somebody holds is confirmed or ended, and the evidence kept."""

from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.references import find
from api.v1.cloud_bodies import Why
from api.v1.people import PersonRef
from api.v1.tenants import DepartmentRef
from govcloud.organisation import reviews
from govcloud.organisation.lifecycle import ReviewStatus, Verdict
from govcloud.organisation.models import AccessReview, ReviewLine
from tenants.models import Department, Role

READERS = (Role.SECURITY_ADMIN, Role.AUDIT_ADMIN, Role.SUPERVISOR, Role.UNIT_APPROVER)
REVIEWERS = (Role.SECURITY_ADMIN, Role.UNIT_APPROVER)
MOST_UNITS = 500


class AccessReviewAnswer(Answer):
    uuid = serializers.UUIDField()
    title = serializers.CharField()
    status = serializers.ChoiceField(ReviewStatus.choices)
    opened_by = PersonRef()
    opened_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    total = serializers.IntegerField(help_text="roles in it, of those that you see")
    pending = serializers.IntegerField(help_text="of them, that nobody has decided on")


class OpeningBody(Body):
    title = serializers.CharField(max_length=120)
    departments = serializers.ListField(
        child=serializers.UUIDField(),
        default=list,
        max_length=MOST_UNITS,
        help_text="each with all below it; none: everybody, the centre's own roles too",
    )
    due_at = serializers.DateTimeField()


class AccessReviewFilters(filters.FilterSet):  # type: ignore[misc]
    status = filters.ChoiceFilter(choices=ReviewStatus.choices)


class AccessReviews(Listed[AccessReview], Retrieved[AccessReview]):
    queryset = AccessReview.objects.all()
    serializer_class = AccessReviewAnswer
    filterset_class = AccessReviewFilters
    search_fields = ("title",)
    ordering_fields = ("opened_at", "due_at", "title")
    roles = {
        "list": READERS,
        "retrieve": READERS,
        "create": (Role.SECURITY_ADMIN,),
        "closing": (Role.SECURITY_ADMIN,),
    }

    def get_queryset(self) -> QuerySet[AccessReview]:
        rows = AccessReview.objects.visible_to(self.actor, at=self.at).counted(self.actor, at=self.at)
        return rows.select_related("opened_by").order_by("-id")

    @extend_schema(request=OpeningBody, responses={201: AccessReviewAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Open a review of the roles that are held now in the units named."""
        given = self.parsed(OpeningBody)
        departments = [
            find(
                visible=Department.objects.all(),
                actor=self.actor,
                at=self.at,
                pointer=f"/departments/{position}",
                uuid=uuid,
            )
            for position, uuid in enumerate(given["departments"])
        ]
        review = reviews.open_review(
            title=given["title"],
            departments=departments,
            due_at=given["due_at"],
            actor=self.actor,
            at=self.at,
        )
        location = self.reverse_action("detail", kwargs={"uuid": review.uuid})
        answer = self.get_serializer(self.get_queryset().get(pk=review.pk))
        return Response(answer.data, status=201, headers={"Location": location})

    @extend_schema(request=Why, responses=AccessReviewAnswer)
    @action(detail=True, methods=["post"])
    def closing(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Close it: before its deadline only when everything is decided. What is not stays in the evidence as such."""
        review, reason = self.get_object(), self.parsed(Why)["reason"]
        reviews.close(review=review, reason=reason, actor=self.actor, at=self.at)
        return Response(self.get_serializer(self.get_object()).data)


class ReviewRef(serializers.Serializer[AccessReview]):
    uuid = serializers.UUIDField()
    title = serializers.CharField()
    due_at = serializers.DateTimeField()


class ReviewLineAnswer(Answer):
    uuid = serializers.UUIDField()
    review = ReviewRef()
    person = PersonRef(source="membership.user")
    role = serializers.ChoiceField(Role.choices, source="membership.role")
    department = DepartmentRef(allow_null=True)
    held_since = serializers.DateTimeField(source="membership.valid_from")
    verdict = serializers.ChoiceField(Verdict.choices)
    decided_by = PersonRef(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()


class VerdictBody(Body):
    verdict = serializers.ChoiceField(
        [(each.value, each.label) for each in (Verdict.CONFIRMED, Verdict.ENDED)]
    )
    reason = serializers.CharField(
        max_length=500, allow_blank=True, default="", help_text="needed to end a role"
    )


class ReviewLineFilters(filters.FilterSet):  # type: ignore[misc]
    review = filters.UUIDFilter("review__uuid")
    department = filters.UUIDFilter("department__uuid")
    verdict = filters.ChoiceFilter(choices=Verdict.choices)
    overdue = TrueOrFalseFilter(method="late", label="undecided after the deadline")

    def late(self, rows: Any, _name: str, value: bool) -> Any:  # noqa: FBT001  as django-filter calls it
        overdue = ReviewLine.objects.overdue(at=self.request.parser_context["view"].at)
        return rows.filter(pk__in=overdue) if value else rows.exclude(pk__in=overdue)


class ReviewLines(Listed[ReviewLine], Retrieved[ReviewLine]):
    queryset = ReviewLine.objects.all()
    serializer_class = ReviewLineAnswer
    filterset_class = ReviewLineFilters
    search_fields = ("membership__user__display_name", "department__name", "department__name_en")
    ordering_fields = ("decided_at", "verdict")
    roles = {"list": READERS, "retrieve": READERS, "decision": REVIEWERS}

    def get_queryset(self) -> QuerySet[ReviewLine]:
        return ReviewLine.objects.visible_to(self.actor, at=self.at).with_particulars().order_by("id")

    @extend_schema(request=VerdictBody, responses=ReviewLineAnswer)
    @action(detail=True, methods=["post"])
    def decision(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Confirm the role, or end it at once. Nobody decides on their own."""
        line, given = self.get_object(), self.parsed(VerdictBody)
        reviews.decide(
            line=line, verdict=given["verdict"], reason=given["reason"], actor=self.actor, at=self.at
        )
        return Response(self.get_serializer(self.get_object()).data)
