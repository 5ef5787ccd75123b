"""Resources as built: servers, volumes, networks, backup allowances and object containers of the application systems."""

from typing import Any

import django_filters as filters
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet, Subquery
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.v1.catalog import Named
from api.v1.operations import OperationAnswer, with_progress
from api.v1.recovery_points import LegalHoldAnswer, LegalHoldBody
from api.v1.resource_actions import ANY_ACTION, PossibilityAnswer, parsed
from api.v1.tenants import SystemRef
from govcloud.clouds.refusals import CredentialsRefused
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Address,
    BackupAllowance,
    Container,
    FloatingAddress,
    Guest,
    LoginKey,
    Network,
    Power,
    Resource,
    ResourceKind,
    Server,
    Volume,
    VolumeRole,
)
from govcloud.protection import holds
from govcloud.provisioning import container_usage
from govcloud.provisioning.actions import requests
from govcloud.provisioning.consoles import CloudDoesNotAnswer
from govcloud.provisioning.models import Operation
from tenants.models import NetworkZone


class ServerAnswer(serializers.Serializer[Server]):
    flavor = Named()
    image = Named()
    vcpus = serializers.IntegerField()
    memory_gb = serializers.IntegerField()
    power = serializers.ChoiceField(Power.choices)
    suspended_at = serializers.DateTimeField(
        allow_null=True, help_text="since when it is stopped because its lease ended"
    )
    guest = serializers.ChoiceField(
        Guest.choices, help_text="whether playbooks can enter it; what was taken over does not have our key"
    )
    configured_at = serializers.DateTimeField(
        allow_null=True,
        help_text="when its security baseline was last confirmed by a run that changed nothing",
    )


class VolumeAnswer(serializers.Serializer[Volume]):
    server = serializers.UUIDField(source="server.resource.uuid", default=None, allow_null=True)
    role = serializers.ChoiceField(VolumeRole.choices)
    storage_class = Named()
    size_gb = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]
    mount_point = serializers.CharField()


class NetworkAnswer(serializers.Serializer[Network]):
    cidr = serializers.CharField()
    gateway = serializers.CharField()
    router_id = serializers.CharField(
        help_text="id in the cloud of the router that leads out of it; empty: it is not connected to the outside"
    )
    outside_address = serializers.IPAddressField(
        allow_null=True, help_text="under which its servers are seen from outside"
    )


class AllowanceAnswer(serializers.Serializer[BackupAllowance]):
    dr_level = serializers.IntegerField(source="tier.level")
    capacity_gb = serializers.IntegerField()
    off_site = serializers.BooleanField()


class ContainerAnswer(serializers.Serializer[Container]):
    storage_class = Named()
    quota_gb = serializers.IntegerField()
    bytes_used = serializers.IntegerField(
        allow_null=True, help_text="as the cloud counted it last; null: nobody has looked yet"
    )
    objects = serializers.IntegerField(source="objects_held", allow_null=True)
    counted_at = serializers.DateTimeField(allow_null=True)


class ResourceAnswer(Answer):
    """Of ``server``, ``volume``, ``network``, ``backup`` and ``container`` the one of its kind is filled, the others are null."""

    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(ResourceKind.choices)
    name = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    system = SystemRef()
    order = serializers.UUIDField(source="thread", allow_null=True)
    cloud = serializers.CharField(source="cloud.code")
    zone = serializers.ChoiceField(NetworkZone.choices)
    external_id = serializers.CharField(help_text="its id in the cloud; empty for a backup allowance")
    address = serializers.IPAddressField(allow_null=True, help_text="of a server")
    further_addresses = serializers.ListField(
        child=serializers.IPAddressField(), help_text="of a server's other interfaces"
    )
    floating_address = serializers.IPAddressField(
        allow_null=True, help_text="by which a server is reached from outside its network"
    )
    login_keys = serializers.ListField(
        child=serializers.CharField(), help_text="fingerprints of the SSH keys that a server lets in"
    )
    built_at = serializers.DateTimeField()
    billing_start = serializers.DateTimeField()
    lease_end = serializers.DateTimeField(allow_null=True)
    released_at = serializers.DateTimeField(allow_null=True)
    server = ServerAnswer(default=None, allow_null=True)
    volume = VolumeAnswer(default=None, allow_null=True)
    network = NetworkAnswer(default=None, allow_null=True)
    backup = AllowanceAnswer(default=None, allow_null=True)
    container = ContainerAnswer(default=None, allow_null=True)


