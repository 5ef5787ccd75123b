"""Why something cannot be taken over as it is, and what stands in a project and counts against its limits."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Obstacle(models.TextChoices):
    ALREADY_OWNED = "already_owned", _("it belongs to a system already")
    OWNED_ELSEWHERE = (
        "owned_elsewhere",
        _("it carries a mark of this product: of another installation, or of what is being built"),
    )
    NOT_AT_REST = "not_at_rest", _("it is neither running nor stopped, neither available nor in use")
    FLAVOR_UNKNOWN = "flavor_unknown", _("no flavor of the catalogue stands for its flavor")
    FLAVOR_DIFFERS = "flavor_differs", _("it has another size than the flavor of the catalogue")
    IMAGE_UNKNOWN = "image_unknown", _("no image of the catalogue stands for the image it was made from")
    CLASS_UNKNOWN = "class_unknown", _("no storage class of the catalogue stands for its volume type")
    PART_UNKNOWN = "part_unknown", _("its availability zone is not registered")
    PART_TOO_LOW = "part_too_low", _("its availability zone takes no systems of this level")
    HAS_SNAPSHOTS = "has_snapshots", _("it has snapshots, which cannot be taken over: delete them")
    SHARED_VOLUME = "shared_volume", _("more than one server has it")
    NO_NETWORK = "no_network", _("none of its interfaces is on a network of the project")
    FOREIGN_NETWORK = "foreign_network", _("one of its interfaces is on a network that does not come along")
    SEVERAL_ADDRESSES = "several_addresses", _("one of its interfaces has not exactly one IPv4 address")
    SUBNETS = "subnets", _("it has not exactly one IPv4 subnet with a gateway")
    SHARED_NETWORK = "shared_network", _("other projects are on it")
    RANGE_TAKEN = "range_taken", _("its range overlaps one that is in use on this cloud")
    VOLUME_STAYS = "volume_stays", _("a volume of it cannot be taken over")
    SERVER_STAYS = "server_stays", _("the server that has it cannot be taken over")


class Counted(models.TextChoices):
    """Fields of ``provisioning.demand.Demand``: what stands in the project besides the candidates."""

    SERVERS = "servers"
    VCPUS = "vcpus"
    MEMORY_MIB = "memory_mib"
    VOLUMES = "volumes"
    VOLUME_GIB = "volume_gib"
    SNAPSHOTS = "snapshots"
    BACKUPS = "backups"
    BACKUP_GIB = "backup_gib"
    SUBNETS = "other_subnets"
    PORTS = "other_ports"
    SECURITY_GROUPS = "other_security_groups"
    SECURITY_GROUP_RULES = "other_security_group_rules"
    ROUTERS = "other_routers"
    ADDRESSES = "other_addresses"
