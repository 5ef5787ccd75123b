"""Divisions and departments."""

from typing import Any
from uuid import UUID

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.converters import CODE
from api.endpoints import Listed, Retrieved
from api.etags import etag_of, expected_version
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.references import find
from api.v1.cloud_bodies import Why
from govcloud.errors import Invalid
from govcloud.organisation import connecting, units
from govcloud.organisation.policies import REGISTRARS, require_for_connection
from govcloud.quotas import services as quotas
from tenants import services
from tenants.models import Connection, Department, Division, System


class DivisionAnswer(Answer):
    code = serializers.CharField(help_text="GB/T 2260, six digits")
    name = serializers.CharField()
    name_en = serializers.CharField()
    parent = serializers.CharField(  # type: ignore[assignment]
        source="parent.code", default=None, allow_null=True
    )


class DivisionFilters(filters.FilterSet):  # type: ignore[misc]
    parent = filters.CharFilter("parent__code")


class Divisions(Listed[Division], Retrieved[Division]):
    queryset = Division.objects.select_related("parent").order_by("code")
    serializer_class = DivisionAnswer
    filterset_class = DivisionFilters
    search_fields = ("code", "name", "name_en")
    ordering_fields = ("code", "name")
    lookup_field = "code"
    lookup_value_converter = CODE


class DepartmentAnswer(Answer):
    uuid = serializers.UUIDField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    credit_code = serializers.CharField(help_text="GB 32100")
    division = serializers.CharField(source="division.code")
    parent = serializers.UUIDField(  # type: ignore[assignment]
        source="parent.uuid", default=None, allow_null=True
    )
    connection = serializers.ChoiceField(Connection.choices)
    version = serializers.IntegerField(help_text="its ETag, to be sent as If-Match with a change")
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(
        allow_null=True, help_text="since when there is no such unit any more"
    )


class DepartmentFilters(filters.FilterSet):  # type: ignore[misc]
    division = filters.CharFilter("division__code")
    parent = filters.UUIDFilter("parent__uuid")
    connection = filters.ChoiceFilter(choices=Connection.choices)
    below = filters.UUIDFilter(method="in_subtree", label="it and all below it")
    closed = TrueOrFalseFilter("closed_at", lookup_expr="isnull", exclude=True)

    def in_subtree(self, rows: QuerySet[Department], _name: str, value: UUID) -> QuerySet[Department]:
        top = Department.objects.filter(uuid=value).values_list("path", flat=True).first()
        return rows.filter(path__startswith=top) if top else rows.none()


class UnknownDivision(Invalid):
    code = "unknown-division"
    message = _("There is no administrative division “%(given)s”.")


class DepartmentBody(Body):
    name = serializers.CharField(max_length=120)
    name_en = serializers.CharField(max_length=160, allow_blank=True, default="")
    credit_code = serializers.CharField(max_length=40, help_text="GB 32100")
    division = serializers.CharField(max_length=6, help_text="GB/T 2260, six digits")
    parent = serializers.UUIDField(allow_null=True, default=None)  # type: ignore[assignment]
    connection = serializers.ChoiceField(Connection.choices, default=Connection.NOT_CONNECTED)


class DepartmentChange(Body):
    name = serializers.CharField(max_length=120, required=False)
    name_en = serializers.CharField(max_length=160, allow_blank=True, required=False)
    credit_code = serializers.CharField(max_length=40, required=False, help_text="GB 32100")
    division = serializers.CharField(max_length=6, required=False, help_text="GB/T 2260, six digits")


class ConnectionBody(Body):
    connection = serializers.ChoiceField(Connection.choices)
    reason = serializers.CharField(
        max_length=500, allow_blank=True, default="", help_text="needed on the way back"
    )


class MoveBody(Body):
    parent = serializers.UUIDField(  # type: ignore[assignment]
        allow_null=True, help_text="below which it shall stand; null: at the top of the tree"
    )
    reason = serializers.CharField(max_length=500)


