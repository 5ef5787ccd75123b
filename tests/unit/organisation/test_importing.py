"""Units and systems out of a workbook: exactly what a dry run told, all of it or nothing."""

import itertools
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.organisation import exporting, importing
from govcloud.organisation.importing import Outcome
from govcloud.quotas.models import Dimension, QuotaAccount
from tenants import owners
from tenants.models import Connection, Department, Division, NetworkZone, System, SystemOwner
from tenants.owners import Owner, sealed_row
from tests.factories.inventory import whole_server
from tests.factories.sheets import workbook
from tests.factories.tenants import DepartmentFactory, DivisionFactory, SystemFactory, credit_code

pytestmark = pytest.mark.django_db

BY = SystemActor("test")
A, B, C, D, E = (credit_code(90_000 + number) for number in range(5))


def unit(code: str, **changes: Any) -> dict[str, Any]:
    return {"credit_code": code, "name": f"单位{code[-3:]}", "division": "450000", **changes}


def system(code: str, department: str, **changes: Any) -> dict[str, Any]:
    return {"code": code, "name": f"系统{code}", "department": department, "mlps_level": 2, **changes}


@pytest.fixture(autouse=True)
def _division() -> None:
    DivisionFactory()


def run(content: bytes, at: datetime, *, dry: bool = False) -> Outcome:
    return importing.run(content=content, name="units.xlsx", dry=dry, actor=BY, at=at)


def told(outcome: Outcome) -> list[tuple[str, str]]:
    return [(done.key, done.action.value) for done in outcome.rows]


def problems(outcome: Outcome) -> list[tuple[str, str]]:
    return [(problem.cell, problem.error.code) for problem in outcome.problems]


NEW = workbook(
    units=[unit(C, parent=B), unit(B, parent=A), unit(A, connection="已接入")],
    systems=[system("oa", C, zone="private", authority=A, owner_name="张三", owner_phone="13812345678")],
)


def test_units_come_in_with_those_above_them_in_whatever_order(at: datetime) -> None:
    outcome = run(NEW, at)
    assert (outcome.applied, told(outcome)) == (
        True,
        [(C, "created"), (B, "created"), (A, "created"), ("oa", "created")],
    )
    lowest = Department.objects.get(credit_code=C)
    assert [Department.objects.get(pk=pk).credit_code for pk in lowest.ancestor_ids] == [A, B, C]
    assert Department.objects.get(credit_code=A).connection == Connection.CONNECTED
    assert QuotaAccount.objects.filter(department=lowest).count() == len(Dimension)
    oa = System.objects.get(code="oa")
    assert (oa.zone, oa.authority.credit_code, owners.owner_of(oa).name) == ("private", A, "张三")


CITY = [
    {"code": "450103", "name": "青秀区", "name_en": "Qingxiu"},
    {"code": "450100", "name": "南宁市", "name_en": "Nanning"},
]


def test_divisions_come_in_with_those_that_belong_to_them_and_units_may_name_them(at: datetime) -> None:
    outcome = run(workbook(divisions=CITY, units=[unit(A, division="450103")]), at)
    assert (outcome.applied, told(outcome)) == (
        True,
        [("450103", "created"), ("450100", "created"), (A, "created")],
    )
    district = Department.objects.get(credit_code=A).division
    assert (district.name_en, district.parent.code, district.parent.parent.code) == (
        "Qingxiu",
        "450100",
        "450000",
    )
    entered = Event.objects.filter(verb="division.registered").order_by("id")
    assert list(entered.values_list("subject_label", flat=True)) == ["450103", "450100"]


def test_a_county_directly_below_its_region_and_a_region_by_itself(at: datetime) -> None:
    run(workbook(divisions=[{"code": "459001", "name": "直管县"}, {"code": "460000", "name": "海南省"}]), at)
    assert Division.objects.get(code="459001").parent.code == "450000"
    assert Division.objects.get(code="460000").parent is None


def test_a_division_is_renamed_and_what_the_file_does_not_say_is_kept(at: datetime) -> None:
    run(workbook(divisions=CITY), at)
    outcome = run(
        workbook(divisions=[{"code": "450103", "name": "青秀新区"}, {"code": "450100", "name": "南宁市"}]), at
    )
    assert told(outcome) == [("450103", "changed"), ("450100", "unchanged")]
    renamed = Division.objects.get(code="450103")
    assert (renamed.name, renamed.name_en) == ("青秀新区", "Qingxiu")
    (event,) = Event.objects.filter(verb="division.changed")
    assert (event.before["name"], event.after["name"]) == ("青秀区", "青秀新区")


