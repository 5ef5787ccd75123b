"""The house of tests/api with another department beside it, people of every role, and what must not be told to whom."""

from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model, UUIDField

from govcloud.inventory.models import Resource
from govcloud.orders.models import Order
from tenants.models import UNIT_ROLES, Department, Role, System, User
from tests.api.house import AT, House, house, recovery_point
from tests.api.test_access import bodies
from tests.factories.approvals import absence, consulted
from tests.factories.inventory import (
    CredentialFactory,
    FloatingAddressFactory,
    SecurityRuleFactory,
    SnapshotFactory,
    WipeRecordFactory,
    whole_server,
)
from tests.factories.notifications import posted, webhook
from tests.factories.orders import Scene, paper_of, submitted
from tests.factories.quotas import crossed, opened, raised
from tests.factories.reconciliation import DifferenceFactory, FindingFactory
from tests.factories.tenants import DepartmentFactory, SystemFactory, UserFactory, member, token_of
from tests.fuzz.bodies import more_bodies

ANONYMOUS = "anonymous"
PERSONAS = (*Role.values, *(f"{role} next door" for role in sorted(UNIT_ROLES)), "nobody", ANONYMOUS)
WORDS = {"house": "Quokka", "next door": "Wombat"}
"""What stands in every name of the one department and of the other."""


@dataclass(frozen=True, slots=True)
class World:
    people: dict[str, dict[str, str]]
    """By who asks, the headers that they send."""
    ids: dict[str, list[Any]]
    """By the name of a resource in the API, what identifies one in a path: of the house first, then of next door."""
    hidden: dict[str, frozenset[str]]
    """By who asks, what no answer to them may hold."""
    uuids: list[str]
    """Of some of everything, to be named in bodies and parameters."""
    bodies: dict[str, list[dict[str, Any]]]
    """By route as tests/api/test_access.py writes it, well-formed ones."""


def world() -> World:
    home = house(2)
    beside = _next_door(home)
    ids = {name: [key] for name, key in home.keys.items()}
    for name, key in _keys(beside).items():
        ids.setdefault(name, []).append(key)
    marks = {
        "house": _marks(home.on.department, "house"),
        "next door": _marks(beside.department, "next door"),
    }
    hidden = {
        **{
            role: frozenset() for role in Role.values if role not in UNIT_ROLES
        },  # the centre's see every department
        **dict.fromkeys(UNIT_ROLES, marks["next door"]),
        **{f"{role} next door": marks["house"] for role in UNIT_ROLES},
        **dict.fromkeys(("nobody", ANONYMOUS), marks["house"] | marks["next door"]),
    }
    people = {who: _headers(_person(who, home.on.department, beside.department)) for who in PERSONAS}
    uuids = [str(key) for keys in ids.values() for key in keys if isinstance(key, UUID)]
    more = more_bodies(home)
    right = {route: [body, *more.pop(route, [])] for route, body in bodies(home).items()} | more
    return World(people=people, ids=ids, hidden=hidden, uuids=uuids, bodies=right)


def _person(who: str, home: Department, beside: Department) -> User | None:
    if who == ANONYMOUS:
        return None
    if who == "nobody":
        return UserFactory()
    role = Role(who.removesuffix(" next door"))
    unit = beside if who.endswith(" next door") else home
    return member(role, unit if role in UNIT_ROLES else None)


def _headers(person: User | None) -> dict[str, str]:
    language = {"Accept-Language": "en"}
    return language if person is None else {**language, "Authorization": f"Bearer {token_of(person)[1]}"}