class Departments(Listed[Department], Retrieved[Department]):
    queryset = Department.objects.select_related("division", "parent")
    serializer_class = DepartmentAnswer
    filterset_class = DepartmentFilters
    search_fields = ("name", "name_en", "credit_code")
    ordering_fields = ("path", "name", "created_at")
    roles = dict.fromkeys(("create", "partial_update", "move", "closing"), REGISTRARS)
    versioned = frozenset({"partial_update"})

    def get_queryset(self) -> QuerySet[Department]:
        return Department.objects.visible_to(self.actor, at=self.at).select_related("division", "parent")

    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them."""
        return self.answer(self.get_object())

    def answer(self, department: Department, *, status: int = 200, **headers: str) -> Response:
        told = {"ETag": etag_of(department), **headers}
        return Response(self.get_serializer(department).data, status=status, headers=told)

    @extend_schema(request=DepartmentBody, responses={201: DepartmentAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Register a department. Its quota accounts are opened with nothing on them."""
        given = self.parsed(DepartmentBody)
        department = services.register_department(
            name=given["name"],
            name_en=given["name_en"],
            credit_code=given["credit_code"],
            division=division_of(given["division"]),
            parent=self.department(given["parent"], "/parent") if given["parent"] else None,
            connection_status=given["connection"],
            actor=self.actor,
            at=self.at,
        )
        quotas.open_accounts(department=department, limits={}, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": department.uuid})
        return self.answer(department, status=201, Location=location)

    @extend_schema(request=DepartmentChange, responses=DepartmentAnswer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Change what is named."""
        department = self.get_object()
        version = expected_version(request, department)
        changes = self.parsed(DepartmentChange)
        if "division" in changes:
            changes["division"] = division_of(changes["division"])
        changed = units.change(
            department=department, changes=changes, expected_version=version, actor=self.actor, at=self.at
        )
        return self.answer(changed)

    @extend_schema(request=ConnectionBody, responses=DepartmentAnswer)
    @action(detail=True, methods=["post"])
    def connection(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Ask for the connection to the extranet, make it, refuse it, cut it off.

        A department asks, and takes back what it asked; the rest is the centre's.
        """
        department, given = self.get_object(), self.parsed(ConnectionBody)
        to, reason = given["connection"], given["reason"]
        require_for_connection(department=department, to=to, actor=self.actor, at=self.at)
        connecting.change(department=department, to=to, reason=reason, actor=self.actor, at=self.at)
        return self.answer(self.get_object())

    @extend_schema(request=MoveBody, responses=DepartmentAnswer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Put it, with all below it, elsewhere in the tree. Its use counts in its new place from then on."""
        department, given = self.get_object(), self.parsed(MoveBody)
        parent = self.department(given["parent"], "/parent") if given["parent"] else None
        units.move(department=department, parent=parent, reason=given["reason"], actor=self.actor, at=self.at)
        return self.answer(self.get_object())

    @extend_schema(request=Why, responses=DepartmentAnswer)
    @action(detail=True, methods=["post"])
    def closing(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Close it for good, once nothing is open or standing in it. The roles held in it end."""
        department, reason = self.get_object(), self.parsed(Why)["reason"]
        units.close(department=department, reason=reason, actor=self.actor, at=self.at)
        return self.answer(self.get_object())

    def department(self, uuid: UUID, pointer: str) -> Department:
        return find(visible=self.get_queryset(), actor=self.actor, at=self.at, pointer=pointer, uuid=uuid)


def division_of(code: str) -> Division:
    division = Division.objects.filter(code=code).first()
    if division is None:
        raise UnknownDivision(given=code, pointers=("/division",))
    return division


class DepartmentRef(serializers.Serializer[Department]):
    uuid = serializers.UUIDField()
    name = serializers.CharField()
    name_en = serializers.CharField()


class SystemRef(serializers.Serializer[System]):
    uuid = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    department = DepartmentRef()
