"""Divisions, departments and application systems."""

from uuid import UUID

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body, integer
from api.converters import CODE
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.references import find
from govcloud.errors import Invalid
from govcloud.quotas import services as quotas
from tenants import services
from tenants.access.permissions import Permission
from tenants.models import Connection, Department, Division, NetworkZone, Role, System
from tenants.policies import require


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
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class DepartmentFilters(filters.FilterSet):  # type: ignore[misc]
    division = filters.CharFilter("division__code")
    parent = filters.UUIDFilter("parent__uuid")
    connection = filters.ChoiceFilter(choices=Connection.choices)


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


REGISTRARS = (Permission.REGISTER,)


class Departments(Listed[Department], Retrieved[Department]):
    queryset = Department.objects.select_related("division", "parent")
    serializer_class = DepartmentAnswer
    filterset_class = DepartmentFilters
    search_fields = ("name", "name_en", "credit_code")
    ordering_fields = ("path", "name", "created_at")
    roles = {"create": REGISTRARS}

    def get_queryset(self) -> QuerySet[Department]:
        return Department.objects.visible_to(self.actor, at=self.at).select_related("division", "parent")

    @extend_schema(request=DepartmentBody, responses={201: DepartmentAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Register a department. Its quota accounts are opened with nothing on them."""
        given = self.parsed(DepartmentBody)
        division = Division.objects.filter(code=given["division"]).first()
        if division is None:
            raise UnknownDivision(given=given["division"], pointers=("/division",))
        department = services.register_department(
            name=given["name"],
            name_en=given["name_en"],
            credit_code=given["credit_code"],
            division=division,
            parent=self.department(given["parent"], "/parent") if given["parent"] else None,
            connection_status=given["connection"],
            actor=self.actor,
            at=self.at,
        )
        quotas.open_accounts(department=department, limits={}, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": department.uuid})
        return Response(self.get_serializer(department).data, status=201, headers={"Location": location})

    def department(self, uuid: UUID, pointer: str) -> Department:
        return find(visible=self.get_queryset(), actor=self.actor, at=self.at, pointer=pointer, uuid=uuid)


class DepartmentRef(serializers.Serializer[Department]):
    uuid = serializers.UUIDField()
    name = serializers.CharField()
    name_en = serializers.CharField()


class SystemAnswer(Answer):
    uuid = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    department = DepartmentRef()
    mlps_level = serializers.IntegerField(help_text="GB/T 22240")
    filing_number = serializers.CharField()
    cryptography_assessed_on = serializers.DateField(allow_null=True)
    zone = serializers.ChoiceField(NetworkZone.choices)
    dr_level = serializers.IntegerField(help_text="GB/T 20988")
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class SystemFilters(filters.FilterSet):  # type: ignore[misc]
    department = filters.UUIDFilter("department__uuid")
    zone = filters.ChoiceFilter(choices=NetworkZone.choices)
    mlps_level = filters.NumberFilter()
    dr_level = filters.NumberFilter()


class SystemBody(Body):
    department = serializers.UUIDField()
    code = serializers.CharField(max_length=40)
    name = serializers.CharField(max_length=120)
    name_en = serializers.CharField(max_length=160, allow_blank=True, default="")
    mlps_level = integer(help_text="GB/T 22240")
    filing_number = serializers.CharField(max_length=40, allow_blank=True, default="")
    cryptography_assessed_on = serializers.DateField(allow_null=True, default=None)
    zone = serializers.ChoiceField(NetworkZone.choices, default=NetworkZone.PUBLIC)
    dr_level = integer(default=1, help_text="GB/T 20988")
    owner_name = serializers.CharField(
        max_length=80, allow_blank=True, default="", help_text="never shown in lists"
    )


class Systems(Listed[System], Retrieved[System]):
    queryset = System.objects.select_related("department")
    serializer_class = SystemAnswer
    filterset_class = SystemFilters
    search_fields = ("code", "name", "name_en")
    ordering_fields = ("code", "name", "mlps_level", "created_at")

    def get_queryset(self) -> QuerySet[System]:
        return System.objects.visible_to(self.actor, at=self.at).select_related("department")

    @extend_schema(request=SystemBody, responses={201: SystemAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Register an application system of a department."""
        given = self.parsed(SystemBody)
        department = find(
            visible=Department.objects.visible_to(self.actor, at=self.at),
            actor=self.actor,
            at=self.at,
            pointer="/department",
            uuid=given.pop("department"),
        )
        require(self.actor, Role.APPLICANT, *REGISTRARS, at=self.at, department=department)
        system = services.register_system(department=department, **given, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": system.uuid})
        return Response(self.get_serializer(system).data, status=201, headers={"Location": location})


class SystemRef(serializers.Serializer[System]):
    uuid = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    department = DepartmentRef()
