"""The demo data: whole, valid, loaded twice without a change, and never in production."""

from datetime import datetime
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from pytest_django import Settings
from stdnum.cn import uscc

from govcloud.audit.models import Event
from govcloud.catalog.models import Cloud, CloudFlavor, CloudStorageClass, Offering, Service
from govcloud.demo import data, places
from govcloud.demo.management.commands import load_demo
from govcloud.demo.people import TITLES
from govcloud.orders import services as orders
from govcloud.orders.readiness import reckon
from govcloud.quotas.models import QuotaAccount
from tenants.models import Department, Division, Membership, Role, System, User
from tenants.services import FILING_NUMBER
from tests.factories.orders import STORY

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(settings: Settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path


def everything() -> list[int]:
    tables = (
        Department,
        Division,
        System,
        User,
        Membership,
        QuotaAccount,
        Offering,
        Cloud,
        CloudFlavor,
        Event,
    )
    return [table.objects.count() for table in tables]


def test_twenty_departments_on_three_levels_have_sixty_systems(at: datetime) -> None:
    loaded = data.load(cloud="sandbox", at=at)
    assert (loaded.departments, loaded.systems) == (20, 60)
    assert {path.count("/") - 1 for path in Department.objects.values_list("path", flat=True)} == {1, 2, 3}
    assert {
        code[2:] == "0000" or code[4:] == "00" for code in Division.objects.values_list("code", flat=True)
    } == {True, False}


@pytest.mark.parametrize("big", [False, True])
def test_no_unit_has_handed_on_more_quota_than_it_has(at: datetime, big: bool) -> None:  # noqa: FBT001
    data.load(cloud="sandbox", at=at, big=big)
    for unit in Department.objects.exclude(children=None).distinct():
        for account in unit.quota_accounts.all():
            below = QuotaAccount.objects.filter(department__parent=unit, dimension=account.dimension)
            assert sum(below.values_list("limit", flat=True)) <= account.limit


def test_the_big_mode_has_126_units_and_123_systems(at: datetime) -> None:
    loaded = data.load(cloud="sandbox", at=at, big=True)
    assert (loaded.departments, loaded.systems) == (126, 123)
    assert Department.objects.values("name").distinct().count() == 126


def test_credit_codes_and_filing_numbers_are_well_formed(at: datetime) -> None:
    data.load(cloud="sandbox", at=at)
    assert all(uscc.is_valid(code) for code in Department.objects.values_list("credit_code", flat=True))
    filed = System.objects.exclude(filing_number="").values_list("filing_number", flat=True)
    assert all(FILING_NUMBER.fullmatch(number) for number in filed)
    assert not System.objects.filter(mlps_level__gte=2, filing_number="").exists()


def test_loading_again_changes_nothing(at: datetime) -> None:
    first = data.load(cloud="sandbox", at=at)
    before = everything()
    assert data.load(cloud="sandbox", at=at) == first
    assert everything() == before


def test_loading_is_a_matter_of_some_dozen_statements(at: datetime) -> None:
    with CaptureQueriesContext(connection) as statements:
        data.load(cloud="sandbox", at=at)
    assert len(statements) < 100


def test_all_ten_services_are_in_the_catalogue(at: datetime) -> None:
    data.load(cloud="sandbox", at=at)
    assert set(Offering.objects.values_list("service", flat=True)) == set(Service.values)


def test_everybody_signs_in_with_the_one_password_and_there_is_somebody_in_every_role(at: datetime) -> None:
    loaded = data.load(cloud="sandbox", at=at)
    person = authenticate(username="authority-approver", password=loaded.password)
    assert person is not None
    assert set(Membership.objects.values_list("role", flat=True)) == set(Role.values)


def test_the_password_is_for_the_owner_of_the_installation_alone(at: datetime, tmp_path: Path) -> None:
    loaded = data.load(cloud="sandbox", at=at)
    kept = tmp_path / "demo_password"
    assert kept.read_text() == loaded.password
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_lost_password_is_replaced_for_everybody(at: datetime, tmp_path: Path) -> None:
    data.load(cloud="sandbox", at=at)
    (tmp_path / "demo_password").unlink()
    again = data.load(cloud="sandbox", at=at)
    assert authenticate(username="applicant", password=again.password) is not None


def test_the_production_profile_takes_no_demo_data(settings: Settings, at: datetime) -> None:
    settings.EMBEDDED = False
    with pytest.raises(data.DemonstrationOnly):
        data.load(cloud="sandbox", at=at)
    with pytest.raises(CommandError, match="production profile"):
        call_command("load_demo")
    assert not User.objects.exists()


def test_the_storys_order_can_be_drafted_on_it_at_its_price(at: datetime) -> None:
    data.load(cloud="sandbox", at=at)
    applicant = User.objects.get(username="applicant")
    order = orders.draft(
        system=System.objects.get(code="core-01"),
        title="上云",
        justification="",
        declares_classified=False,
        items=STORY,
        actor=applicant,
        at=at,
    )
    assert str(orders.quote(order=order, at=at).monthly_total) == "1812.00"
    assert all(one.fits for one in orders.effect(order=order, at=at))
    assert {one.department.path.count("/") for one in orders.effect(order=order, at=at)} == {2, 3}
    route = reckon(order=order, at=at).route
    assert [stage.deciders[0].username for stage in route] == [
        "unit-approver",
        "service-desk",
        "technical-reviewer",
        "authority-approver",
    ]


def test_there_is_a_fresh_level_3_system_for_many_stories(at: datetime) -> None:
    data.load(cloud="sandbox", at=at)
    ours = System.objects.filter(
        department__memberships__user__username="applicant", mlps_level=3, zone="private"
    )
    assert ours.count() == places.STORY_SYSTEMS


def test_a_small_test_cloud_builds_smaller_what_is_ordered_large(at: datetime) -> None:
    data.load(cloud="devcloud", at=at)
    assert not Cloud.objects.get(code="devcloud").sizes_must_match
    ssd = CloudStorageClass.objects.get(cloud__code="devcloud", storage_class__code="ssd")
    assert (ssd.built_gb(100), ssd.built_gb(500), ssd.built_gb(800)) == (1, 3, 4)
    codes = CloudFlavor.objects.filter(cloud__code="devcloud").values_list("cloud_name", flat=True)
    assert set(codes) == {f"{line}.{size}" for line in "gx" for size in ("2c4g", "2c8g", "4c8g", "4c16g")}


def test_the_logins_are_shown_on_request(at: datetime, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("load_demo", show_logins=True, url="http://127.0.0.1:8000")
    shown = capsys.readouterr().out
    assert "http://127.0.0.1:8000/" in shown
    assert "authority-approver" in shown


def test_the_logins_are_listed_with_each_role_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    with translation.override("zh-hans"):
        load_demo._show_logins("a password", url="")
    shown = capsys.readouterr().out
    with translation.override("en"):
        assert [str(role.label) for role in Role if str(role.label) not in shown] == []
    assert TITLES[Role.APPLICANT] in shown
