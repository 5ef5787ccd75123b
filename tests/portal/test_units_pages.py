"""Units and systems on their pages, and the register as a workbook."""

import base64
from datetime import datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.translation import override
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.organisation import writing
from govcloud.quotas.models import QuotaAccount
from tenants.models import Connection, Department, Role, System, SystemOwner
from tenants.owners import Owner, OwnerUnreadable, owner_of, sealed_row
from tenants.policies import RoleMissing
from tests.factories.sheets import opened, workbook
from tests.factories.tenants import DepartmentFactory, DivisionFactory, SystemFactory, credit_code, member
from tests.portal.conftest import Signed
from tests.portal.reading import forms_of, text

pytestmark = pytest.mark.django_db
GOOD = {"credit_code": credit_code(90_000), "name": "新单位", "division": "450000"}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def desk(signed_in: Signed) -> Client:
    return signed_in(member(Role.SERVICE_DESK))


@pytest.fixture
def unit(db: None) -> Department:
    return DepartmentFactory(name="示例厅", name_en="Example office", connection=Connection.REQUESTED)


def test_the_tree_is_listed_and_narrowed(desk: Client, unit: Department) -> None:
    DepartmentFactory(name_en="Station", parent=unit)
    DepartmentFactory(name_en="Gone", closed_at=unit.created_at)
    page = text(desk.get("/units/"))
    assert "Station" in page
    assert "Gone" not in page
    assert "Station" not in text(desk.get("/units/?view=requested"))
    assert "Gone" in text(desk.get("/units/?view=closed"))
    assert "Station" not in text(desk.get("/units/?q=office"))


def test_people_of_a_department_see_their_own_units_alone(unit: Department, signed_in: Signed) -> None:
    DepartmentFactory(name_en="Foreign")
    browser = signed_in(member(Role.APPLICANT, unit))
    page = text(browser.get("/units/"))
    assert "Example office" in page
    assert "Foreign" not in page
    assert "Take in a workbook" not in page
    foreign = Department.objects.get(name_en="Foreign")
    assert browser.get(f"/units/{foreign.uuid}/").status_code == 404
    assert browser.post(f"/units/{unit.uuid}/closing/", {"reason": "x"}).status_code == 403


NEW_UNIT = {
    "name": "市水利局",
    "name_en": "Water bureau",
    "credit_code": credit_code(90_001),
    "division": "450000",
    "parent": "",
    "connection": "connected",
}


def test_a_unit_is_registered_below_another_with_accounts_of_nothing(desk: Client, unit: Department) -> None:
    page = text(desk.get("/units/"))
    assert "Register a unit" in page
    assert "Take in a workbook" in page
    answer = desk.post("/units/new/", {**NEW_UNIT, "parent": unit.credit_code})
    made = Department.objects.get(credit_code=NEW_UNIT["credit_code"])
    assert (answer.status_code, answer["Location"]) == (302, f"/units/{made.uuid}/")
    assert (made.parent, made.connection) == (unit, Connection.CONNECTED)
    assert set(QuotaAccount.objects.filter(department=made).values_list("limit", flat=True)) == {0}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"credit_code": "12"}, "credit code"),
        ({"division": "999999"}, "There is no administrative division with the code “999999”."),
        ({"parent": "nobody"}, "There is no unit with the credit code “nobody”."),
        ({"name": ""}, "name"),
    ],
)
def test_a_unit_that_cannot_be_registered_comes_back_as_it_was_typed(
    desk: Client, unit: Department, wrong: dict[str, str], said: str
) -> None:
    answer = desk.post("/units/new/", {**NEW_UNIT, **wrong})
    page = answer.content.decode()
    assert (answer.status_code, said in text(answer)) == (422, True)
    assert 'value="Water bureau"' in page
    assert not Department.objects.filter(name_en="Water bureau").exists()


def test_only_the_centre_registers_units(unit: Department, signed_in: Signed) -> None:
    browser = signed_in(member(Role.APPLICANT, unit))
    assert "Register a unit" not in text(browser.get("/units/"))
    assert browser.get("/units/new/").status_code == 403
    assert browser.post("/units/new/", NEW_UNIT).status_code == 403


NEW_SYSTEM = {
    "code": "water-levels",
    "name": "水位监测",
    "name_en": "Water levels",
    "mlps_level": "2",
    "dr_level": "3",
    "zone": "private",
    "owner_name": "张三",
}