def test_what_is_wrong_with_divisions_is_told_at_its_cell_and_no_unit_is_taken_in(at: datetime) -> None:
    rows = [
        {"code": "45010", "name": "短"},
        {"code": "450200", "name": "长" * 81},
        {"code": "450300", "name": ""},
    ]
    outcome = run(
        workbook(divisions=rows, units=[unit(A, division="450200"), unit(B, division="459999")]), at
    )
    assert not outcome.applied
    assert problems(outcome) == [
        ("B4", "cell-empty"),
        ("A2", "not-a-division-code"),
        ("B3", "name-too-long"),
        ("C3", "no-such-division"),
        ("C2", "no-such-division"),
    ]
    assert not Division.objects.filter(code="450200").exists()


def test_a_dry_run_tells_the_same_and_changes_nothing(at: datetime) -> None:
    outcome = run(NEW, at, dry=True)
    assert not Department.objects.exists()
    assert not Event.objects.exists()
    assert (outcome.applied, told(outcome)) == (False, told(run(NEW, at)))


def test_an_import_is_told_with_its_counts_and_the_files_digest(at: datetime) -> None:
    run(NEW, at)
    event = Event.objects.get(verb="units.imported")
    assert event.subject_label == "units.xlsx"
    assert (event.after["created"], event.after["unchanged"], len(event.after["sha256"])) == (4, 0, 64)
    assert Event.objects.filter(verb="department.registered").count() == 3


def test_the_same_file_again_changes_nothing(at: datetime) -> None:
    run(NEW, at)
    assert {action for _key, action in told(run(NEW, at))} == {"unchanged"}


def test_one_wrong_row_keeps_all_out_and_every_wrong_cell_is_told(at: datetime) -> None:
    content = workbook(
        units=[unit(A), unit(B, credit_code="11450000MB9900013S"), unit(C, division="999999")],
        systems=[
            system("ok", A),
            system("Bad!", A, mlps_level=4),
            system("lost", B, owner_phone="138****5678"),
            system("ok", A),
        ],
    )
    outcome = run(content, at)
    assert sorted(problems(outcome)) == sorted(
        [
            ("A3", "bad-credit-code"),
            ("C4", "no-such-division"),
            ("A3", "bad-system-code"),
            ("D3", "mlps-level-not-taken"),
            ("C4", "unknown-unit"),
            ("A4", "owner-name-missing"),
            ("E4", "bad-telephone"),
            ("A5", "row-repeated"),
        ]
    )
    assert not outcome.applied
    assert not Department.objects.exists()


def test_every_wrong_cell_of_a_row_is_told_at_once_what_cannot_be_read_included(at: datetime) -> None:
    """Names that are missing, words and numbers that are none, rules of one field and units that are not there."""
    content = workbook(
        units=[unit("1", name="", division="999999", parent="2", connection="offline")],
        systems=[
            system(
                "Bad!", "3", mlps_level="many", zone="moon", dr_level=9, filing_number="x", authority="4",
                owner_phone="138****5678",
            )
        ],
    )  # fmt: skip
    told = {
        (problem.sheet, problem.heading.split(" / ")[1], problem.error.code)
        for problem in run(content, at).problems
    }
    assert told == {
        ("单位 Units", "Unified social credit code", "bad-credit-code"),
        ("单位 Units", "Name", "cell-empty"),
        ("单位 Units", "Division", "no-such-division"),
        ("单位 Units", "Credit code of the unit above", "unknown-unit"),
        ("单位 Units", "Connection", "cell-no-choice"),
        ("业务系统 Systems", "Code", "bad-system-code"),
        ("业务系统 Systems", "Credit code of the department", "unknown-unit"),
        ("业务系统 Systems", "MLPS level", "cell-not-whole"),
        ("业务系统 Systems", "Zone", "cell-no-choice"),
        ("业务系统 Systems", "DR level", "dr-level-unknown"),
        ("业务系统 Systems", "Filing number", "bad-filing-number"),
        ("业务系统 Systems", "Credit code of the competent authority", "unknown-unit"),
        ("业务系统 Systems", "Owner", "owner-name-missing"),
        ("业务系统 Systems", "Owner's telephone", "bad-telephone"),
    }


