"""What administrators send about clouds."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from api.bodies import Body, ByName, integer
from govcloud.catalog.models import Retyping, Site, Wiping
from govcloud.catalog.networks import LONGEST_PREFIX
from govcloud.clouds.credentials import INTERFACES, CredentialDraft
from govcloud.clouds.services import AvailabilityZoneDraft, NetworkZoneDraft
from tenants.models import NetworkZone


class NetworkZoneBody(Body):
    zone = serializers.ChoiceField(NetworkZone.choices)
    address_pool = serializers.CharField(max_length=43, help_text="CIDR that systems' networks are cut from")
    network_prefix = serializers.IntegerField(min_value=8, max_value=LONGEST_PREFIX, default=26)
    dns_servers = serializers.CharField(
        max_length=200, allow_blank=True, default="", help_text="comma-separated"
    )
    external_network = serializers.CharField(
        max_length=120,
        allow_blank=True,
        default="",
        help_text="what the cloud calls the one that routers lead to; the only one it has if left out",
    )

    def to_internal_value(self, data: Any) -> NetworkZoneDraft:
        return NetworkZoneDraft(**super().to_internal_value(data))


class AvailabilityZoneBody(Body):
    code = serializers.SlugField(max_length=40)
    name = serializers.CharField(max_length=80)
    name_en = serializers.CharField(max_length=120, allow_blank=True, default="")
    compute_zone = serializers.CharField(
        max_length=80, allow_blank=True, default="", help_text="the compute service's name of it"
    )
    volume_zone = serializers.CharField(
        max_length=80, allow_blank=True, default="", help_text="the storage service's name of it"
    )
    mlps_level = integer(default=3, help_text="of the highest systems that it takes")

    def to_internal_value(self, data: Any) -> AvailabilityZoneDraft:
        return AvailabilityZoneDraft(**super().to_internal_value(data))


class CloudChange(Body):
    name = serializers.CharField(max_length=80, required=False)
    name_en = serializers.CharField(max_length=120, allow_blank=True, required=False)
    profile = serializers.CharField(
        max_length=80, allow_blank=True, required=False, help_text="its name in clouds.yaml"
    )
    mlps_level = integer(required=False, help_text="of the highest systems that it takes")
    management_cidr = serializers.CharField(
        max_length=43, allow_blank=True, required=False, help_text="from where guests may be reached"
    )
    online_extend = serializers.BooleanField(required=False, help_text="whether a volume in use can grow")
    retyping = serializers.ChoiceField(
        Retyping.choices,
        required=False,
        help_text="whether volumes can move between storage classes, and when",
    )
    backup_zone = serializers.CharField(
        max_length=80, allow_blank=True, required=False, help_text="where off-site backups go"
    )
    build_width = serializers.IntegerField(
        min_value=1, max_value=1_000, required=False, help_text="servers that are being built at a time"
    )
    sizes_must_match = serializers.BooleanField(
        required=False,
        help_text="whether what differs from the catalogue is kept from being placed there (default: yes)",
    )
    zones = serializers.ListField(child=NetworkZoneBody(), required=False, max_length=10)
    availability_zones = serializers.ListField(child=AvailabilityZoneBody(), required=False, max_length=50)


class CloudBody(CloudChange):
    code = serializers.SlugField(max_length=40)
    name = serializers.CharField(max_length=80)
    site = serializers.ChoiceField(Site.choices)
    domain_id = serializers.CharField(
        max_length=64, default="default", help_text="Keystone domain of the systems' projects"
    )


class CredentialBody(Body):
    default_error_messages = {
        "application-credential": _(
            "An application credential is bound to one project and cannot build in those of systems: "
            "give a user and a password."
        ),
    }

    auth_url = serializers.CharField(max_length=300)
    username = serializers.CharField(max_length=255)
    password = serializers.CharField(max_length=1_000, write_only=True, trim_whitespace=False)
    project_name = serializers.CharField(max_length=255)
    user_domain_name = serializers.CharField(max_length=255, default="Default")
    project_domain_name = serializers.CharField(max_length=255, default="Default")
    region_name = serializers.CharField(max_length=255, allow_blank=True, default="")
    interface = serializers.ChoiceField(INTERFACES, default="public")
    ca_certificate = serializers.CharField(
        max_length=200_000, allow_blank=True, default="", help_text="PEM", trim_whitespace=False
    )
    endpoint_overrides = ByName(
        child=serializers.CharField(max_length=300), default=dict, help_text="addresses by service"
    )

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError for an application credential, by its own code: decision 5 tells why."""
        names = data if isinstance(data, Mapping) else ()
        named = sorted(str(name) for name in names if str(name).startswith("application_credential"))
        if named:
            text = str(self.error_messages["application-credential"])
            raise serializers.ValidationError(
                {name: [ErrorDetail(text, code="application-credential")] for name in named}
            )
        return {"draft": CredentialDraft(**super().to_internal_value(data))}


class NamesBody(Body):
    flavors = ByName(child=serializers.CharField(max_length=120), required=False)
    storage_classes = ByName(child=serializers.CharField(max_length=120), required=False)
    images = ByName(child=serializers.CharField(max_length=120), required=False)
    wiping = ByName(
        child=serializers.ChoiceField(Wiping.choices),
        required=False,
        help_text="by storage class: what the cloud does to the data of what is deleted; those left out stay as they are",
    )


class Why(Body):
    reason = serializers.CharField(max_length=500)
