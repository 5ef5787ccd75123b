"""The clouds: everybody signed in sees where things are built; administrators register them and keep them."""

from dataclasses import dataclass
from typing import Any, cast

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Listed, Retrieved, below
from api.etags import etag_of, expected_version
from api.fields import Answer
from api.v1.cloud_bodies import CloudBody, CloudChange, CredentialBody, NamesBody, Why
from api.v1.maintenances import MaintenanceSummary
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud, Retyping, Site, Wiping, Zone
from govcloud.clouds import credentials, names, services
from govcloud.clouds.models import (
    AvailabilityZone,
    HealthChange,
    HealthState,
    Measure,
    ObjectStorage,
    ServiceAnswer,
    SizeDifference,
    Sold,
)
from govcloud.clouds.policies import KEEPERS
from govcloud.clouds.queries import coming
from govcloud.provisioning import capacity
from tenants.models import NetworkZone
from tenants.policies import scope_of


class ZoneAnswer(serializers.Serializer[Zone]):
    zone = serializers.ChoiceField(NetworkZone.choices)
    address_pool = serializers.CharField(help_text="CIDR")
    network_prefix = serializers.IntegerField()
    external_network = serializers.CharField(
        help_text="what the cloud calls the one that routers lead to; empty: the only one it has"
    )


class AvailabilityZoneAnswer(serializers.Serializer[AvailabilityZone]):
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    mlps_level = serializers.IntegerField(help_text="of the highest systems that it takes")


class HealthAnswer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(HealthState.choices)
    since = serializers.DateTimeField()
    looked_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True, help_text="when every service answered last")
    object_storage = serializers.ChoiceField(
        ObjectStorage.choices, help_text="whether it has an object store"
    )


class StoredCapacityAnswer(serializers.Serializer[Any]):
    vcpus_total = serializers.IntegerField(help_text="with overcommit")
    vcpus_used = serializers.IntegerField()
    memory_gb_total = serializers.IntegerField()
    memory_gb_used = serializers.IntegerField()
    read_at = serializers.DateTimeField()


class CloudAnswer(Answer):
    uuid = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    site = serializers.ChoiceField(Site.choices)
    status = serializers.ChoiceField(CloudStatus.choices)
    version = serializers.IntegerField(help_text="its ETag, to be sent as If-Match with a change")
    mlps_level = serializers.IntegerField(help_text="of the highest systems that it takes")
    zones = ZoneAnswer(many=True)
    availability_zones = AvailabilityZoneAnswer(many=True)
    health = HealthAnswer(default=None, allow_null=True)
    capacity = StoredCapacityAnswer(default=None, allow_null=True)
    maintenances = MaintenanceSummary(source="coming", many=True, help_text="in force and to come")


class PromisedAnswer(serializers.Serializer[Any]):
    """What operations that are under way will still take; storage in GB by the cloud's own name of the class."""

    vcpus = serializers.IntegerField()
    memory_gb = serializers.IntegerField()
    storage = serializers.DictField(child=serializers.IntegerField())


class PoolAnswer(serializers.Serializer[Any]):
    name = serializers.CharField()
    total_gb = serializers.DecimalField(18, 2, allow_null=True, help_text="null: its back end does not say")
    free_gb = serializers.DecimalField(18, 2, allow_null=True)


class ServiceAnswerAnswer(serializers.Serializer[ServiceAnswer]):
    service = serializers.CharField()
    state = serializers.ChoiceField(HealthState.choices)
    milliseconds = serializers.IntegerField()
    at = serializers.DateTimeField()


class SizeDifferenceAnswer(serializers.Serializer[SizeDifference]):
    kind = serializers.ChoiceField(Sold.choices)
    code = serializers.CharField(help_text="the catalogue's")
    cloud_name = serializers.CharField(help_text="what it was looked for by")
    measure = serializers.ChoiceField(Measure.choices)
    expected = serializers.IntegerField(help_text="the catalogue's figure; 1 for what is missing")
    found = serializers.IntegerField(help_text="the cloud's; 0 for what is missing")