class ResourceFilters(filters.FilterSet):  # type: ignore[misc]
    system = filters.UUIDFilter("system__uuid")
    department = filters.UUIDFilter("system__department__uuid")
    order = filters.UUIDFilter("thread")
    kind = filters.ChoiceFilter(choices=ResourceKind.choices)
    status = filters.MultipleChoiceFilter(choices=Status.choices)
    zone = filters.ChoiceFilter(choices=NetworkZone.choices)
    cloud = filters.CharFilter("cloud__code")
    server = filters.UUIDFilter("volume__server__resource__uuid", label="volumes of this server")
    lease_ends_before = filters.IsoDateTimeFilter("lease_end", lookup_expr="lt")


def with_ways_in(rows: QuerySet[Resource]) -> QuerySet[Resource]:
    """Adds a server's addresses, inside and outside, and whose keys it lets in, in the same query."""
    given = Address.objects.filter(unit=OuterRef("unit"), released_at__isnull=True).values("address")[:1]
    further = Address.objects.filter(server=OuterRef("pk"), released_at__isnull=True).order_by("pk")
    outside = FloatingAddress.objects.filter(server=OuterRef("pk"), released_at__isnull=True)
    keys = LoginKey.objects.filter(server=OuterRef("pk")).order_by("pk")
    return rows.annotate(
        address=Subquery(given),
        further_addresses=ArraySubquery(further.values("address")),
        floating_address=Subquery(outside.values("address")[:1]),
        login_keys=ArraySubquery(keys.values("fingerprint")),
    )


class Resources(Listed[Resource], Retrieved[Resource]):
    queryset = Resource.objects.with_particulars()
    serializer_class = ResourceAnswer
    filterset_class = ResourceFilters
    search_fields = ("name", "external_id", "system__name", "system__name_en")
    ordering_fields = ("name", "built_at", "lease_end", "status", "kind")
    refusals = {"count": (CloudDoesNotAnswer, CredentialsRefused)}
    roles = {"legal_hold": holds.KEEPERS, "legal_hold_lifting": holds.KEEPERS}

    def get_queryset(self) -> QuerySet[Resource]:
        return with_ways_in(Resource.objects.visible_to(self.actor, at=self.at).with_particulars())

    @extend_schema(request=None, responses=ResourceAnswer)
    @action(detail=True, methods=["post"])
    def count(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Have the cloud count what an object container holds now."""
        container_usage.count(resource=self.get_object(), actor=self.actor, at=self.at)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=LegalHoldBody, responses={201: LegalHoldAnswer})
    @action(detail=True, methods=["post"], url_path="legal-hold")
    def legal_hold(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Keep an object container from being released until the hold is lifted."""
        reason = self.parsed(LegalHoldBody)["reason"]
        hold = holds.place_on_container(
            resource=self.get_object(), reason=reason, actor=self.actor, at=self.at
        )
        return Response(LegalHoldAnswer(hold).data, status=201)

    @extend_schema(request=LegalHoldBody, responses=LegalHoldAnswer)
    @action(detail=True, methods=["post"], url_path="legal-hold-lifting")
    def legal_hold_lifting(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Lift an object container's legal hold."""
        reason = self.parsed(LegalHoldBody)["reason"]
        hold = holds.lift_from_container(
            resource=self.get_object(), reason=reason, actor=self.actor, at=self.at
        )
        return Response(LegalHoldAnswer(hold).data)

    @extend_schema(responses=PossibilityAnswer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def actions(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """What can be done to it directly, without an order: now and by you, or why not."""
        found = requests.possibilities(resource=self.get_object(), actor=self.actor, at=self.at)
        return self.whole(found, PossibilityAnswer)

    @extend_schema(request=ANY_ACTION, responses={202: OperationAnswer})
    @actions.mapping.post
    def act(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Do something to it. The answer is the operation that does it; until that ends it takes nothing else."""
        resource = self.get_object()
        wanted, parameters = parsed(request.data)
        started = requests.request(
            resource=resource, action=wanted, parameters=parameters, actor=self.actor, at=self.at
        )
        rows = with_progress(Operation.objects.select_related("system__department", "cloud", "resource"))
        return Response(OperationAnswer(rows.get(pk=started.pk)).data, status=202)