def test_every_change_that_is_refused_is_told_of_a_row_at_once(at: datetime) -> None:
    department = DepartmentFactory(credit_code=A, connection=Connection.NOT_CONNECTED)
    DepartmentFactory(credit_code=B, parent=department)
    standing = SystemFactory(code="oa", department=department, mlps_level=2, filing_number="")
    whole_server(system=standing)
    other = NetworkZone.PRIVATE if standing.zone != NetworkZone.PRIVATE else NetworkZone.PUBLIC
    content = workbook(
        units=[unit(A, parent=B, connection="connected")],
        systems=[system("oa", A, mlps_level=3, zone=other, dr_level=9, owner_phone="x")],
    )
    told = problems(run(content, at))
    assert {code for _cell, code in told} >= {"unit-below-itself", "connection-does-not-follow"}
    assert {code for _cell, code in told} >= {"dr-level-unknown", "bad-telephone"}
    content = workbook(systems=[system("oa", A, mlps_level=3, zone=other)])
    told = problems(run(content, at))
    assert {code for _cell, code in told} >= {"zone-fixed", "filing-number-missing"}


def test_a_row_that_changes_nothing_is_taken_although_it_says_what_could_not_be_entered_today(
    at: datetime,
) -> None:
    department = DepartmentFactory(credit_code=A)
    SystemFactory(code="oa", department=department, name="系统oa", mlps_level=2, filing_number="old-1")
    outcome = run(workbook(systems=[system("oa", A, filing_number="old-1")]), at)
    assert (problems(outcome), told(outcome)) == ([], [("oa", "unchanged")])


def test_masked_particulars_are_not_taken_for_a_persons(at: datetime) -> None:
    content = workbook(
        units=[unit(A)], systems=[system("oa", A, owner_name="张*", owner_phone="138****5678")]
    )
    assert {code for _cell, code in problems(run(content, at))} == {"bad-owner-name", "bad-telephone"}


def test_a_credit_code_is_known_however_it_is_written(at: datetime) -> None:
    DepartmentFactory(credit_code=A, name="旧")
    written = [f" {code[:4].lower()} {code[4:].lower()}-" for code in (A, B)]
    outcome = run(workbook(units=[unit(written[1], parent=written[0]), unit(written[0], name="新")]), at)
    assert problems(outcome) == []
    assert Department.objects.get(credit_code=A).name == "新"
    assert Department.objects.get(credit_code=B).parent == Department.objects.get(credit_code=A)


def test_units_in_a_ring_are_refused(at: datetime) -> None:
    outcome = run(workbook(units=[unit(A, parent=B), unit(B, parent=A)]), at)
    assert {code for _cell, code in problems(outcome)} == {"units-in-a-ring"}


def tree() -> dict[str, str | None]:
    """Of each unit the one above it, which its path says as well."""
    units = {unit.pk: unit for unit in Department.objects.all()}
    for unit in units.values():
        assert unit.ancestor_ids == [
            *(units[unit.parent_id].ancestor_ids if unit.parent_id else []),
            unit.pk,
        ]
    return {unit.credit_code: unit.parent.credit_code if unit.parent else None for unit in units.values()}


@pytest.fixture
def chain() -> list[Department]:
    """A above B above C."""
    chain: list[Department] = []
    for code in (A, B, C):
        chain.append(DepartmentFactory(credit_code=code, parent=chain[-1] if chain else None))
    return chain


@pytest.mark.parametrize("order", list(itertools.permutations([A, B, C])))
def test_a_chain_of_units_is_turned_round_in_whatever_order_its_rows_are(
    order: tuple[str, ...], chain: list[Department], at: datetime
) -> None:
    parents = {A: B, B: C, C: None}
    outcome = run(workbook(units=[unit(code, parent=parents[code]) for code in order]), at)
    assert problems(outcome) == []
    assert tree() == parents


def test_a_unit_changes_places_with_one_far_above_it_across_units_that_the_file_leaves(
    chain: list[Department], at: datetime
) -> None:
    """D comes to the top and A, with B and C, below it; D was below C."""
    DepartmentFactory(credit_code=D, parent=chain[-1])
    outcome = run(workbook(units=[unit(E, parent=C), unit(A, parent=D), unit(D, parent=None)]), at)
    assert problems(outcome) == []
    assert tree() == {D: None, A: D, B: A, C: B, E: C}


def test_a_ring_that_a_file_makes_of_units_that_stand_names_its_rows_alone(
    chain: list[Department], at: datetime
) -> None:
    DepartmentFactory(credit_code=D)
    before = tree()
    content = workbook(units=[unit(A, parent=D), unit(E, parent=A), unit(D, parent=C)])
    told = [(cell[1:], code) for cell, code in problems(run(content, at))]
    assert sorted(told) == [("2", "units-in-a-ring"), ("4", "units-in-a-ring")]
    assert tree() == before


