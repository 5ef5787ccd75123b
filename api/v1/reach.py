"""How servers are reached from outside their networks: rules of networks, floating addresses of servers."""

import django_filters as filters
from django.db.models import QuerySet
from rest_framework import serializers

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.v1.people import PersonRef
from api.v1.tenants import SystemRef
from govcloud.inventory.models import FloatingAddress, Protocol, SecurityRule


class SecurityRuleAnswer(Answer):
    uuid = serializers.UUIDField()
    network = serializers.UUIDField(source="network.resource.uuid")
    network_name = serializers.CharField(source="network.resource.name")
    system = SystemRef(source="network.resource.system")
    protocol = serializers.ChoiceField(Protocol.choices)
    port_min = serializers.IntegerField(allow_null=True, help_text="the first; null: all of them")
    port_max = serializers.IntegerField(allow_null=True, help_text="the last")
    remote = serializers.CharField(help_text="who is let in, as a range of addresses")
    description = serializers.CharField()
    external_id = serializers.CharField(help_text="its id in the cloud")
    added_by = PersonRef()
    added_at = serializers.DateTimeField()
    removed_at = serializers.DateTimeField(allow_null=True)


class SecurityRuleFilters(filters.FilterSet):  # type: ignore[misc]
    network = filters.UUIDFilter("network__resource__uuid")
    system = filters.UUIDFilter("network__resource__system__uuid")
    protocol = filters.ChoiceFilter(choices=Protocol.choices)
    in_force = TrueOrFalseFilter("removed_at", lookup_expr="isnull")


class SecurityRules(Listed[SecurityRule], Retrieved[SecurityRule]):
    queryset = SecurityRule.objects.all()
    serializer_class = SecurityRuleAnswer
    filterset_class = SecurityRuleFilters
    search_fields = ("description", "remote", "network__resource__name")
    ordering_fields = ("added_at", "port_min", "remote")

    def get_queryset(self) -> QuerySet[SecurityRule]:
        rows = SecurityRule.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("network__resource__system__department", "added_by")


class FloatingAddressAnswer(Answer):
    uuid = serializers.UUIDField()
    address = serializers.IPAddressField(allow_null=True, help_text="null until the cloud has given it")
    server = serializers.UUIDField(source="server.resource.uuid")
    server_name = serializers.CharField(source="server.resource.name")
    network = serializers.UUIDField(source="network.resource.uuid", help_text="that it leads through")
    system = SystemRef(source="server.resource.system")
    external_id = serializers.CharField(help_text="its id in the cloud")
    reserved_at = serializers.DateTimeField()
    given_at = serializers.DateTimeField(allow_null=True)
    released_at = serializers.DateTimeField(allow_null=True)


class FloatingAddressFilters(filters.FilterSet):  # type: ignore[misc]
    server = filters.UUIDFilter("server__resource__uuid")
    network = filters.UUIDFilter("network__resource__uuid")
    system = filters.UUIDFilter("server__resource__system__uuid")
    in_force = TrueOrFalseFilter("released_at", lookup_expr="isnull")


class FloatingAddresses(Listed[FloatingAddress], Retrieved[FloatingAddress]):
    queryset = FloatingAddress.objects.all()
    serializer_class = FloatingAddressAnswer
    filterset_class = FloatingAddressFilters
    search_fields = ("address", "server__resource__name", "external_id")
    ordering_fields = ("reserved_at", "given_at", "address")

    def get_queryset(self) -> QuerySet[FloatingAddress]:
        rows = FloatingAddress.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("server__resource__system__department", "network__resource")