class CloudTechnical(serializers.Serializer[Any]):
    profile = serializers.CharField(help_text="its name in clouds.yaml; empty where credentials are stored")
    credentials_stored_at = serializers.DateTimeField(
        source="credential.stored_at", default=None, allow_null=True, help_text="they are never shown"
    )
    domain_id = serializers.CharField()
    management_cidr = serializers.CharField()
    online_extend = serializers.BooleanField()
    retyping = serializers.ChoiceField(Retyping.choices)
    backup_zone = serializers.CharField()
    build_width = serializers.IntegerField()
    health_service = serializers.CharField(
        source="health.service", default=None, allow_null=True, help_text="where it failed"
    )
    health_detail = serializers.CharField(
        source="health.detail", default=None, allow_null=True, help_text="the cloud's words"
    )
    services = ServiceAnswerAnswer(source="service_answers", many=True)
    storage = PoolAnswer(source="storage_pools", many=True)
    sizes_must_match = serializers.BooleanField(
        help_text="whether what differs from the catalogue is kept from being placed there"
    )
    sizes_compared_at = serializers.DateTimeField(
        source="health.sizes_compared_at", default=None, allow_null=True
    )
    size_differences = SizeDifferenceAnswer(many=True)


class CloudDetail(CloudAnswer):
    promised = serializers.SerializerMethodField()
    technical = serializers.SerializerMethodField(help_text="for those who keep it")

    @extend_schema_field(PromisedAnswer)
    def get_promised(self, cloud: Cloud) -> Any:
        return PromisedAnswer(cast("Any", capacity.promised([cloud])[cloud.pk])).data

    @extend_schema_field(CloudTechnical(allow_null=True))
    def get_technical(self, cloud: Cloud) -> Any:
        return CloudTechnical(cast("Any", cloud)).data if self.context["technical"] else None


class HealthChangeAnswer(Answer):
    at = serializers.DateTimeField()
    state = serializers.ChoiceField(HealthState.choices)
    service = serializers.CharField()
    detail = serializers.CharField()


class NamesAnswer(serializers.Serializer[Any]):
    flavors = serializers.DictField(child=serializers.CharField())
    storage_classes = serializers.DictField(child=serializers.CharField())
    images = serializers.DictField(child=serializers.CharField())
    wiping = serializers.DictField(
        child=serializers.ChoiceField(Wiping.choices),
        help_text="by storage class: what the cloud does to the data of what is deleted; wipe records say it",
    )


class CloudFilters(filters.FilterSet):  # type: ignore[misc]
    site = filters.ChoiceFilter(choices=Site.choices)
    status = filters.MultipleChoiceFilter(choices=CloudStatus.choices)
    health = filters.MultipleChoiceFilter("health__state", choices=HealthState.choices)


@dataclass(frozen=True, slots=True)
class Given:
    """A body taken apart: plain columns, and the zones where they were sent."""

    columns: dict[str, Any]
    zones: dict[str, Any]

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Given":
        zones: dict[str, Any] = {
            name: body.pop(name) for name in ("zones", "availability_zones") if name in body
        }
        return cls(body, zones)