def _next_door(home: House) -> Scene:
    """A department that has nothing to do with the house, with some of what departments have."""
    unit = DepartmentFactory()
    accounts = opened(unit)
    system = SystemFactory(department=unit, level_3=True)
    chain = {**home.on.chain, Role.UNIT_APPROVER: member(Role.UNIT_APPROVER, unit)}
    on = Scene(
        catalogue=home.on.catalogue, department=unit, system=system, applicant=member(Role.APPLICANT, unit), chain=chain
    )  # fmt: skip
    order = submitted(on, at=AT)
    paper_of(order, at=AT)
    consulted(order.case, chain[Role.TECHNICAL_REVIEWER], at=AT)
    absence(on.applicant, chain[Role.UNIT_APPROVER], begins=AT)
    server = whole_server(system=system)
    volume = server.volumes.first()
    recovery_point(volume)
    SnapshotFactory(volume=volume)
    WipeRecordFactory(volume=volume)
    SecurityRuleFactory(network=FloatingAddressFactory(server=server).network)
    CredentialFactory(container__resource__system=system)
    DifferenceFactory(finding=FindingFactory(system=system))
    account = next(iter(accounts.values()))
    raised(account, times=1, at=AT)
    account.raises.update(order_number=order.number)  # the factory has that of the house
    crossed(account, times=1, at=AT)
    webhook("https://bus.example/hook", at=AT, department=unit)
    posted(on.applicant, at=AT, department=unit)
    return on


def _keys(on: Scene) -> dict[str, UUID]:
    """One of each kind that belongs to the department."""
    names = {
        "departments": Department, "systems": System, "orders": Order, "resources": Resource,
    }  # fmt: skip
    others = (
        "quota-accounts QuotaAccount", "quota-raises TemporaryRaise", "quota-crossings Crossing", "quota-changes LimitChange",
        "attachments Attachment", "cases Case", "consultations Consultation", "operations Operation", "findings Finding",
        "recovery-points RecoveryPoint", "snapshots Snapshot", "floating-addresses FloatingAddress", "security-rules SecurityRule",
        "container-credentials ContainerCredential", "wipe-records WipeRecord", "legal-holds LegalHold", "webhooks Webhook",
    )  # fmt: skip
    for pair in others:
        name, model = pair.split()
        names[name] = next(each for each in apps.get_models() if each.__name__ == model)
    found: dict[str, UUID] = {"people": on.applicant.uuid, "memberships": on.applicant.memberships.get().uuid}
    for name, model in names.items():
        row = _owned(model, on.department).first()
        if row is not None:
            found[name] = row.uuid
    return found


def _owned(model: type[Model], unit: Department) -> Any:
    """The rows that belong to the department or to a unit below it."""
    path = _way_to_department(model)
    assert path is not None, model
    within = "path__startswith" if path == "" else f"{path}__path__startswith"
    return model._default_manager.filter(**{within: unit.path}).order_by("pk")


@cache
def _way_to_department(model: type[Model]) -> str | None:
    """The shortest chain of foreign keys from the model to its department; None for what belongs to none."""
    waiting: deque[tuple[type[Model], tuple[str, ...]]] = deque([(model, ())])
    seen = {model}
    while waiting:
        at, way = waiting.popleft()
        if at is Department:
            return "__".join(way)
        for each in at._meta.get_fields():
            forward = (each.many_to_one or each.one_to_one) and each.concrete
            if forward and each.related_model not in seen and each.related_model is not User:
                seen.add(each.related_model)
                waiting.append((each.related_model, (*way, each.name)))
    return None


def _marks(unit: Department, where: str) -> frozenset[str]:
    """The word that is put into the department's names, and the ids and numbers of all that belongs to it."""
    word = WORDS[where]
    for model in (Department, System, Resource):
        for row in _owned(model, unit):
            model._default_manager.filter(pk=row.pk).update(name=f"{row.name}-{word}"[:60])
    _owned(Order, unit).update(title=word, justification=word)
    marks = {word}
    for model in apps.get_models():
        identified = any(
            isinstance(each, UUIDField) and each.name == "uuid" for each in model._meta.get_fields()
        )
        if identified and model is not User and _way_to_department(model) is not None:
            for row in _owned(model, unit):
                marks.add(str(row.uuid))
                marks.update(
                    getattr(row, name) for name in ("external_id", "credit_code") if getattr(row, name, "")
                )
    marks.update(_owned(Order, unit).values_list("number", flat=True))
    return frozenset(mark for mark in marks if mark)
