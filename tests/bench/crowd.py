"""A hundred thousand orders of a hundred departments in a few minutes: one of each fate goes through the services, and
PostgreSQL copies its rows, with everything that hangs on them, to other departments, systems, people and days.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.db import connection, models, transaction
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from govcloud.approvals.models import Case, CaseStage, Decision, Seat
from govcloud.audit.models import Event
from govcloud.orders import services
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import (
    BackupSpec,
    Order,
    OrderItem,
    QuoteLine,
    Revision,
    ServerSpec,
    VolumeSpec,
)
from govcloud.supervision import services as supervision
from govcloud.supervision.models import SupervisionCard
from tenants.models import Department, Role, System, User
from tests.bench.results import console
from tests.factories import orders as make
from tests.factories.tenants import DepartmentFactory, SystemFactory, member

DEPARTMENTS, SYSTEMS_EACH, APPLICANTS_EACH = 100, 4, 2
YEARS = 3
STRIDE = 1_000_000  # copies of row 7 are rows 1,000,007, 2,000,007, …: no sequence is asked
BATCH = 1_000

PLACES = ("省", "东江市", "西陵市", "南浦市", "北桥市", "青山市", "临湖市", "安河市", "永宁市", "长岭市")
BUREAUS = ("民政", "税务", "自然资源", "人社", "医保", "教育", "公安", "交通", "水利", "市场监管")
WORKS = ("低保核对", "不动产登记", "养老服务", "税收保障", "社保经办", "异地就医结算", "学籍管理", "电子证照", "河长制",
         "企业登记", "信用信息", "视频会议", "公文交换", "统计直报", "档案管理", "应急指挥")  # fmt: skip
MATTERS = (
    "上云",
    "扩容",
    "新增服务器",
    "存储扩容",
    "灾备建设",
    "信创改造",
    "测试环境",
    "数据库服务器",
    "三级等保整改",
    "续期",
)

# What hangs on an order, below what it refers to, and how a row of it finds its order.
HANGING: Sequence[tuple[type[models.Model], str]] = (
    (Case, "order"),
    (CaseStage, "case__order"),
    (Seat, "stage__case__order"),
    (Decision, "stage__case__order"),
    (SupervisionCard, "case__order"),
    (Order, "pk"),
    (OrderItem, "order"),
    (ServerSpec, "item__order"),
    (VolumeSpec, "item__order"),
    (BackupSpec, "item__order"),
    (Revision, "order"),
    (QuoteLine, "revision__order"),
)
COPIED = frozenset({model for model, _path in HANGING})

Fate = Callable[[make.Scene, datetime], Order]


@dataclass(frozen=True, slots=True)
class Crowd:
    """The people that lists are measured for."""

    applicant: User
    unit_approver: User
    reviewer: User
    approver: User
    supervisor: User
    auditor: User
    system: System
    number: str  # of an order of the applicant's department
    month: str  # 2026-09: it is over, and full
    many: int

    @property
    def department(self) -> Department:
        return self.system.department

    @property
    def people(self) -> list[User]:
        return [
            self.applicant, self.unit_approver, self.reviewer, self.approver, self.supervisor, self.auditor
        ]  # fmt: skip


def found(*, at: datetime) -> Crowd:
    """In a database that was filled."""

    def one(role: Role, **where: Any) -> User:
        return User.objects.filter(memberships__role=role, **where).order_by("pk")[0]

    system = System.objects.filter(department__name=f"{PLACES[0]}{BUREAUS[0]}局").order_by("pk")[0]
    orders = Order.objects.filter(system__department=system.department)
    local = {"memberships__department": system.department}
    return Crowd(
        applicant=one(Role.APPLICANT, **local),
        unit_approver=one(Role.UNIT_APPROVER, **local),
        reviewer=one(Role.TECHNICAL_REVIEWER),
        approver=one(Role.AUTHORITY_APPROVER),
        supervisor=one(Role.SUPERVISOR),
        auditor=one(Role.AUDIT_ADMIN),
        system=system,
        number=orders.filter(status=Status.FULFILLED)[0].number,
        month=f"{at - timedelta(days=75):%Y-%m}",
        many=Order.objects.count(),
    )


def fill(*, orders: int, at: datetime) -> None:
    """A database without orders. Statistics are left to the caller."""
    with transaction.atomic():
        on = make.scene()
        member(Role.SUPERVISOR)
        member(Role.AUDIT_ADMIN)
        fates = {
            name: fate(_elsewhere(on), at - timedelta(days=10)) for name, (_share, fate) in FATES.items()
        }
        places = _places()
    _plan(fates, places, orders=orders)
    _copy(on, list(fates.values()), orders=orders)


# -- one of each fate


def _elsewhere(on: make.Scene) -> make.Scene:
    """A system of its own, where no name is taken."""
    return replace(on, system=SystemFactory(department=on.department, level_3=True))


def _at_stage(number: int) -> Fate:
    def fate(on: make.Scene, at: datetime) -> Order:
        order = make.submitted(on, at=at)
        for day in range(number):
            order = make.decided(on, order, at=at + timedelta(days=day, hours=3))
        return order

    return fate


def _late(on: make.Scene, at: datetime) -> Order:
    """Cards were raised before it was decided."""
    order = make.submitted(on, at=at - timedelta(days=60))
    supervision.sweep(at=at - timedelta(days=20))
    return _ended(make.approve_all(on, order, at=at), Status.FULFILLED)


def _rejected(on: make.Scene, at: datetime) -> Order:
    return make.decided(on, make.submitted(on, at=at), at=at, verb="reject", opinion="与既有系统重复建设")


def _withdrawn(on: make.Scene, at: datetime) -> Order:
    order = make.submitted(on, at=at)
    return services.withdraw(order=order, reason="需求有变", actor=on.applicant, at=at)


def _built(status: Status) -> Fate:
    def fate(on: make.Scene, at: datetime) -> Order:
        return _ended(make.approve_all(on, _at_stage(1)(on, at), at=at + timedelta(days=4)), status)

    return fate


def _ended(order: Order, status: Status) -> Order:
    """As the engine leaves it; what it builds is no part of the lists."""
    ended = None if status == Status.FULFILLING else order.submitted_at + timedelta(days=7)
    Order.objects.filter(pk=order.pk).update(status=status, finished_at=ended)
    return order


# By name, in how many of 1,000 old orders and how many of 1,000 recent ones, and how it comes about.
FATES: dict[str, tuple[tuple[int, int], Fate]] = {
    "late": ((30, 0), _late),  # before the others: their cards are not wanted
    "draft": ((2, 150), lambda on, at: make.drafted(on, at=at)),
    "unit approval": ((0, 60), _at_stage(0)),
    "intake": ((0, 60), _at_stage(1)),
    "technical review": ((0, 60), _at_stage(2)),
    "authority approval": ((0, 60), _at_stage(3)),
    "returned": ((2, 60), lambda on, at: make.returned(on, at=at)),
    "rejected": ((50, 20), _rejected),
    "withdrawn": ((30, 20), _withdrawn),
    "being built": ((1, 110), _built(Status.FULFILLING)),
    "fulfilled": ((875, 400), _built(Status.FULFILLED)),
    "cancelled": ((10, 0), _built(Status.CANCELLED)),
}
RECENT = 0.06  # of all orders: those of the last two months


# -- whose they become, and when


@dataclass(frozen=True, slots=True)
class Place:
    department: Department
    systems: list[System]
    applicants: list[User]
    approver: User


def _places() -> list[Place]:
    return [_place(number) for number in range(DEPARTMENTS)]


def _place(number: int) -> Place:
    place, bureau = PLACES[number // len(BUREAUS)], BUREAUS[number % len(BUREAUS)]
    department = DepartmentFactory(name=f"{place}{bureau}局", name_en=f"Bureau {number}")
    systems = [
        SystemFactory(
            department=department,
            name=f"{place}{WORKS[(number * 7 + each * 5) % len(WORKS)]}系统",
            name_en=f"System {number}-{each}",
            level_3=True,
        )
        for each in range(SYSTEMS_EACH)
    ]
    applicants = [member(Role.APPLICANT, department) for _each in range(APPLICANTS_EACH)]
    return Place(department, systems, applicants, member(Role.UNIT_APPROVER, department))


def _plan(fates: dict[str, Order], places: list[Place], *, orders: int) -> None:
    """One row for each copy: of which order, whose it becomes, what it is called and how much earlier it was, the oldest first."""
    columns = "n, template, department, system, applicant, approver, number, title, back"
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE crowd (n bigint PRIMARY KEY, template bigint, department bigint, system bigint, "
            "applicant bigint, approver bigint, number text, title text, back interval)"
        )
        with cursor.copy(f"COPY crowd ({columns}) FROM STDIN") as copy:
            for row in _planned(fates, places, orders=orders):
                copy.write_row(row)
        cursor.execute("ANALYZE crowd")


def _planned(fates: dict[str, Order], places: list[Place], *, orders: int) -> Iterator[tuple[Any, ...]]:
    random = Random(7)  # noqa: S311  the same orders in every run
    names = list(FATES)
    old, recent = zip(*(share for share, _fate in FATES.values()), strict=True)
    days = YEARS * 365
    for n in range(1, orders + 1):
        age = 1 - n / orders
        name = random.choices(names, recent if age < RECENT else old)[0]
        place = random.choice(places)
        system = random.choice(place.systems)
        applicant = random.choice(place.applicants)
        title = f"{system.name}{random.choice(MATTERS)}"
        year = 2026 - int(age * YEARS)
        yield (
            n, fates[name].pk, place.department.pk, system.pk, applicant.pk, place.approver.pk, f"GC-{year}-{n:06d}",
            title, timedelta(days=age * days),
        )  # fmt: skip


# -- the copies


def _copy(on: make.Scene, templates: list[Order], *, orders: int) -> None:
    statements = [_statement(on, model, path, templates) for model, path in HANGING]
    statements.append(_statement(on, Event, "thread", templates))
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bar, console=console) as progress:
        task = progress.add_task("orders", total=orders)
        for begins in range(1, orders + 1, BATCH):
            ends = min(begins + BATCH, orders + 1)
            with transaction.atomic(), connection.cursor() as cursor:
                for statement, arguments in statements:
                    cursor.execute(statement, [*arguments, begins, ends - 1])
            progress.update(task, completed=ends - 1)


def _statement(
    on: make.Scene, model: type[models.Model], path: str, templates: list[Order]
) -> tuple[str, list[Any]]:
    """The INSERT that copies what hangs on the orders, and what it is told: rows, and the order that each is of."""
    by = (
        {order.uuid: order.pk for order in templates}
        if model is Event
        else {order.pk: order.pk for order in templates}
    )
    rows = list(model._default_manager.filter(**{f"{path}__in": list(by)}).values_list("pk", path))
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    columns = [field.column for field in fields]
    values = [_value(on, model, field) for field in fields]
    table, key = model._meta.db_table, model._meta.pk.column
    statement = (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} t "  # noqa: S608  the names of our own tables
        f"JOIN unnest(%s::bigint[], %s::bigint[]) AS hangs (row, template) ON hangs.row = t.{key} "
        "JOIN crowd ON crowd.template = hangs.template JOIN orders_order o ON o.id = hangs.template "
        f"WHERE n BETWEEN %s AND %s ORDER BY n, t.{key}"
    )
    return statement, [[row for row, _of in rows], [by[of] for _row, of in rows]]


def _value(on: make.Scene, model: type[models.Model], field: Any) -> str:
    """What stands in the copy's column, as an SQL expression over the row ``t``, its order ``o`` and the plan ``crowd``."""
    column, of = f"t.{field.column}", field.related_model
    if (model, field.name) in {(Order, "number"), (Order, "title")} or of in (Department, System):
        value = f"crowd.{field.name}"
    elif field.name in {"submitters", "writers"}:
        value = f"CASE WHEN {column} = '{{}}' THEN {column} ELSE ARRAY[crowd.applicant] END"
    elif field.name == "subject_label":
        value = f"replace(replace({column}, o.number, crowd.number), o.title, crowd.title)"
    elif of in COPIED or (field.primary_key and of is None):
        value = f"{column} + n * {STRIDE}"
    elif of is User:
        applicant, approver = on.applicant.pk, on.chain[Role.UNIT_APPROVER].pk
        value = f"CASE {column} WHEN {applicant} THEN crowd.applicant WHEN {approver} THEN crowd.approver ELSE {column} END"
    elif isinstance(field, models.UUIDField):  # the same everywhere, so that a case still names its order
        value = f"md5({column}::text || n)::uuid"
    else:
        value = f"{column} - crowd.back" if isinstance(field, models.DateTimeField) else column
    return value
