"""The clouds that a demo can build on, and what the catalogue's things are called there."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from govcloud.catalog.models import (
    Cloud,
    CloudFlavor,
    CloudImage,
    CloudStorageClass,
    Flavor,
    Image,
    StorageClass,
    Wiping,
    Zone,
)
from tenants.models import NetworkZone

POOLS = {
    NetworkZone.PUBLIC: "10.110.0.0/16",
    NetworkZone.PRIVATE: "10.120.0.0/16",
    NetworkZone.INTERNET: "10.130.0.0/16",
}


@dataclass(frozen=True, slots=True)
class CloudPlan:
    """A cloud of clouds.yaml; on all of them things bear the catalogue's codes.

    ``flavors`` are those it has (empty: all), ``ordered_gb_per_built_gb`` how much smaller a test cloud builds volumes.
    """

    name: str
    name_en: str
    ssh_proxy_command: str = ""
    flavors: frozenset[str] = frozenset()
    ordered_gb_per_built_gb: int = 1
    online_extend: bool = True
    backup_zone: str = ""
    wiping: Wiping = Wiping.UNDECLARED
    sizes_must_match: bool = True


def plan_of(code: str) -> CloudPlan:
    """What is known of the cloud; one that is not known is taken for a large one whose guests are reached directly."""
    match code:
        case "sandbox":
            reach = Path(settings.BASE_DIR) / "govcloud" / "sandbox" / "reach.py"
            state = Path(settings.VAR_DIR) / "sandbox"
            command = [sys.executable, "-I", "-S", str(reach), "--state", str(state)]
            return CloudPlan(
                "沙箱云",
                "Sandbox cloud",
                f"{shlex.join(command)} {{network_id}}/%h",
                backup_zone="dr",
                wiping=Wiping.UNMAPPED,  # sparse files
            )
        case "devcloud":
            small = frozenset(
                f"{line}.{size}" for line in ("g", "x") for size in ("2c4g", "2c8g", "4c8g", "4c16g")
            )
            return CloudPlan(
                "开发云",
                "Development cloud",
                "ip netns exec qdhcp-{network_id} busybox nc %h %p",
                flavors=small,
                ordered_gb_per_built_gb=200,
                online_extend=False,
                backup_zone="nova",  # its only zone has to stand for another site
                wiping=Wiping.UNMAPPED,  # files on NFS
                sizes_must_match=False,  # emulated guests are small on purpose
            )
        case _:
            return CloudPlan(code, code)


def load(code: str) -> Cloud:
    """The cloud with its zones and names, as this installation reaches it today."""
    plan = plan_of(code)
    reached = {
        "name": plan.name,
        "name_en": plan.name_en,
        "profile": code,
        "ssh_proxy_command": plan.ssh_proxy_command,
        "online_extend": plan.online_extend,
        "backup_zone": plan.backup_zone,
    }
    cloud, _fresh = Cloud.objects.update_or_create(
        code=code,
        defaults=reached,
        # whether sizes have to match is afterwards its administrators' to say
        create_defaults={**reached, "sizes_must_match": plan.sizes_must_match},
    )
    Zone.objects.bulk_create(
        (Zone(cloud=cloud, zone=zone, address_pool=pool) for zone, pool in POOLS.items()),
        ignore_conflicts=True,
    )
    _load_names(cloud, plan)
    return cloud


def _load_names(cloud: Cloud, plan: CloudPlan) -> None:
    CloudFlavor.objects.bulk_create(
        (
            CloudFlavor(cloud=cloud, flavor=flavor, cloud_name=flavor.code)
            for flavor in Flavor.objects.all()
            if not plan.flavors or flavor.code in plan.flavors
        ),
        ignore_conflicts=True,
    )
    CloudStorageClass.objects.bulk_create(
        (
            CloudStorageClass(
                cloud=cloud,
                storage_class=storage_class,
                cloud_name=storage_class.code,
                ordered_gb_per_built_gb=plan.ordered_gb_per_built_gb,
                wiping=plan.wiping,
            )
            for storage_class in StorageClass.objects.all()
        ),
        ignore_conflicts=True,
    )
    CloudImage.objects.bulk_create(
        (CloudImage(cloud=cloud, image=image, cloud_name=image.code) for image in Image.objects.all()),
        ignore_conflicts=True,
    )
