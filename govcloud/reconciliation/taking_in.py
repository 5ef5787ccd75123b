"""Taking into the record how something of ours is reached from outside, which somebody set up by hand in the cloud.

The rules are those of whoever would have asked us for it: nothing gets in this way that an order or an action would refuse.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import uuid4

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict
from govcloud.inventory import reach
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Address, FloatingAddress, Protocol, Resource
from govcloud.provisioning import settlement
from govcloud.provisioning.actions.outside import MoveAddress
from govcloud.provisioning.actions.rules import AddRule, NewRule
from govcloud.provisioning.actions.storage import ToServer
from govcloud.quotas import services as quotas
from govcloud.quotas.ledger import Hold
from govcloud.reconciliation.models import Finding
from govcloud.reconciliation.subjects.rules import ALL, is_a_group
from govcloud.reconciliation.vocabulary import Field, SubjectKind
from tenants.models import NetworkZone, User


class CannotBeTakenIn(Conflict):
    code = "cannot-be-taken-in"
    message = _("The record cannot take “%(name)s” in: %(reason)s.")


class AddressesLeadThrough(Conflict):
    code = "addresses-lead-through"
    message = _(
        "Floating addresses lead to servers of the network “%(network)s”: decide about them first. They are %(addresses)s."
    )


def take_in(*, finding: Finding, resource: Resource, actor: audit.Actor, at: datetime) -> None:
    """Record what was found at the resource, which is locked and at rest. ``actor`` is the person who vouches for it.

    Raises CannotBeTakenIn, QuotaExceeded, and what stands against it as it would against an action or an order.
    """
    if not isinstance(actor, User):
        raise TypeError("only a person vouches for what was set up by hand")
    found = {Field(row.field): row.found for row in finding.differences.all()}
    _TAKE_IN[SubjectKind(finding.subject)](finding, resource, found, actor, at)


def require_nothing_leads_through(network: Resource) -> None:
    """Raises AddressesLeadThrough: without its router they would lead nowhere."""
    leading = [str(each) for each in reach.addresses_leading_to(network)]
    if leading:
        raise AddressesLeadThrough(network=network.name, addresses=_(", ").join(leading))


Found = Mapping[Field, str]


def _rule(finding: Finding, resource: Resource, found: Found, actor: User, at: datetime) -> None:
    """Raises what ``AddRule`` does: management ports are not opened to everybody this way either."""
    if found[Field.PROTOCOL] not in Protocol.values or is_a_group(found[Field.ORIGIN]):
        raise _refused(finding, _("a rule of ours names a known protocol and a range of addresses"))
    ports = None if found[Field.OPEN_PORTS] == ALL else found[Field.OPEN_PORTS].partition("-")
    rule = NewRule(
        protocol=found[Field.PROTOCOL],
        port_min=int(ports[0]) if ports else None,
        port_max=int(ports[2] or ports[0]) if ports else None,
        remote=found[Field.ORIGIN],
    )
    if (refusal := AddRule().refusal(resource)) is not None:
        raise _refused(finding, refusal)
    AddRule().check(resource, rule)
    reach.record_rule(
        network=resource.network,
        unit=uuid4(),
        protocol=rule.protocol,
        port_min=rule.port_min,
        port_max=rule.last_port,
        remote=rule.remote,
        description="",
        external_id=finding.external_id,
        added_by=actor,
        actor=actor,
        at=at,
    )


def _router(finding: Finding, resource: Resource, found: Found, actor: User, at: datetime) -> None:
    """A network's router is its own, and is taken down with it: one that serves others as well stays theirs."""
    network = resource.network
    if network.router_id:
        raise _refused(finding, _("the network has a router of its own"))
    if found[Field.ON_SUBNETS] != network.subnet_id:
        raise _refused(finding, _("it is on other networks as well"))
    if Field.EXTERNAL_NETWORK not in found:
        raise _refused(finding, _("it leads nowhere"))
    reach.connected(
        network=network,
        router_id=finding.external_id,
        external_network_id=found[Field.EXTERNAL_NETWORK],
        outside_address=found.get(Field.OUTSIDE_ADDRESS),
        actor=actor,
        at=at,
    )


def _floating_address(finding: Finding, resource: Resource, found: Found, actor: User, at: datetime) -> None:
    """With quota and bill from now on. Raises OnNoNetwork, HasAddress, NotConnected, QuotaExceeded."""
    if resource.zone == NetworkZone.INTERNET:
        raise _refused(finding, _("in the Internet zone its egress has to be reviewed, which an order does"))
    first = Address.objects.filter(unit=resource.unit, released_at=None, port_id=found[Field.LEADS_TO])
    if not first.exists():
        raise _refused(finding, _("it does not lead to the address by which the server is managed"))
    unit = uuid4()
    given = reach.reserve_address(server=resource, unit=unit, at=at)
    if given.network.external_network_id != found[Field.EXTERNAL_NETWORK]:
        raise _refused(
            finding, _("it is of another external network than the server's network is connected to")
        )
    quotas.hold(department=resource.system.department, holds=[Hold(unit, {"addresses": 1})], at=at)
    quotas.commit(source=unit, at=at)
    reach.address_given(
        given=given, address=found[Field.ADDRESS], external_id=finding.external_id, actor=actor, at=at
    )
    settlement.bill(resource, at=at)


def leads_to(finding: Finding) -> QuerySet[Resource]:
    """The server of ours, in use, to whose address a floating one leads by now, if there is any. To be locked with its own."""
    ports = finding.differences.filter(field=Field.LEADS_TO).exclude(found="").values("found")
    units = Address.objects.filter(port_id__in=ports, released_at=None).values("unit")
    return Resource.objects.filter(unit__in=units, cloud=finding.cloud, status=Status.ACTIVE)


def follow(*, finding: Finding, resource: Resource, actor: audit.Actor, at: datetime) -> None:
    """A floating address of the resource leads to another server by now, and may; both are locked.

    Raises CannotBeTakenIn, and what stands against it as it would against moving it.
    """
    to = leads_to(finding).select_related("server").first()
    if to is None:
        raise _refused(
            finding, _("it does not lead to an address by which a server of ours, in use, is managed")
        )
    MoveAddress().check(resource, ToServer(server=to.uuid))
    given = FloatingAddress.objects.select_related("server__resource").get(
        server=resource.pk, released_at=None
    )
    reach.address_moved(given=given, to=to.server, actor=actor, at=at)
    for each in (resource, to):
        settlement.bill(each, at=at)


def _refused(finding: Finding, reason: str | Promise) -> CannotBeTakenIn:
    return CannotBeTakenIn(name=finding.name or finding.external_id, reason=reason)


_TAKE_IN: Mapping[SubjectKind, Callable[[Finding, Resource, Found, User, datetime], None]] = {
    SubjectKind.SECURITY_RULE: _rule,
    SubjectKind.ROUTER: _router,
    SubjectKind.FLOATING_ADDRESS: _floating_address,
}