def test_an_applicant_registers_a_system_of_their_unit(unit: Department, signed_in: Signed) -> None:
    browser, url = signed_in(member(Role.APPLICANT, unit)), f"/units/{unit.uuid}/new-system/"
    assert url in browser.get(f"/units/{unit.uuid}/").content.decode()
    answer = browser.post(url, NEW_SYSTEM)
    made = System.objects.get(code="water-levels")
    assert answer["Location"] == f"/systems/{made.uuid}/"
    assert (made.department, made.mlps_level, made.dr_level, made.zone) == (unit, 2, 3, "private")
    assert owner_of(made).name == "张三"


def test_a_system_that_cannot_be_registered_comes_back_as_it_was_typed(
    unit: Department, signed_in: Signed
) -> None:
    SystemFactory(code="water-levels")
    browser, url = signed_in(member(Role.APPLICANT, unit)), f"/units/{unit.uuid}/new-system/"
    refused = browser.post(url, NEW_SYSTEM)
    assert (refused.status_code, "registered already" in text(refused)) == (409, True)
    assert 'value="Water levels"' in refused.content.decode()
    assert '<option value="private" selected>' in refused.content.decode()
    assert browser.post(url, {**NEW_SYSTEM, "code": "Water"}).status_code == 422
    assert (
        browser.post(url, {**NEW_SYSTEM, "code": "x", "cryptography_assessed_on": "soon"}).status_code == 422
    )


def test_nobody_registers_a_system_of_another_unit(unit: Department, signed_in: Signed) -> None:
    foreign = DepartmentFactory()
    browser = signed_in(member(Role.APPLICANT, unit))
    assert browser.post(f"/units/{foreign.uuid}/new-system/", NEW_SYSTEM).status_code == 404
    auditor = signed_in(member(Role.AUDIT_ADMIN))
    assert auditor.get(f"/units/{unit.uuid}/new-system/").status_code in {403, 404}
    assert not System.objects.filter(code="water-levels").exists()


def test_the_desk_makes_a_connection_and_cuts_it_off_with_a_reason(desk: Client, unit: Department) -> None:
    url = f"/units/{unit.uuid}/connection/"
    desk.post(url, {"to": "connected"})
    refused = desk.post(url, {"to": "not_connected"})
    assert (refused.status_code, "Say why a connection" in text(refused)) == (422, True)
    desk.post(url, {"to": "not_connected", "reason": "violation"})
    unit.refresh_from_db()
    assert unit.connection == Connection.NOT_CONNECTED
    assert "violation" in text(desk.get(f"/units/{unit.uuid}/"))


def test_the_reason_of_a_refusal_belongs_to_no_other_step(desk: Client, unit: Department) -> None:
    """Enter in a field presses the first button of its form: who types why it is refused must not connect."""
    page = forms_of(desk.get(f"/units/{unit.uuid}/"), to=f"/units/{unit.uuid}/connection/")
    assert [(form.presses, form.texts) for form in page] == [
        (["to=connected"], []),
        (["to=not_connected"], ["reason"]),
    ]


def test_an_applicant_asks_for_a_connection_and_cannot_make_it(unit: Department, signed_in: Signed) -> None:
    browser, url = signed_in(member(Role.APPLICANT, unit)), f"/units/{unit.uuid}/connection/"
    assert browser.post(url, {"to": "connected"}).status_code == 403
    page = text(browser.get(f"/units/{unit.uuid}/"))
    assert "Connection to the extranet" in page
    assert browser.post(url, {"to": "not_connected", "reason": "too early"}).status_code == 302


def test_the_page_of_a_unit_offers_the_centre_what_it_may_do(
    desk: Client, unit: Department, signed_in: Signed
) -> None:
    offered = (f"/units/{unit.uuid}/{deed}/" for deed in ("change", "move", "closing"))
    page = desk.get(f"/units/{unit.uuid}/").content.decode()
    assert all(address in page for address in offered)
    page = signed_in(member(Role.APPLICANT, unit)).get(f"/units/{unit.uuid}/").content.decode()
    assert f"/units/{unit.uuid}/change/" not in page


