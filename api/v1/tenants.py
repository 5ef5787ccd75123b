"""Divisions, departments and application systems."""

import django_filters as filters
from django.db.models import QuerySet
from rest_framework import serializers

from api.converters import CODE
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from tenants.models import Connection, Department, Division, NetworkZone, System


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


class Departments(Listed[Department], Retrieved[Department]):
    queryset = Department.objects.select_related("division", "parent")
    serializer_class = DepartmentAnswer
    filterset_class = DepartmentFilters
    search_fields = ("name", "name_en", "credit_code")
    ordering_fields = ("path", "name", "created_at")

    def get_queryset(self) -> QuerySet[Department]:
        return Department.objects.visible_to(self.actor, at=self.at).select_related("division", "parent")


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


class Systems(Listed[System], Retrieved[System]):
    queryset = System.objects.select_related("department")
    serializer_class = SystemAnswer
    filterset_class = SystemFilters
    search_fields = ("code", "name", "name_en")
    ordering_fields = ("code", "name", "mlps_level", "created_at")

    def get_queryset(self) -> QuerySet[System]:
        return System.objects.visible_to(self.actor, at=self.at).select_related("department")


class SystemRef(serializers.Serializer[System]):
    uuid = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    department = DepartmentRef()