class Clouds(Listed[Cloud], Retrieved[Cloud]):
    queryset = Cloud.objects.all()
    serializer_class = CloudAnswer
    filterset_class = CloudFilters
    search_fields = ("code", "name", "name_en")
    ordering_fields = ("code", "name", "status")
    versioned = frozenset({"partial_update", "credentials", "set_names"})
    roles = dict.fromkeys(("create", "partial_update", "credentials", "names", "set_names", "activation", "deactivation", "retirement", "health_changes"), KEEPERS)  # fmt: skip

    def get_queryset(self) -> QuerySet[Cloud]:
        return (
            Cloud.objects.select_related("health", "capacity", "credential")
            .prefetch_related("zones", "availability_zones", coming(at=self.at))
            .order_by("code")
        )

    @extend_schema(responses=CloudDetail)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them, with what is promised there; for those who keep it, with how its services answer."""
        return self.answer(self.get_object())

    def answer(self, cloud: Cloud, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        fresh = self.get_queryset().get(pk=cloud.pk)
        scope = scope_of(self.actor, at=self.at)
        context = {
            **self.get_serializer_context(),
            "technical": scope.holds_any(KEEPERS),
        }
        told = {"ETag": etag_of(fresh), **(headers or {})}
        return Response(CloudDetail(fresh, context=context).data, status=status, headers=told)

    @extend_schema(request=CloudBody, responses={201: CloudDetail})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Register a cloud. It is disabled until it has what it needs and somebody activates it."""
        given = self.parsed(CloudBody)
        cloud = services.register(**given, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": cloud.uuid})
        return self.answer(cloud, status=201, headers={"Location": location})

    @extend_schema(request=CloudChange, responses=CloudDetail)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Change what is named. Zones that are sent replace those there are."""
        cloud = self.get_object()
        version = expected_version(request, cloud)
        given = Given.of(self.parsed(CloudChange))
        changed = services.change(
            cloud=cloud,
            changes=given.columns,
            **given.zones,
            expected_version=version,
            actor=self.actor,
            at=self.at,
        )
        return self.answer(changed)

    @extend_schema(request=CredentialBody, responses=CloudDetail)
    @action(detail=True, methods=["put"])
    def credentials(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Store what the cloud is signed in to with, encrypted. It is never shown again, to nobody."""
        cloud = self.get_object()
        version = expected_version(request, cloud)
        draft = self.parsed(CredentialBody)["draft"]
        stored = credentials.store(
            cloud=cloud, draft=draft, expected_version=version, actor=self.actor, at=self.at
        )
        return self.answer(stored)

    @extend_schema(responses=NamesAnswer)
    @action(detail=True, methods=["get"])
    def names(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """What things of the catalogue are called there, by code, and how storage is wiped."""
        cloud = self.get_object()
        return Response(names.declared(cloud), headers={"ETag": etag_of(cloud)})

    @extend_schema(request=NamesBody, responses=NamesAnswer)
    @names.mapping.put
    def set_names(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Replace the names of every kind that is sent. What has no name there cannot be ordered there."""
        cloud = self.get_object()
        version = expected_version(request, cloud)
        given = self.parsed(NamesBody)
        wiping = given.pop("wiping", {})
        cloud = names.set_names(
            cloud=cloud, names=given, wiping=wiping, expected_version=version, actor=self.actor, at=self.at
        )
        return Response(names.declared(cloud), headers={"ETag": etag_of(cloud)})

    @extend_schema(request=None, responses=CloudDetail)
    @action(detail=True, methods=["post"])
    def activation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """From now on things are placed there."""
        return self.answer(services.enable(cloud=self.get_object(), actor=self.actor, at=self.at))

    @extend_schema(request=Why, responses=CloudDetail)
    @action(detail=True, methods=["post"])
    def deactivation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Nothing new is placed there; what stands there is looked after as before."""
        cloud, reason = self.get_object(), self.parsed(Why)["reason"]
        return self.answer(services.disable(cloud=cloud, reason=reason, actor=self.actor, at=self.at))

    @extend_schema(request=Why, responses=CloudDetail)
    @action(detail=True, methods=["post"])
    def retirement(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """For good, once nothing is left there. Its credentials are destroyed."""
        cloud, reason = self.get_object(), self.parsed(Why)["reason"]
        return self.answer(services.retire(cloud=cloud, reason=reason, actor=self.actor, at=self.at))

    @extend_schema(responses=HealthChangeAnswer(many=True))
    @below(url_path="health-changes")
    def health_changes(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """When it answered and when it did not, newest first."""
        return self.paged(HealthChange.objects.filter(cloud=self.get_object()), HealthChangeAnswer)
