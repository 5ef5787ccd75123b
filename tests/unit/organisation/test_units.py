"""Units as they change, move in the tree and close."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.errors import DomainError
from govcloud.organisation import units
from govcloud.quotas import services as quotas
from govcloud.quotas.ledger import QuotaExceeded
from govcloud.quotas.models import EntryKind, QuotaAccount, QuotaEntry
from govcloud.quotas.moving import QuotaHeld
from govcloud.quotas.services import Hold
from tenants import connections
from tenants.connections import TRANSITIONS, ConnectionReasonMissing, NoSuchConnection
from tenants.models import Connection, Department, Role
from tenants.policies import scope_of
from tenants.services import UnitClosed, register_department, register_system
from tests.factories.inventory import whole_server
from tests.factories.orders import drafted, scene
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, DivisionFactory, SystemFactory, credit_code, member

pytestmark = pytest.mark.django_db

BY = SystemActor("test")


def moved(unit: Department, parent: Department | None, *, at: datetime) -> Department:
    return units.move(department=unit, parent=parent, reason="reform", actor=BY, at=at)


def use(unit: Department, *, at: datetime, **amounts: int) -> UUID:
    source = uuid4()
    quotas.hold(department=unit, holds=[Hold(source, amounts)], at=at)
    quotas.commit(source=source, at=at)
    return source


def used(*departments: Department) -> list[int]:
    accounts = {
        account.department_id: account.used for account in QuotaAccount.objects.filter(dimension="servers")
    }
    return [accounts[department.pk] for department in departments]


@pytest.fixture
def tree() -> dict[str, Department]:
    """Two departments with an office each; the first office has a station below it. Ten servers each."""
    made: dict[str, Department] = {}
    for name, above in (("a", None), ("b", None), ("office", "a"), ("other", "b"), ("station", "office")):
        made[name] = DepartmentFactory(parent=made[above] if above else None)
        opened(made[name], servers=10)
    return made


# What is said of them


def test_a_change_is_told_with_what_was_before(at: datetime) -> None:
    unit = DepartmentFactory(name="旧厅")
    units.change(department=unit, changes={"name": "新厅"}, expected_version=1, actor=BY, at=at)
    event = Event.objects.get(verb="department.changed")
    assert (event.before, event.after) == ({"name": "旧厅"}, {"name": "新厅"})


def test_a_change_to_what_is_so_already_is_none(at: datetime) -> None:
    unit = DepartmentFactory()
    same = units.change(department=unit, changes={"name": unit.name}, expected_version=1, actor=BY, at=at)
    assert same.version == 1
    assert not Event.objects.filter(verb="department.changed").exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "  "}, "invalid"),
        ({"name_en": "x" * 161}, "invalid"),
        ({"credit_code": "11450000MB9900013S"}, "invalid"),
    ],
)
def test_what_could_not_be_registered_cannot_be_changed_to(changes: dict, code: str, at: datetime) -> None:
    unit = DepartmentFactory()
    with pytest.raises(DomainError) as refusal:
        units.change(department=unit, changes=changes, expected_version=1, actor=BY, at=at)
    assert refusal.value.code == code


def test_a_credit_code_of_another_unit_is_refused(at: datetime) -> None:
    unit, other = DepartmentFactory(), DepartmentFactory()
    with pytest.raises(DomainError) as refusal:
        units.change(
            department=unit,
            changes={"credit_code": other.credit_code},
            expected_version=1,
            actor=BY,
            at=at,
        )
    assert refusal.value.code == "credit-code-taken"


def test_who_read_an_older_version_is_told_so(at: datetime) -> None:
    unit = DepartmentFactory(version=3)
    with pytest.raises(units.UnitChanged):
        units.change(department=unit, changes={"name": "x"}, expected_version=2, actor=BY, at=at)


# The connection


@pytest.mark.parametrize("before", Connection)
@pytest.mark.parametrize("to", Connection)
def test_a_connection_moves_as_the_table_says(before: str, to: str, at: datetime) -> None:
    unit = DepartmentFactory(connection=before)
    if to in TRANSITIONS[before]:
        connections.change(department=unit, to=to, reason="because", actor=BY, at=at)
        event = Event.objects.get(verb="department.connection_changed")
        assert (event.before, event.after) == ({"connection": before}, {"connection": to})
    else:
        with pytest.raises(NoSuchConnection):
            connections.change(department=unit, to=to, reason="because", actor=BY, at=at)
    unit.refresh_from_db()
    assert unit.connection == (to if to in TRANSITIONS[before] else before)


def test_a_connection_is_not_cut_off_without_a_reason(at: datetime) -> None:
    with pytest.raises(ConnectionReasonMissing):
        connections.change(
            department=DepartmentFactory(), to=Connection.NOT_CONNECTED, reason=" ", actor=BY, at=at
        )


# The tree


def test_a_unit_moves_with_all_below_it(tree: dict[str, Department], at: datetime) -> None:
    moved(tree["office"], tree["b"], at=at)
    office, station = (Department.objects.get(pk=tree[name].pk) for name in ("office", "station"))
    assert office.path == f"/{tree['b'].pk}/{office.pk}/"
    assert station.path == f"{office.path}{station.pk}/"
    event = Event.objects.get(verb="department.moved")
    assert (event.before["parent"], event.after["parent"]) == (str(tree["a"].uuid), str(tree["b"].uuid))


def test_a_unit_moves_to_the_top(tree: dict[str, Department], at: datetime) -> None:
    assert moved(tree["station"], None, at=at).path == f"/{tree['station'].pk}/"


@pytest.mark.parametrize("where", ["office", "station"])
def test_a_unit_cannot_stand_below_itself(tree: dict[str, Department], where: str, at: datetime) -> None:
    with pytest.raises(units.BelowItself):
        moved(tree["office"], tree[where], at=at)


def test_who_decides_above_decides_for_what_was_moved_there(
    tree: dict[str, Department], at: datetime
) -> None:
    old, new = member(Role.UNIT_APPROVER, tree["a"]), member(Role.UNIT_APPROVER, tree["b"])
    moved(tree["office"], tree["b"], at=at)
    station = Department.objects.get(pk=tree["station"].pk)
    later = at + timedelta(seconds=1)
    assert scope_of(new, at=later).holds(Role.UNIT_APPROVER, department=station)
    assert not scope_of(old, at=later).holds(Role.UNIT_APPROVER, department=station)


def test_use_counts_in_the_new_place_from_then_on(tree: dict[str, Department], at: datetime) -> None:
    use(tree["station"], servers=3, at=at)
    use(tree["office"], servers=1, at=at)
    use(tree["other"], servers=2, at=at)
    moved(tree["office"], tree["b"], at=at)
    assert used(*tree.values()) == [0, 6, 4, 2, 3]


def test_what_was_moved_is_given_back_in_its_new_place(tree: dict[str, Department], at: datetime) -> None:
    source = use(tree["station"], servers=3, at=at)
    moved(tree["office"], tree["b"], at=at)
    station = Department.objects.get(pk=tree["station"].pk)
    quotas.give_back(source=source, department=station, amounts={"servers": 3}, at=at)
    assert used(*tree.values()) == [0, 0, 0, 0, 0]


def test_the_entries_of_every_account_add_up_after_a_move(tree: dict[str, Department], at: datetime) -> None:
    use(tree["station"], servers=3, vcpus=8, at=at)
    moved(tree["office"], tree["b"], at=at)
    for account in QuotaAccount.objects.all():
        entries = QuotaEntry.objects.filter(account=account)
        begun = sum(entry.amount for entry in entries if entry.kind == EntryKind.COMMIT)
        ended = sum(entry.amount for entry in entries if entry.kind == EntryKind.GIVE_BACK)
        assert account.used == begun - ended


def test_a_unit_that_holds_quota_is_not_moved(tree: dict[str, Department], at: datetime) -> None:
    quotas.hold(department=tree["station"], holds=[Hold(uuid4(), {"servers": 1})], at=at)
    with pytest.raises(QuotaHeld):
        moved(tree["office"], tree["b"], at=at)


def test_a_unit_does_not_move_to_where_its_use_does_not_fit(
    tree: dict[str, Department], at: datetime
) -> None:
    use(tree["station"], servers=6, at=at)
    use(tree["other"], servers=5, at=at)
    with pytest.raises(QuotaExceeded) as refusal:
        moved(tree["office"], tree["b"], at=at)
    (shortage,) = refusal.value.shortages
    assert (shortage.department, shortage.requested, shortage.free) == (tree["b"], 6, 5)
    assert used(*tree.values()) == [6, 5, 6, 5, 6]


def test_moving_within_a_department_that_is_full_is_possible(
    tree: dict[str, Department], at: datetime
) -> None:
    use(tree["station"], servers=10, at=at)
    moved(tree["station"], tree["a"], at=at)
    assert used(tree["a"], tree["office"], tree["station"]) == [10, 0, 10]


def test_an_order_that_read_the_old_place_holds_nothing(tree: dict[str, Department], at: datetime) -> None:
    stale = Department.objects.get(pk=tree["station"].pk)
    moved(tree["office"], tree["b"], at=at)
    with pytest.raises(DomainError) as refusal:
        quotas.hold(department=stale, holds=[Hold(uuid4(), {"servers": 1})], at=at)
    assert refusal.value.code == "changed-meanwhile"


def test_use_is_not_given_back_in_the_old_place(tree: dict[str, Department], at: datetime) -> None:
    source = use(tree["station"], servers=3, at=at)
    use(tree["a"], servers=3, at=at)
    stale = Department.objects.get(pk=tree["station"].pk)
    moved(tree["office"], tree["b"], at=at)
    with pytest.raises(DomainError) as refusal:
        quotas.give_back(source=source, department=stale, amounts={"servers": 3}, at=at)
    assert refusal.value.code == "changed-meanwhile"


# The end


def test_a_unit_closes_and_the_roles_in_it_end(at: datetime) -> None:
    unit = DepartmentFactory()
    person = member(Role.APPLICANT, unit)
    units.close(department=unit, reason="merged", actor=BY, at=at)
    assert not scope_of(person, at=at).unit_roles
    assert Event.objects.get(verb="department.closed").reason == "merged"
    assert Event.objects.get(verb="role.ended").subject_id == person.uuid


def with_a_unit(unit: Department, at: datetime) -> None:
    DepartmentFactory(parent=unit)


def with_a_system(unit: Department, at: datetime) -> None:
    SystemFactory(department=unit)


def with_a_resource(unit: Department, at: datetime) -> None:
    whole_server(system=SystemFactory(department=unit, retired_at=at))


@pytest.mark.parametrize("having", [with_a_unit, with_a_system, with_a_resource])
def test_a_unit_with_anything_open_or_standing_does_not_close(
    having: Callable[[Department, datetime], None], at: datetime
) -> None:
    unit = DepartmentFactory()
    having(unit, at)
    with pytest.raises(units.UnitNotEmpty):
        units.close(department=unit, reason="merged", actor=BY, at=at)
    unit.refresh_from_db()
    assert unit.closed_at is None


def test_a_refused_closing_names_what_is_left(at: datetime) -> None:
    on = scene()
    drafted(on, at=at)
    with pytest.raises(units.UnitNotEmpty) as refusal:
        units.close(department=on.department, reason="merged", actor=BY, at=at)
    assert refusal.value.params["standing"] == "1 system, 1 open order"


def test_nothing_is_added_to_a_closed_unit(at: datetime) -> None:
    unit = DepartmentFactory(closed_at=at)
    with pytest.raises(UnitClosed):
        register_system(department=unit, code="oa", name="OA", mlps_level=1, actor=BY, at=at)
    with pytest.raises(UnitClosed):
        register_department(
            name="x",
            credit_code=credit_code(88_888),
            division=DivisionFactory(),
            parent=unit,
            actor=BY,
            at=at,
        )
    with pytest.raises(UnitClosed):
        moved(DepartmentFactory(), unit, at=at)
