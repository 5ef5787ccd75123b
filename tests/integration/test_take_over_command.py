"""``manage.py take_over``: survey, dry run, a sheet of candidates, and what it says of what stays."""

from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from openpyxl import Workbook

from govcloud.inventory.models import Project
from govcloud.provisioning.models import Operation
from govcloud.takeover import sheets
from govcloud.takeover.models import Candidate, Takeover
from tests.factories.orders import Scene, scene
from tests.factories.sheets import growing, saved
from tests.integration.outside import Outside, project_of
from tests.integration.sandboxed import Sandbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("building")]


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, zone="private")


@pytest.fixture
def theirs(building: Sandbox) -> Outside:
    outside = project_of(building, name=f"oa-{uuid4().hex[:8]}")
    outside.volume("one", size=10)
    outside.volume("other", size=20)
    return outside


def run(theirs: Outside, *options: str) -> None:
    call_command("take_over", "sandbox", theirs.name, *options)


def test_without_a_system_the_project_is_only_surveyed(
    on: Scene, theirs: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    run(theirs)
    assert Takeover.objects.get().status == "surveyed"
    assert not Operation.objects.exists()
    assert "other" in capsys.readouterr().out


def test_a_dry_run_shows_the_price_and_writes_nothing(
    on: Scene, theirs: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    run(theirs, "--system", on.system.code, "--dry-run")
    assert "12.00 yuan a month" in capsys.readouterr().out  # 30 GB of SAS at 0.4
    assert Takeover.objects.get().system is None
    assert not Operation.objects.exists()
    assert not Project.objects.exists()


def test_all_that_can_be_is_taken_over_for_a_system(on: Scene, theirs: Outside) -> None:
    run(theirs, "--system", on.system.code)
    assert {each.status for each in Candidate.objects.all()} == {"taking"}
    assert Operation.objects.get().kind == "takeover"


def test_rows_of_a_sheet_that_cannot_be_taken_are_told_and_the_others_begin(
    on: Scene, theirs: Outside, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(theirs)
    one, other = Candidate.objects.order_by("found_name")
    book = Workbook()
    for row in (
        ("external_id", "name", "take"), (one.external_id, "data", "yes"), (other.external_id, "", "no"),
        ("nonsense", "", "yes"),
    ):  # fmt: skip
        book.active.append(row)
    book.save(tmp_path / "chosen.xlsx")
    with pytest.raises(CommandError):
        run(theirs, "--system", on.system.code, "--file", str(tmp_path / "chosen.xlsx"))
    assert dict(Candidate.objects.values_list("name", "status")) == {"data": "taking", "other": "open"}
    assert "row 4: The project has nothing with the id “nonsense”." in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "name,take\na,yes\n", "external_id,name\n1,a\n"])
@pytest.mark.parametrize("name", ["chosen.csv", "chosen.xlsx"])
def test_what_is_no_sheet_of_candidates_is_refused(content: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(content)
    with pytest.raises(sheets.NotASheet):
        sheets.read(file)


def test_a_workbook_whose_text_would_grow_is_refused(tmp_path: Path) -> None:
    book, file = Workbook(), tmp_path / "chosen.xlsx"
    book.active.append(("external_id", "take"))
    book.active.append(("a-1", "yes"))
    file.write_bytes(growing(saved(book), encoding="utf-16"))
    with pytest.raises(sheets.NotASheet):
        sheets.read(file)


def test_a_sheet_as_a_list_is_exported_is_read(tmp_path: Path) -> None:
    file = tmp_path / "chosen.csv"
    file.write_text("﻿uuid,external_id,name,take\nu,a-1,web,是\nu,a-2,,\n", encoding="utf-8")
    assert sheets.read(file) == [
        sheets.Row(2, "a-1", "web", take=True), sheets.Row(3, "a-2", "", take=False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "oa"), "There is no cloud"),
        (("sandbox", "no-such-project"), "has no project of the id or name"),
    ],
)
def test_what_there_is_not_is_told(on: Scene, arguments: tuple[str, str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("take_over", *arguments)
