"""What a click on a finding does: the operation it starts, or the rows it changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db.models import Q

from govcloud.audit import services as audit
from govcloud.inventory import leases
from govcloud.inventory import services as inventory
from govcloud.inventory.models import Address, FloatingAddress, Resource, SecurityRule
from govcloud.protection import services as protection
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.outside import ConnectNetwork, given_back
from govcloud.provisioning.context import mark_of
from govcloud.provisioning.kinds.tenancy import LIMITS
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.provisioning.services import StepSpec
from govcloud.quotas import services as quotas
from govcloud.reconciliation import adoption, taking_in
from govcloud.reconciliation.comparison import BUILT
from govcloud.reconciliation.models import Finding
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind


@dataclass(frozen=True, slots=True)
class Click:
    """Who applies which finding, how, and when. ``mark`` begins the keys of this application's steps.

    ``remedy`` is the one that was chosen, which need not be what the finding proposes.
    """

    finding: Finding
    remedy: Remedy
    actor: audit.Actor
    at: datetime
    mark: str


def carry_out(
    *, finding: Finding, remedy: Remedy, actor: audit.Actor, at: datetime
) -> tuple[Operation | None, bool]:
    """Do it, in the caller's transaction; the operation it started, and whether the finding is resolved with it already.

    Raises what the remedy refuses (QuotaExceeded, CannotBeAdopted).
    """
    click = Click(finding, remedy, actor, at, f"{finding.uuid}:{uuid4()}")
    operation = _REMEDIES[remedy](click)
    at_work = operation is not None and operation.resource is not None
    return operation, remedy in {Remedy.ADOPT, Remedy.CORRECT_LEDGER} and not at_work


def can_be_applied(finding: Finding, remedy: str) -> bool:
    """By a click. The interface by which a server is managed stays as long as the server does: it is only set back."""
    managed_by = (
        finding.subject == SubjectKind.PORT
        and finding.resource is not None
        and finding.unit == finding.resource.unit
    )
    return remedy in _REMEDIES and not (managed_by and remedy in {Remedy.ADOPT, Remedy.MARK_LOST})


def _adopt(click: Click) -> Operation | None:
    resource = _locked(click.finding)
    if click.finding.kind == FindingKind.FOREIGN:
        return _take_in(click, resource)
    if click.finding.subject == SubjectKind.FLOATING_ADDRESS:
        taking_in.follow(finding=click.finding, resource=resource, actor=click.actor, at=click.at)
        return None
    if click.finding.subject == SubjectKind.PORT:
        return _off_the_network(click, resource)
    if click.finding.subject == SubjectKind.RECOVERY_POINT:
        protection.find_point(external_id=click.finding.external_id, actor=click.actor, at=click.at)
        return _mend(click, _limits(click))
    differences = list(click.finding.differences.all())
    adoption.adopt(resource=resource, differences=differences, actor=click.actor, at=click.at)
    if not adoption.changes_demand(click.finding):
        return None
    return _mend(click, _limits(click))


def _off_the_network(click: Click, server: Resource) -> Operation:
    """Somebody unplugged the port, and that may stay: it goes, unless something holds it again by then, and its address is free."""
    removal = _removal(server, _address(click), key=click.mark)
    return _act(click, server, [removal, *_forgotten(click, server, after=(removal.key,))])


def _take_in(click: Click, resource: Resource) -> Operation:
    """The limits follow what is recorded; a floating address gets our mark."""
    taking_in.take_in(finding=click.finding, resource=resource, actor=click.actor, at=click.at)
    if click.finding.subject != SubjectKind.FLOATING_ADDRESS:
        return _mend(click, _limits(click))
    given = FloatingAddress.objects.get(server=resource.pk, released_at=None)
    mark = _restored(click, resource, field=Field.MARK, expected=mark_of(given.unit))
    return _mend(click, [mark, *_limits(click)])


def _set_back(click: Click) -> Operation:
    resource = _locked(click.finding)
    if click.finding.kind == FindingKind.MISSING:
        return _act(click, resource, _AGAIN[SubjectKind(click.finding.subject)](click, resource))
    steps = [
        _restored(click, resource, field=difference.field, expected=difference.expected)
        for difference in click.finding.differences.all()
    ]
    return _act(click, resource, steps)


def _restored(click: Click, resource: Resource, *, field: str, expected: str) -> StepSpec:
    state = {
        "resource": str(resource.unit), "subject": click.finding.subject, "id": click.finding.external_id, "field": field,
        "expected": expected,
    }  # fmt: skip
    unit = _address(click).unit if click.finding.subject == SubjectKind.PORT else resource.unit
    return StepSpec(
        key=f"{click.mark}:{field}", kind="restoration", label=resource.name, unit=unit, desired_state=state
    )


def _rule_again(click: Click, resource: Resource) -> list[StepSpec]:
    rule = SecurityRule.objects.get(
        network=resource.pk, external_id=click.finding.external_id, removed_at=None
    )
    state = {
        "network": str(resource.unit), "protocol": rule.protocol, "port_min": rule.port_min, "port_max": rule.port_max,
        "remote": rule.remote,
    }  # fmt: skip
    return [
        StepSpec(
            key=f"{click.mark}:rule_again", kind="rule_again", label=resource.name, unit=rule.unit, desired_state=state
        )
    ]  # fmt: skip


def _router_again(click: Click, resource: Resource) -> list[StepSpec]:
    """As a network is connected for the first time; what is recorded of the old one is written over at the end."""
    return ConnectNetwork().plan(resource, Nothing(), key=click.mark)


def _address_again(click: Click, resource: Resource) -> list[StepSpec]:
    given = FloatingAddress.objects.get(server=resource.pk, released_at=None)
    state = {"server": str(resource.unit), "address": given.address}
    return [
        StepSpec(
            key=f"{click.mark}:address_again", kind="address_again", label=str(given), unit=given.unit, desired_state=state
        )
    ]  # fmt: skip


def _port_again(click: Click, resource: Resource) -> list[StepSpec]:
    given = _address(click)
    state = {"network": str(given.block.unit), "server": str(resource.unit)}
    return [
        StepSpec(
            key=f"{click.mark}:port_again", kind="port_again", label=resource.name, unit=given.unit, desired_state=state
        )
    ]  # fmt: skip


_AGAIN: Mapping[SubjectKind, Callable[[Click, Resource], list[StepSpec]]] = {
    SubjectKind.SECURITY_RULE: _rule_again,
    SubjectKind.ROUTER: _router_again,
    SubjectKind.FLOATING_ADDRESS: _address_again,
    SubjectKind.PORT: _port_again,
}


def _mark_lost(click: Click) -> Operation:
    """What is recorded with a resource goes by itself; the resource stays.

    Of a recovery point the volume is left alone: nothing is done to it, and it may be lost or released itself.
    """
    if click.finding.subject in BUILT:
        return _resource_lost(click)
    resource = _locked(click.finding)
    if click.finding.subject == SubjectKind.ROUTER:
        taking_in.require_nothing_leads_through(resource)
    if click.finding.subject == SubjectKind.RECOVERY_POINT:
        return _mend(click, _forgotten(click, resource))
    return _act(click, resource, _forgotten(click, resource))


def _forgotten(click: Click, resource: Resource, *, after: tuple[str, ...] = ()) -> list[StepSpec]:
    finding = click.finding
    state = {"resource": str(resource.unit), "subject": finding.subject, "id": finding.external_id}
    loss = StepSpec(
        key=f"{click.mark}:loss", kind="loss", label=finding.name or resource.name, unit=finding.unit or resource.unit,
        desired_state=state, needs=after,
    )  # fmt: skip
    return [loss, *_limits(click, after=(loss.key,))]


def _resource_lost(click: Click) -> Operation:
    """The ports of a lost server go first: their addresses are given to others as soon as it counts as lost.

    So does its floating address, which leads nowhere any more.
    """
    resource, finding = _locked(click.finding), click.finding
    own = Q(unit=resource.unit) | Q(server=resource.pk)
    ports = Address.objects.filter(own, released_at=None).exclude(port_id="")
    steps = [
        given_back(each, key=f"{click.mark}:floating_address", unit=uuid4())
        for each in FloatingAddress.objects.filter(server=resource.pk, released_at=None)
    ]
    steps += [_removal(resource, port, key=click.mark) for port in ports]
    loss = StepSpec(
        key=f"{click.mark}:loss", kind="loss", label=resource.name, unit=resource.unit,
        desired_state={"resource": str(resource.unit), "subject": finding.subject, "id": finding.external_id},
        needs=tuple(step.key for step in steps),
    )  # fmt: skip
    return _act(click, resource, [*steps, loss, *_limits(click, after=(loss.key,))])


def _removal(server: Resource, port: Address, *, key: str) -> StepSpec:
    state = {"subject": SubjectKind.PORT, "id": port.port_id, "server": str(server.unit)}
    return StepSpec(
        key=f"{key}:removal:{port.unit}",
        kind="removal",
        label=server.name,
        unit=port.unit,
        desired_state=state,
    )


_LEADS: Mapping[SubjectKind, Field] = {
    SubjectKind.ROUTER: Field.ON_SUBNETS,
    SubjectKind.FLOATING_ADDRESS: Field.LEADS_TO,
}
"""What can be led elsewhere as it is: taken away only from where it was told to lead."""


def _clear_away(click: Click) -> Operation:
    """What was found at something of ours keeps that in hand meanwhile: nobody then takes up what is about to go."""
    finding = click.finding
    state: dict[str, Any] = {"subject": finding.subject, "id": finding.external_id}
    if finding.unit is None:
        state["unmarked"] = True
    if finding.subject in _LEADS:
        told = finding.differences.filter(field=_LEADS[SubjectKind(finding.subject)]).first()
        state["at"] = told.found.split(",") if told is not None else []
    step = StepSpec(
        key=f"{click.mark}:removal", kind="removal", label=finding.name or finding.external_id,
        unit=finding.unit or uuid4(), desired_state=state,
    )  # fmt: skip
    return _mend(click, [step]) if finding.resource is None else _act(click, finding.resource, [step])


def _set_limits(click: Click) -> Operation:
    return _mend(click, _limits(click))


def _correct_ledger(click: Click) -> None:
    finding = click.finding
    if finding.account is None:
        raise ValueError(f"finding {finding.uuid} is of no account")
    used = int(finding.differences.get().expected)
    quotas.correct(account=finding.account, used=used, source=uuid4(), actor=click.actor, at=click.at)


_REMEDIES: Mapping[str, Callable[[Click], Operation | None]] = {
    Remedy.ADOPT: _adopt,
    Remedy.SET_BACK: _set_back,
    Remedy.MARK_LOST: _mark_lost,
    Remedy.CLEAR_AWAY: _clear_away,
    Remedy.SET_LIMITS: _set_limits,
    Remedy.CORRECT_LEDGER: _correct_ledger,
}


def lock(finding: Finding, remedy: Remedy) -> Resource:
    """The finding's resource, locked with what else the remedy takes in hand, in the order that all keep."""
    concerned = Q(pk=finding.resource_id)
    if remedy == Remedy.ADOPT and finding.subject == SubjectKind.FLOATING_ADDRESS:
        concerned |= Q(pk__in=taking_in.leads_to(finding).values("pk"))
    if remedy == Remedy.ADOPT and finding.subject == SubjectKind.VOLUME:
        concerned |= Q(pk__in=adoption.holders(finding).values("pk"))
    rows = Resource.objects.select_for_update().filter(concerned).order_by(inventory.SERVERS_FIRST, "pk")
    return next(each for each in list(rows) if each.pk == finding.resource_id)