def test_a_unit_is_changed_moved_and_closed(desk: Client, unit: Department) -> None:
    above = DepartmentFactory(name_en="Above")
    form = {"name": "新名", "name_en": "", "credit_code": unit.credit_code, "division": unit.division.code}
    assert desk.post(f"/units/{unit.uuid}/change/", {**form, "version": "7"}).status_code == 409
    desk.post(f"/units/{unit.uuid}/change/", {**form, "version": "1"})
    desk.post(f"/units/{unit.uuid}/move/", {"parent": above.credit_code, "reason": "reform"})
    unit.refresh_from_db()
    assert (unit.name, unit.parent) == ("新名", above)
    refused = desk.post(f"/units/{above.uuid}/closing/", {"reason": "merged"})
    assert "1 subordinate unit" in text(refused)
    assert desk.post(f"/units/{unit.uuid}/move/", {"parent": "nobody", "reason": "x"}).status_code == 422
    desk.post(f"/units/{unit.uuid}/closing/", {"reason": "merged"})
    unit.refresh_from_db()
    assert unit.closed_at is not None


def test_a_refused_move_or_closing_comes_back_with_the_unit_and_the_reason_that_were_typed(
    desk: Client, unit: Department
) -> None:
    above = DepartmentFactory()
    unknown = desk.post(f"/units/{unit.uuid}/move/", {"parent": "nobody", "reason": "机构改革"})
    bare = desk.post(f"/units/{unit.uuid}/move/", {"parent": above.credit_code, "reason": ""})
    assert 'value="nobody"' in unknown.content.decode()
    assert unknown.content.decode().count("机构改革") == 1
    assert f'value="{above.credit_code}"' in bare.content.decode()
    DepartmentFactory(parent=unit)
    closing = desk.post(f"/units/{unit.uuid}/closing/", {"reason": "并入其他单位"}).content.decode()
    assert closing.count('value="并入其他单位"') == 1


def test_the_reason_of_a_deed_that_is_offered_no_more_is_shown(desk: Client, unit: Department) -> None:
    form = {"to": "connected", "reason": "专线已开通"}
    desk.post(f"/units/{unit.uuid}/closing/", {"reason": "merged"})
    late = desk.post(f"/units/{unit.uuid}/connection/", form)
    assert (late.status_code, "What you had written 专线已开通" in text(late)) == (409, True)


@pytest.fixture
def system(unit: Department) -> System:
    made = SystemFactory(department=unit, name="税务", name_en="Tax")
    sealed_row(made, Owner(name="张三丰", phone="13812345678", email="zhang@example.org")).save()
    return made


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "This could not be done"), ("zh-hans", "未能完成")],
)
def test_what_no_page_expects_to_be_refused_is_told_on_one_of_its_own(
    system: System, signed_in: Signed, language: str, words: str
) -> None:
    browser = signed_in(member(Role.SERVICE_DESK), language=language)
    SystemOwner.objects.update(sealed=b"lost")
    page = browser.get("/units/workbook.xlsx")
    with override(language):
        assert OwnerUnreadable().detail in text(page)
    assert (page.status_code, words in text(page), 'href="/units/"' in page.content.decode()) == (
        503,
        True,
        True,
    )


