"""The words of a finding: what it is about, what is wrong, in which respect, and what can be done."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class FindingKind(models.TextChoices):
    MISSING = "missing", _("recorded, but not in the cloud")
    FOREIGN = "foreign", _("in our project, but not made by us")
    DRIFTED = "drifted", _("different from the record")
    ORPHANED = "orphaned", _("made by us, but known to nothing")
    QUOTA_MISMATCH = "quota_mismatch", _("limit or use that does not add up")


class SubjectKind(models.TextChoices):
    SERVER = "server", _("server")
    VOLUME = "volume", _("storage volume")
    SNAPSHOT = "snapshot", _("snapshot")
    RECOVERY_POINT = "recovery_point", _("recovery point")
    PORT = "port", _("port")
    NETWORK = "network", _("network")
    SECURITY_GROUP = "security_group", _("security group")
    SECURITY_RULE = "security_rule", _("security rule")
    ROUTER = "router", _("router")
    FLOATING_ADDRESS = "floating_address", _("floating address")
    CONTAINER = "container", _("object container")
    PROJECT = "project", _("the system's project")
    ACCOUNT = "account", _("quota account")


class Field(models.TextChoices):
    """In which respect what was found differs. Those with a dot are limits of a project, by service."""

    NAME = "name", _("name")
    FLAVOR = "flavor", _("flavor")
    POWER = "power", _("power")
    STATE = "state", _("state")
    PROJECT = "project", _("project that it belongs to")
    MARK = "mark", _("mark by which we know it")
    SIZE = "size_gib", _("size in the cloud, GiB")
    STORAGE_CLASS = "storage_class", _("storage class")
    ATTACHED_TO = "attached_to", _("attached to")
    LEGAL_HOLD = "legal_hold", _("under a legal hold since")
    ADDRESS = "address", _("address")
    SECURITY_GROUP = "security_group", _("security group")
    PROTOCOL = "protocol", _("protocol")
    OPEN_PORTS = "open_ports", _("ports")
    ORIGIN = "origin", _("from where")
    EXTERNAL_NETWORK = "external_network", _("external network that it leads to")
    OUTSIDE_ADDRESS = "outside_address", _("address outside")
    ON_SUBNETS = "on_subnets", _("subnets that it is on")
    LEADS_TO = "leads_to", _("port that it leads to")
    QUOTA_BYTES = "quota_bytes", _("quota in the cloud, bytes")
    LET_IN = "let_in", _("who is let in")
    USED = "used", _("in use")
    INSTANCES = "compute.instances", _("limit of servers")
    CORES = "compute.cores", _("limit of vCPU")
    RAM = "compute.ram", _("limit of memory, MiB")
    VOLUMES = "volume.volumes", _("limit of volumes")
    GIGABYTES = "volume.gigabytes", _("limit of storage, GiB")
    SNAPSHOTS = "volume.snapshots", _("limit of snapshots")
    BACKUPS = "volume.backups", _("limit of backups")
    BACKUP_GIGABYTES = "volume.backup_gigabytes", _("limit of backup storage, GiB")
    NETWORKS = "network.network", _("limit of networks")
    SUBNETS = "network.subnet", _("limit of subnets")
    PORTS = "network.port", _("limit of ports")
    ROUTERS = "network.router", _("limit of routers")
    FLOATING_ADDRESSES = "network.floatingip", _("limit of floating addresses")
    SECURITY_GROUPS = "network.security_group", _("limit of security groups")
    SECURITY_GROUP_RULES = "network.security_group_rule", _("limit of security group rules")


class Remedy(models.TextChoices):
    ADOPT = "adopt", _("take the cloud's value into the record")
    SET_BACK = "set_back", _("set the cloud back to the record")
    CLEAR_AWAY = "clear_away", _("delete it from the cloud")
    MARK_LOST = "mark_lost", _("record it as lost and give its quota back")
    SET_LIMITS = "set_limits", _("set the project's limits again")
    CORRECT_LEDGER = "correct_ledger", _("set the account to what stands")
    DECIDE = "decide", _("decide by hand")
