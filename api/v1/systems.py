"""Application systems: registered, changed, retired; and who answers for one."""

from typing import Any, cast

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body, integer
from api.endpoints import Listed, Retrieved
from api.etags import etag_of, expected_version
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.problems import NotAllowed
from api.references import find
from api.v1.cloud_bodies import Why
from api.v1.tenants import DepartmentRef
from govcloud.organisation import systems
from govcloud.organisation.policies import OF_A_UNIT, REGISTRARS, require_for_system
from tenants import owners, services
from tenants.models import DataClass, Department, NetworkZone, ServiceScope, System
from tenants.owners import LONGEST_MAIL, LONGEST_NAME, Owner
from tenants.policies import require


class OwnerAnswer(serializers.Serializer[Owner]):
    name = serializers.CharField()
    phone = serializers.CharField()
    email = serializers.CharField()


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
    data_class = serializers.ChoiceField(
        DataClass.choices, allow_blank=True, help_text="the gravest in it; empty: not said yet"
    )
    service_scope = serializers.ChoiceField(
        ServiceScope.choices, allow_blank=True, help_text="whom it serves; empty: not said yet"
    )
    authority = DepartmentRef(allow_null=True, help_text="the competent authority")
    owner = serializers.SerializerMethodField(help_text="masked")
    version = serializers.IntegerField(help_text="its ETag, to be sent as If-Match with a change")
    created_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(OwnerAnswer)
    def get_owner(self, system: System) -> Any:
        return OwnerAnswer(owners.masked_owner_of(system)).data


class SystemFilters(filters.FilterSet):  # type: ignore[misc]
    department = filters.UUIDFilter("department__uuid")
    authority = filters.UUIDFilter("authority__uuid")
    zone = filters.ChoiceFilter(choices=NetworkZone.choices)
    mlps_level = filters.NumberFilter()
    dr_level = filters.NumberFilter()
    data_class = filters.ChoiceFilter(choices=DataClass.choices)
    service_scope = filters.ChoiceFilter(choices=ServiceScope.choices)
    retired = TrueOrFalseFilter("retired_at", lookup_expr="isnull", exclude=True)


class OwnerBody(Body):
    name = serializers.CharField(max_length=LONGEST_NAME, allow_blank=True, default="")
    phone = serializers.CharField(max_length=40, allow_blank=True, default="")
    email = serializers.CharField(max_length=LONGEST_MAIL, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> Any:
        return Owner(**attrs)


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
    data_class = serializers.ChoiceField(DataClass.choices, allow_blank=True, default="")
    service_scope = serializers.ChoiceField(ServiceScope.choices, allow_blank=True, default="")
    authority = serializers.UUIDField(
        allow_null=True, default=None, help_text="the competent authority, a department"
    )
    owner = OwnerBody(required=False, help_text="kept encrypted; answered masked")


class SystemChange(Body):
    name = serializers.CharField(max_length=120, required=False)
    name_en = serializers.CharField(max_length=160, allow_blank=True, required=False)
    mlps_level = integer(required=False, help_text="GB/T 22240")
    filing_number = serializers.CharField(max_length=40, allow_blank=True, required=False)
    cryptography_assessed_on = serializers.DateField(allow_null=True, required=False)
    zone = serializers.ChoiceField(NetworkZone.choices, required=False)
    dr_level = integer(required=False, help_text="GB/T 20988")
    data_class = serializers.ChoiceField(DataClass.choices, allow_blank=True, required=False)
    service_scope = serializers.ChoiceField(ServiceScope.choices, allow_blank=True, required=False)
    authority = serializers.UUIDField(allow_null=True, required=False)
    owner = OwnerBody(required=False, help_text="replaces the one there is; empty fields remove it")


class Systems(Listed[System], Retrieved[System]):
    queryset = System.objects.select_related("department")
    serializer_class = SystemAnswer
    filterset_class = SystemFilters
    search_fields = ("code", "name", "name_en", "filing_number")
    ordering_fields = ("code", "name", "mlps_level", "created_at")
    versioned = frozenset({"partial_update"})
    refusals = {"owner": (owners.OwnerUnreadable,)}

    def get_queryset(self) -> QuerySet[System]:
        rows = System.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("department", "authority", "sealed_owner")

    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them."""
        return self.answer(self.get_object())

    def answer(self, system: System, *, status: int = 200, **headers: str) -> Response:
        fresh = self.get_queryset().get(pk=system.pk)
        told = {"ETag": etag_of(fresh), **headers}
        return Response(self.get_serializer(fresh).data, status=status, headers=told)

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
        require(self.actor, *OF_A_UNIT, *REGISTRARS, at=self.at, department=department)
        self.name_authority(given)
        system = services.register_system(department=department, **given, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": system.uuid})
        return self.answer(system, status=201, Location=location)

    @extend_schema(request=SystemChange, responses=SystemAnswer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Change what is named. A system of which things stand is held to what its next order would ask."""
        system = self.get_object()
        require_for_system(system=system, actor=self.actor, at=self.at)
        version = expected_version(request, system)
        changes = self.parsed(SystemChange)
        owner = changes.pop("owner", None)
        self.name_authority(changes)
        changed = systems.change(
            system=system, changes=changes, owner=owner, expected_version=version,
            actor=self.actor, at=self.at,
        )  # fmt: skip
        return self.answer(changed)

    @extend_schema(request=Why, responses=SystemAnswer)
    @action(detail=True, methods=["post"])
    def retirement(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Retire it for good, once nothing of it stands or is on its way."""
        system = self.get_object()
        require_for_system(system=system, actor=self.actor, at=self.at)
        reason = self.parsed(Why)["reason"]
        return self.answer(systems.retire(system=system, reason=reason, actor=self.actor, at=self.at))

    @extend_schema(responses=OwnerAnswer)
    @action(detail=True, methods=["get"])
    def owner(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Who answers for it, in full, for its own department and the centre's registrars. That it was read is audited."""
        system = self.get_object()
        if not systems.admits_to_owner(system=system, actor=self.actor, at=self.at):
            raise NotAllowed
        return Response(OwnerAnswer(cast("Any", owners.owner_of(system))).data)

    def name_authority(self, given: dict[str, Any]) -> None:
        """Any department can be in charge of a system, also one that the actor does not see."""
        if given.get("authority") is not None:
            given["authority"] = find(
                visible=Department.objects.all(),
                actor=self.actor,
                at=self.at,
                pointer="/authority",
                uuid=given["authority"],
            )