def test_a_role_that_no_page_has_asked_for_is_told_as_missing(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(**_how: object) -> bytes:
        raise RoleMissing(roles="x")

    monkeypatch.setattr("govcloud.organisation.exporting.workbook", missing)
    page = desk.get("/units/workbook.xlsx")
    assert (page.status_code, "You may not do this" in text(page)) == (403, True)


def system_form(system: System, **changes: str) -> dict[str, str]:
    names = (
        "name",
        "name_en",
        "mlps_level",
        "filing_number",
        "zone",
        "dr_level",
        "data_class",
        "service_scope",
    )
    form = {name: str(getattr(system, name)) for name in names}
    return {
        **form,
        "cryptography_assessed_on": "",
        "authority": "",
        "version": str(system.version),
        **changes,
    }


def test_a_systems_owner_is_masked_until_somebody_who_needs_it_asks(
    desk: Client, system: System, signed_in: Signed
) -> None:
    url = f"/systems/{system.uuid}/"
    page = text(desk.get(url))
    assert "张** 138****5678 z***@example.org" in page
    assert "13812345678" not in page
    assert "13812345678" in text(desk.post(f"{url}owner/"))
    assert signed_in(member(Role.LEADER)).post(f"{url}owner/").status_code == 403
    events = Event.objects.filter(verb="system.owner_read", subject_id=system.uuid).order_by("id")
    assert [event.outcome for event in events] == ["done", "refused"]


def test_an_owner_that_cannot_be_decrypted_is_told_as_such(
    desk: Client, system: System, settings: Settings
) -> None:
    settings.CREDENTIAL_KEYS = ["n" * 32]
    answer = desk.post(f"/systems/{system.uuid}/owner/")
    assert answer.status_code == 503
    assert "cannot be read at present" in text(answer)


def test_a_system_is_changed_on_its_page(desk: Client, system: System) -> None:
    authority = DepartmentFactory()
    form = system_form(system, name="新税务", data_class="important", authority=authority.credit_code)
    assert desk.post(f"/systems/{system.uuid}/change/", form).status_code == 302
    system = System.objects.get(pk=system.pk)
    assert (system.name, system.data_class, system.authority) == ("新税务", "important", authority)
    assert text(desk.get(f"/systems/{system.uuid}/")).count("张**") == 1


def test_a_refused_change_comes_back_with_what_was_typed(desk: Client, system: System) -> None:
    typed = {"owner_name": "李四", "owner_phone": "13900000000", "owner_email": "li@example.org"}
    form = system_form(system, name="输入的名称", filing_number="42", **typed)
    page = desk.post(f"/systems/{system.uuid}/change/", form)
    assert page.status_code == 422
    for words in ("输入的名称", *typed.values()):
        assert f'value="{words}"' in page.content.decode()
    assert owner_of(system).name == "张三丰"
    for wrong in ({"authority": "nobody"}, {"cryptography_assessed_on": "soon"}, {"mlps_level": "x"}):
        assert desk.post(f"/systems/{system.uuid}/change/", system_form(system, **wrong)).status_code == 422


def test_a_system_is_retired_on_its_page(desk: Client, system: System, signed_in: Signed) -> None:
    url = f"/systems/{system.uuid}/retirement/"
    assert desk.post(url, {"reason": ""}).status_code == 422
    assert desk.post(url, {"reason": "replaced"}).status_code == 302
    assert System.objects.get().retired_at is not None
    assert signed_in(member(Role.LEADER)).post(url, {"reason": "x"}).status_code == 403


def sent(desk: Client, content: bytes) -> object:
    return desk.post("/units/import/", {"file": SimpleUploadedFile("units.xlsx", content)})


def test_a_workbook_is_looked_at_and_then_taken_in_as_it_was_looked_at(desk: Client) -> None:
    DivisionFactory()
    content = workbook(units=[GOOD])
    page = sent(desk, content)
    assert "1 new, 0 changed, 0 unchanged" in text(page)
    assert not Department.objects.exists()
    kept = base64.b64encode(content).decode()
    assert kept in page.content.decode()
    done = desk.post("/units/import/", {"content": kept, "name": "units.xlsx", "import": "1"})
    assert "Taken in" in text(done)
    assert Department.objects.get().name == "新单位"


def test_what_is_wrong_in_a_workbook_is_told_by_cell_and_nothing_can_be_taken_in(desk: Client) -> None:
    page = sent(desk, workbook(units=[{**GOOD, "division": "999999"}]))
    assert page.status_code == 422
    assert "C2 单位 Units" in text(page)
    assert 'name="import"' not in page.content.decode()


def test_a_workbook_without_rows_or_without_changes_is_not_offered_to_be_taken_in(desk: Client) -> None:
    page = sent(desk, writing.blank())
    assert (page.status_code, "There is no row below the headings" in text(page)) == (422, True)
    assert 'name="import"' not in page.content.decode()
    DivisionFactory()
    kept = base64.b64encode(workbook(units=[GOOD])).decode()
    desk.post("/units/import/", {"content": kept, "name": "units.xlsx", "import": "1"})
    again = sent(desk, workbook(units=[GOOD]))
    assert "0 new, 0 changed, 1 unchanged" in text(again)
    assert 'name="import"' not in again.content.decode()


@pytest.mark.parametrize(
    "fields", [{}, {"content": "no base64!", "import": "1"}, {"content": "", "name": "\0"}]
)
def test_what_is_no_workbook_is_refused_on_the_page(desk: Client, fields: dict[str, str]) -> None:
    page = desk.post("/units/import/", fields)
    assert (page.status_code, "no Excel workbook" in text(page)) == (422, True)


def test_the_register_and_the_template_are_handed_out_to_registrars(
    desk: Client, unit: Department, signed_in: Signed
) -> None:
    assert opened(desk.get("/units/workbook.xlsx").content)["单位 Units"]["B2"].value == "示例厅"
    assert opened(desk.get("/units/template.xlsx").content)["单位 Units"].max_row == 1
    assert "Example office" in desk.get("/units/export.csv").content.decode("utf-8-sig")
    leader = signed_in(member(Role.LEADER))
    for path in ("workbook.xlsx", "template.xlsx", "import/"):
        assert leader.get(f"/units/{path}").status_code == 403