def test_changes_are_told_with_what_was_and_carried_out(at: datetime) -> None:
    above = DepartmentFactory(credit_code=A)
    DepartmentFactory(credit_code=B, name="旧", name_en="", connection=Connection.NOT_CONNECTED)
    outcome = run(workbook(units=[unit(B, name="新", parent=A, connection="requested")]), at)
    (done,) = outcome.rows
    assert [(change.before, change.after) for change in done.changes] == [
        ("旧", "新"),
        ("", A),
        ("未接入 / not connected", "已申请 / requested"),
    ]
    changed = Department.objects.get(credit_code=B)
    assert (changed.name, changed.parent, changed.connection) == ("新", above, Connection.REQUESTED)


def test_rules_of_changes_hold_for_sheets(at: datetime) -> None:
    DepartmentFactory(credit_code=A, connection=Connection.NOT_CONNECTED)
    outcome = run(workbook(units=[unit(A, connection="connected")]), at)
    assert problems(outcome) == [("D2", "connection-does-not-follow")]


def test_a_system_is_not_moved_to_another_department_by_a_sheet(at: datetime) -> None:
    DepartmentFactory(credit_code=A)
    SystemFactory(code="oa", department=DepartmentFactory(name="示例局", name_en="Example Bureau"))
    outcome = run(workbook(systems=[system("oa", A)]), at)
    assert problems(outcome) == [("C2", "system-of-another-unit")]
    for language, name in (("zh-hans", "示例局"), ("en", "Example Bureau")):
        with translation.override(language):
            assert name in outcome.problems[0].error.detail


def test_an_empty_cell_empties_what_may_be_empty_and_a_missing_column_leaves_it(at: datetime) -> None:
    department = DepartmentFactory(credit_code=A)
    kept = SystemFactory(
        code="oa", department=department, data_class="internal", zone=NetworkZone.PRIVATE, name_en="OA"
    )
    run(workbook(systems=[system("oa", A, data_class=None, zone=None, filing_number=kept.filing_number)]), at)
    kept.refresh_from_db()
    assert (kept.data_class, kept.zone, kept.name_en) == ("", NetworkZone.PRIVATE, "OA")


def test_an_owner_changes_where_the_file_says_so_and_is_not_told(at: datetime) -> None:
    oa = SystemFactory(code="oa", department=DepartmentFactory(credit_code=A))
    sealed_row(oa, Owner(name="张三", email="z@example.org")).save()
    outcome = run(workbook(systems=[system("oa", A, name=oa.name, owner_name="李四")]), at)
    assert [(each.before, each.after) for each in outcome.rows[0].changes] == [("***", "***")]
    oa = System.objects.get(pk=oa.pk)
    assert owners.owner_of(oa) == Owner(name="李四", email="z@example.org")


def test_what_is_exported_is_read_back_unchanged(at: datetime) -> None:
    run(NEW, at)
    DepartmentFactory(closed_at=at)
    SystemFactory(retired_at=at, department=DepartmentFactory(name="最后"))
    content = exporting.workbook(actor=BY, at=at)
    outcome = run(content, at)
    assert problems(outcome) == []
    assert [action for _key, action in told(outcome)] == ["unchanged"] * 6
    assert Event.objects.get(verb="units.exported").after == {"units": 4, "systems": 1}
    assert SystemOwner.objects.count() == 1


def test_the_command_takes_a_file_in_with_its_progress(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "units.xlsx"
    file.write_bytes(NEW)
    call_command("import_units", str(file), "--dry-run")
    assert "4 created" in capsys.readouterr().out
    assert not Department.objects.exists()
    call_command("import_units", str(file))
    assert "Taken in" in capsys.readouterr().out
    assert Department.objects.count() == 3


def test_the_command_fails_where_a_cell_stands_in_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "units.xlsx"
    file.write_bytes(workbook(units=[unit("11450000MB9900013S")]))
    with pytest.raises(CommandError, match="1 problems"):
        call_command("import_units", str(file))
    assert "A2" in capsys.readouterr().out


def test_a_template_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file or directory"):
        call_command("import_units", str(tmp_path / "nowhere" / "x.xlsx"), "--template")


def test_the_command_writes_a_template_that_is_not_there_yet(tmp_path: Path) -> None:
    file = tmp_path / "template.xlsx"
    call_command("import_units", str(file), "--template", stdout=StringIO())
    with pytest.raises(CommandError, match="there already"):
        call_command("import_units", str(file), "--template")
    with pytest.raises(CommandError, match="There is no row below the headings"):
        call_command("import_units", str(file))
