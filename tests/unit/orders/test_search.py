"""What a list of orders is searched by, and how a page of it is read."""

from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from api.v1.orders import with_summary
from govcloud.leaves import Leaves
from govcloud.orders.models import Order
from tenants.models import Role
from tests.factories.tenants import DepartmentFactory, SystemFactory, member

pytestmark = pytest.mark.django_db


def order(number: int, title: str, *, at: datetime, **system: Any) -> Order:
    """Nothing about it has a number but its own."""
    where = system.pop("department", None) or DepartmentFactory(name="示例厅", name_en="Example")
    on = SystemFactory(department=where, **system)
    return Order.objects.create(
        number=f"GC-2026-{number:06d}", title=title, system=on, created_at=at,
        applicant=member(Role.APPLICANT, where, display_name="申请人"),
    )  # fmt: skip


@pytest.fixture
def shelf(at: datetime) -> None:
    health = DepartmentFactory(name="医疗保障局", name_en="Healthcare Bureau")
    order(1, "低保核对扩容 ß", at=at, name="低保核对系统", name_en="Allowances", code="dibao-01")
    order(
        2,
        "不动产登记上云",
        at=at,
        name="登记系统",
        name_en="Land register",
        code="land-01",
        department=health,
    )
    person = order(
        317, "Servers (100 %) for IoT_hub", at=at, name="物联网", name_en="Things", code="iot-01"
    ).applicant
    person.display_name = "欧阳修"
    person.save()


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("保", [1, 2]),  # of a title, and of a department's name
        ("低保", [1]),
        ("不动产", [2]),
        ("不产", []),  # both characters are there, side by side they are not
        ("动产登记", [2]),
        ("登记系统", [2]),
        ("iot", [317]),
        ("IOT_HUB", [317]),
        ("100 %", [317]),
        ("%", [317]),
        ("_", [317]),
        ("ß", [1]),
        ("GC-2026-000317", [317]),
        ("317", [317]),
        ("7", [317]),
        ("land-01", [2]),
        ("Allowances", [1]),
        ("healthcare", [2]),
        ("欧阳", [317]),
        ("量子", []),
    ],
)
@pytest.mark.usefixtures("shelf")
def test_a_word_is_found(word: str, found: list[int]) -> None:
    numbers = Order.objects.mentioning([word]).order_by("number").values_list("number", flat=True)
    assert [int(number[-6:]) for number in numbers] == found


@pytest.mark.parametrize(
    ("words", "found"),
    [(["登记", "医疗"], [2]), (["医疗", "低保"], []), (["系统", "扩容", "dibao"], [1]), ([], [1, 2, 317])],
)
@pytest.mark.usefixtures("shelf")
def test_every_word_has_to_be_somewhere(words: list[str], found: list[int]) -> None:
    rows = Order.objects.mentioning(words).order_by("number")
    assert [int(each.number[-6:]) for each in rows] == found


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("word", ["保", "登记", "iot_hub", "000317"])
def test_every_alternative_of_a_search_has_its_index(word: str) -> None:
    """An index on an expression serves only the very same one."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")  # of three rows in the order of their keys
    plan = Order.objects.mentioning([word]).explain()
    assert "order_grams" in plan
    assert "Seq Scan on orders_order" not in plan


@pytest.mark.parametrize("asked", [(), ("-number",), ("title", "pk")])
def test_a_page_holds_what_the_whole_list_holds_there(at: datetime, asked: tuple[str, ...]) -> None:
    for number in range(1, 10):
        order(number, f"上云{number % 3}", at=at)
    rows = Order.objects.order_by(*asked) if asked else Order.objects.all()
    leaves = Leaves(rows, with_summary)
    assert len(leaves) == 9
    assert [each.pk for each in leaves[4:7]] == [each.pk for each in rows[4:7]]
    assert leaves[4:7][0].monthly_total is None


def test_a_page_takes_one_statement(at: datetime, django_assert_num_queries: Any) -> None:
    for number in range(1, 5):
        order(number, "上云", at=at)
    with django_assert_num_queries(1):
        assert [str(each.system.department) for each in Leaves(Order.objects.all(), with_summary)[1:3]]
