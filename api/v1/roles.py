"""Roles: what each may do, who holds which, and administrators' roles that take two to grant."""

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
from api.references import find
from api.v1.people import PersonRef
from api.v1.tenants import DepartmentRef
from govcloud.organisation import appointing
from tenants.access import grants
from tenants.access.models import RequestStatus, RolePermission, RoleRequest
from tenants.access.permissions import Permission
from tenants.models import Department, Membership, Role, User
from tenants.policies import scope_of

GRANTERS = (Role.SECURITY_ADMIN,)


class RolePermissionAnswer(Answer):
    role = serializers.ChoiceField(Role.choices)
    role_name = serializers.CharField(source="get_role_display")
    permission = serializers.ChoiceField(Permission.choices)
    permission_name = serializers.CharField(source="get_permission_display")


class RolePermissionFilters(filters.FilterSet):  # type: ignore[misc]
    role = filters.ChoiceFilter(choices=Role.choices)
    permission = filters.ChoiceFilter(choices=Permission.choices)


class RolePermissions(Listed[RolePermission]):
    """What each role may do. Everybody may know; the three administrators share nothing."""

    queryset = RolePermission.objects.order_by("role", "permission")
    serializer_class = RolePermissionAnswer
    filterset_class = RolePermissionFilters
    search_fields = ("role", "permission")
    ordering_fields = ("role", "permission")


class MembershipAnswer(Answer):
    uuid = serializers.UUIDField()
    user = PersonRef()
    role = serializers.ChoiceField(Role.choices)
    department = DepartmentRef(allow_null=True)
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True)


class MembershipFilters(filters.FilterSet):  # type: ignore[misc]
    user = filters.UUIDFilter("user__uuid")
    role = filters.ChoiceFilter(choices=Role.choices)
    department = filters.UUIDFilter("department__uuid")


class MembershipBody(Body):
    user = serializers.UUIDField()
    role = serializers.ChoiceField(Role.choices)
    department = serializers.UUIDField(
        allow_null=True, default=None, help_text="For roles that are held in one."
    )
    valid_from = serializers.DateTimeField(allow_null=True, default=None, help_text="By default from now on.")
    valid_until = serializers.DateTimeField(allow_null=True, default=None)


class ReasonBody(Body):
    reason = serializers.CharField(max_length=500)


class Memberships(Listed[Membership], Retrieved[Membership]):
    """Roles held now or from a later day on. One's own; security administrators see all, give and take."""

    queryset = Membership.objects.all()
    serializer_class = MembershipAnswer
    filterset_class = MembershipFilters
    search_fields = ("user__username", "user__display_name", "department__name")
    ordering_fields = ("valid_from", "valid_until", "role")
    roles = {"create": GRANTERS, "revocation": GRANTERS}

    def get_queryset(self) -> QuerySet[Membership]:
        rows = Membership.objects.overlapping(self.at, None).select_related("user", "department")
        if not scope_of(self.actor, at=self.at).holds(Role.SECURITY_ADMIN):
            rows = rows.filter(user=self.actor)
        return rows.order_by("pk")

    @extend_schema(request=MembershipBody, responses={201: MembershipAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Grant a role. An administrator's takes two: `POST /role-requests`."""
        given = self.parsed(MembershipBody)
        given["user"] = _person(self, given["user"])
        if given["department"] is not None:
            given["department"] = find(
                visible=Department.objects.all(),
                actor=self.actor,
                at=self.at,
                pointer="/department",
                uuid=given["department"],
            )
        membership = grants.grant(**given, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": membership.uuid})
        return Response(self.get_serializer(membership).data, status=201, headers={"Location": location})

    @extend_schema(request=ReasonBody, responses=MembershipAnswer)
    @action(detail=True, methods=["post"])
    def revocation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Take the role away, at once: the person's sessions end, and tokens can do no more than what is left."""
        membership = self.get_object()
        reason = self.parsed(ReasonBody)["reason"]
        appointing.revoke(membership=membership, actor=self.actor, at=self.at, reason=reason)
        return Response(self.get_serializer(membership).data)


class RoleRequestAnswer(Answer):
    uuid = serializers.UUIDField()
    user = PersonRef()
    role = serializers.ChoiceField(Role.choices)
    reason = serializers.CharField()
    valid_from = serializers.DateTimeField(allow_null=True)
    valid_until = serializers.DateTimeField(allow_null=True)
    status = serializers.ChoiceField(RequestStatus.choices)
    requested_by = PersonRef()
    requested_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Of an open one: afterwards it cannot be confirmed.")
    decided_by = PersonRef(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)


class RoleRequestBody(Body):
    user = serializers.UUIDField()
    role = serializers.ChoiceField(Role.choices)
    reason = serializers.CharField(max_length=500)
    valid_from = serializers.DateTimeField(allow_null=True, default=None)
    valid_until = serializers.DateTimeField(allow_null=True, default=None)


class RoleRequestFilters(filters.FilterSet):  # type: ignore[misc]
    status = filters.ChoiceFilter(choices=RequestStatus.choices)
    role = filters.ChoiceFilter(choices=Role.choices)
    user = filters.UUIDFilter("user__uuid")


class RoleRequests(Listed[RoleRequest], Retrieved[RoleRequest]):
    """Administrators' roles: one security administrator asks, another one confirms."""

    queryset = RoleRequest.objects.all()
    serializer_class = RoleRequestAnswer
    filterset_class = RoleRequestFilters
    search_fields = ("user__username", "user__display_name", "reason")
    ordering_fields = ("requested_at", "expires_at")
    roles = {"create": GRANTERS, "confirmation": GRANTERS, "refusal": GRANTERS}

    def get_queryset(self) -> QuerySet[RoleRequest]:
        rows = RoleRequest.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("user", "requested_by", "decided_by").order_by("-requested_at", "-id")

    @extend_schema(request=RoleRequestBody, responses={201: RoleRequestAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Ask for an administrator's role for somebody else."""
        given = self.parsed(RoleRequestBody)
        given["user"] = _person(self, given["user"])
        asked = appointing.ask(**given, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": asked.uuid})
        return Response(self.get_serializer(asked).data, status=201, headers={"Location": location})

    @extend_schema(request=None, responses=RoleRequestAnswer)
    @action(detail=True, methods=["post"])
    def confirmation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Be the second of the two: the role is held from now on, or from the day that was asked for."""
        asked = self.get_object()
        appointing.confirm(request=asked, actor=self.actor, at=self.at)
        return Response(self.get_serializer(asked).data)

    @extend_schema(request=ReasonBody, responses=RoleRequestAnswer)
    @action(detail=True, methods=["post"])
    def refusal(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Decline it, or take one's own back."""
        asked = self.get_object()
        appointing.decline(
            request=asked, reason=self.parsed(ReasonBody)["reason"], actor=self.actor, at=self.at
        )
        return Response(self.get_serializer(asked).data)


def _person(view: Memberships | RoleRequests, uuid: Any) -> User:
    everybody = User.objects.filter(is_active=True)
    return find(visible=everybody, actor=view.actor, at=view.at, pointer="/user", uuid=uuid)
