"""How names, money, quantities and times are written."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import translation

from govcloud.portal.order.flow import working_days_left
from govcloud.portal.templatetags import portal
from tests.factories.tenants import DepartmentFactory


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (Decimal(1812), "¥1,812.00"),
        (Decimal("-726.5"), "−¥726.50"),
        (Decimal(0), "¥0.00"),
        (Decimal("1234567.89"), "¥1,234,567.89"),
        (None, "—"),
    ],
)
def test_money(amount: Decimal | None, written: str) -> None:
    assert portal.money(amount) == written
    with translation.override("zh-hans"):  # thousands, not myriads: as on a statement
        assert portal.money(amount) == written


@pytest.mark.parametrize(
    ("price", "written"),
    [
        (Decimal("46.000000"), "¥46.00"),
        (Decimal("0.40"), "¥0.40"),
        (Decimal("0.012500"), "¥0.0125"),
        (Decimal(100), "¥100.00"),
    ],
)
def test_prices_show_the_places_they_use(price: Decimal, written: str) -> None:
    assert portal.price(price) == written


@pytest.mark.parametrize(
    ("quantity", "written"),
    [
        (Decimal("1000.000000"), "1,000"),
        (Decimal("0.5"), "0.5"),
        (Decimal(-500), "−500"),
        (1200, "1,200"),
        (Decimal(100), "100"),
    ],
)
def test_quantities(quantity: Decimal, written: str) -> None:
    assert portal.quantity(quantity) == written


def test_times_are_local_and_machine_readable() -> None:
    at = datetime(2026, 11, 17, 16, 30, tzinfo=UTC)
    assert portal.moment(at) == '<time datetime="2026-11-18T00:30:00+08:00">18 Nov 2026, 00:30</time>'
    with translation.override("zh-hans"):
        assert "2026年11月18日 00:30" in portal.moment(at)
        assert portal.day(at) == '<time datetime="2026-11-18">2026年11月18日</time>'
    assert portal.day(date(2026, 11, 8)) == '<time datetime="2026-11-08">8 Nov 2026</time>'
    assert portal.moment(None) == "—"


def test_names_fall_back_to_chinese(db: None) -> None:
    both = DepartmentFactory.build(name="水利厅", name_en="Water Resources")
    only = DepartmentFactory.build(name="水利厅", name_en="")
    assert (portal.named(both), portal.named(only)) == ("Water Resources", "水利厅")
    with translation.override("zh-hans"):
        assert portal.named(both) == "水利厅"


def at(day: int, hour: int = 2) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "due", "left"),
    [
        (at(18), at(18, 10), 0),
        (at(18), at(20, 10), 2),
        (at(20), at(23, 10), 1),  # a weekend between
        (at(18, 11), at(18, 10), -1),  # an hour too late is a day too late
        (at(23), at(18, 10), -3),
    ],
)
def test_working_days_left(now: datetime, due: datetime, left: int) -> None:
    assert working_days_left(now, due, {}) == left


def test_working_days_left_count_make_up_days_and_holidays() -> None:
    saturday, monday = date(2026, 11, 21), date(2026, 11, 23)
    assert working_days_left(at(20), at(24, 10), {saturday: True, monday: False}) == 2
