"""How servers are reached from outside their networks: what a network lets in, and addresses that lead to servers."""

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from govcloud.inventory.models.resources import Network, Server
from govcloud.inventory.queries import OfNetworkQuerySet, OfServerQuerySet
from tenants.models import User


class Protocol(models.TextChoices):
    TCP = "tcp", _("TCP")
    UDP = "udp", _("UDP")
    ICMP = "icmp", _("ICMP")
    ANY = "any", _("any protocol")


class SecurityRule(models.Model):
    """Who may reach the servers of a network from outside it, as its department has opened it.

    Ports are both null where the protocol has none, or all of them are meant. ``remote`` is a range in canonical form.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    unit = models.UUIDField(unique=True)
    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="rules")
    protocol = models.CharField(max_length=4, choices=Protocol)
    port_min = models.PositiveIntegerField(null=True)
    port_max = models.PositiveIntegerField(null=True)
    remote = models.CharField(max_length=43)
    description = models.CharField(max_length=200, blank=True)
    external_id = models.CharField(max_length=64)
    added_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    objects = OfNetworkQuerySet["SecurityRule"].as_manager()

    class Meta:
        ordering: ClassVar = ["-added_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["network", "protocol", "port_min", "port_max", "remote"],
                condition=Q(removed_at__isnull=True),
                nulls_distinct=False,
                name="security_rule_once_per_network",
            ),
            models.CheckConstraint(
                condition=Q(port_min__isnull=True, port_max__isnull=True)
                | Q(port_min__gte=1, port_max__gte=F("port_min"), port_max__lte=65535),
                name="security_rule_ports_are_a_range",
            ),
        ]


class FloatingAddress(models.Model):
    """An address of the cloud's external network that leads to a server's first address.

    Reserved with its server before it exists; ``address`` and ``external_id`` are empty until the cloud has given it.
    ``unit`` is the id it carries in the cloud and its quota is held under.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    unit = models.UUIDField(unique=True)
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="floating_addresses")
    network = models.ForeignKey(Network, on_delete=models.PROTECT, related_name="floating_addresses")
    address = models.GenericIPAddressField(null=True)
    external_id = models.CharField(max_length=64, blank=True)
    reserved_at = models.DateTimeField()
    given_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)

    objects = OfServerQuerySet["FloatingAddress"].as_manager()

    class Meta:
        ordering: ClassVar = ["-reserved_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["server"],
                condition=Q(released_at__isnull=True),
                name="floating_address_once_per_server",
            ),
        ]

    def __str__(self) -> str:
        return str(self.address or self.uuid)