def _locked(finding: Finding) -> Resource:
    rows = Resource.objects.select_for_update(of=("self",)).with_particulars()
    return rows.get(findings=finding)


def _address(click: Click) -> Address:
    """Of the port that the finding is about."""
    rows = Address.objects.filter(block__cloud=click.finding.cloud, released_at=None)
    return rows.select_related("block").get(port_id=click.finding.external_id)


def _limits(click: Click, after: tuple[str, ...] = ()) -> list[StepSpec]:
    """The system's limits on the cloud, set to what it has been granted then."""
    system = click.finding.system
    if system is None:
        raise ValueError(f"finding {click.finding.uuid} is of no system")
    return [
        StepSpec(
            key=f"{click.mark}:{kind.name}", kind=kind.name, label=kind.name, unit=system.uuid, needs=after
        )
        for kind in LIMITS.values()
    ]


def _act(click: Click, resource: Resource, steps: list[StepSpec]) -> Operation:
    """The resource is in hand until the operation ends. Raises WrongState when something else has it."""
    leases.mend(resource=resource, actor=click.actor, thread=resource.thread, at=click.at)
    return _start(click, OperationKind.ACTION, steps, resource=resource, action=click.remedy)


def _mend(click: Click, steps: list[StepSpec]) -> Operation:
    return _start(click, OperationKind.MEND, steps)


def _start(
    click: Click,
    kind: OperationKind,
    steps: list[StepSpec],
    *,
    resource: Resource | None = None,
    action: str = "",
) -> Operation:
    finding = click.finding
    if finding.system is None or finding.cloud is None:
        raise ValueError(f"finding {finding.uuid} is of no system on a cloud")
    return provisioning.start(
        kind=kind,
        reason=(finding.name or finding.external_id)[:200],
        thread=None,
        system=finding.system,
        cloud=finding.cloud,
        steps=steps,
        actor=click.actor,
        at=click.at,
        resource=resource,
        action=action,
    )
