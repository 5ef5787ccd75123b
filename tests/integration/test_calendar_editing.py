"""The calendar as people keep it: one day at a time, or from a file."""

import io
import random
import zipfile
from datetime import date, datetime

import openpyxl
import pytest

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.calendars import editing, sheets
from govcloud.calendars.models import SpecialDay
from govcloud.calendars.services import due_after, is_working, seed
from govcloud.errors import DomainError, Invalids
from tests.factories.sheets import growing

pytestmark = pytest.mark.django_db
KEEPER = SystemActor("tests")
SATURDAY, MONDAY = date(2027, 2, 6), date(2027, 2, 8)


def csv_of(*lines: str) -> bytes:
    return "\n".join(["日期,类型,名称", *lines]).encode("utf-8-sig")


def workbook(*rows: tuple[object, ...]) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in [("日期", "类型", "名称"), *rows]:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def taken_in(content: bytes, at: datetime, *, dry: bool = False) -> editing.Report:
    return editing.take_in(rows=sheets.read(content), dry=dry, actor=KEEPER, at=at)


def codes(report: editing.Report) -> list[tuple[int, str]]:
    return [(one.number, one.error.code) for one in report.errors]


def test_a_day_is_entered_corrected_and_taken_out_and_each_is_told(at: datetime) -> None:
    for kind, day in (("work", SATURDAY), ("rest", SATURDAY)):
        editing.enter(day=day, kind=kind, name="春节", actor=KEEPER, at=at)
    assert not is_working(SATURDAY)
    editing.take_out(day=SATURDAY, actor=KEEPER, at=at)
    assert not SpecialDay.objects.exists()
    with pytest.raises(editing.NotInTheCalendar):
        editing.take_out(day=SATURDAY, actor=KEEPER, at=at)
    told = list(Event.objects.order_by("pk").values_list("verb", "before", "after"))
    work, rest = {"kind": "work", "name": "春节"}, {"kind": "rest", "name": "春节"}
    assert told == [
        ("calendar.day_entered", {}, work),
        ("calendar.day_entered", work, rest),
        ("calendar.day_taken_out", rest, {}),
    ]


def test_all_that_is_wrong_with_a_day_is_said_at_once(at: datetime) -> None:
    with pytest.raises(Invalids) as refused:
        editing.enter(day=date(1999, 1, 1), kind="half", name=" ", actor=KEEPER, at=at)
    assert [error.code for error in refused.value.errors] == [
        "bad-calendar-day", "bad-day-kind", "day-name-missing",
    ]  # fmt: skip
    with pytest.raises(Invalids) as worked:
        editing.enter(day=MONDAY, kind="work", name="春节", actor=KEEPER, at=at)
    assert [error.code for error in worked.value.errors] == ["worked-anyway"]


def test_what_is_entered_counts_for_the_next_limit(at: datetime) -> None:
    thursday = datetime.fromisoformat("2026-11-19T10:00+08:00")
    editing.enter(day=date(2026, 11, 21), kind="work", name="补班", actor=KEEPER, at=at)
    assert due_after(start=thursday, working_days=2) == datetime.fromisoformat("2026-11-21T18:00+08:00")


@pytest.mark.parametrize(
    "content",
    [
        csv_of("2027-02-06,班,春节", "2027/02/08,休,春节"),
        workbook((datetime(2027, 2, 6), "work", "春节"), (MONDAY, "rest", "春节")),  # noqa: DTZ001  as Excel has it
    ],
    ids=["csv", "xlsx"],
)
def test_a_years_arrangements_come_from_a_file(content: bytes, at: datetime) -> None:
    report = taken_in(content, at)
    assert (report.added, report.changed, codes(report)) == (2, 0, [])
    assert (is_working(SATURDAY), is_working(MONDAY)) == (True, False)
    again = taken_in(content, at)
    assert (again.added, again.unchanged) == (0, 2)
    assert Event.objects.count() == 2


def test_a_dry_run_tells_the_same_and_takes_nothing_in(at: datetime) -> None:
    seed(years=[2026])
    before = SpecialDay.objects.count()
    content = csv_of("2026-10-01,休,国庆", "2026-10-02,休,国庆节", "2027-02-06,班,春节")
    report = taken_in(content, at, dry=True)
    assert (report.added, report.changed, report.unchanged) == (1, 1, 1)
    assert SpecialDay.objects.count() == before
    assert not Event.objects.exists()


def test_one_wrong_line_keeps_the_whole_file_out_and_every_wrong_line_is_named(at: datetime) -> None:
    report = taken_in(
        csv_of("2027-02-06,班,春节", "", "tomorrow,休,春节", "2027-02-08,半,", "2027-02-06,班,春节", "2027-02-09,班,春节"), at
    )  # fmt: skip
    assert codes(report) == [
        (4, "bad-calendar-day"),
        (5, "bad-day-kind"),
        (5, "day-name-missing"),
        (6, "day-twice"),
        (7, "worked-anyway"),
    ]
    assert not SpecialDay.objects.exists()


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"PK\x03\x04 and no more", b"%PDF-1.7\x80"], ids=["bytes", "zip", "pdf"]
)
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(sheets.UnreadableSheet):
        sheets.read(content)


def test_a_small_file_that_unpacks_into_a_large_one_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b"0" * (sheets.MOST_UNPACKED + 1))
    assert len(file.getvalue()) < sheets.MOST_BYTES
    with pytest.raises(sheets.SheetTooLarge):
        sheets.read(file.getvalue())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_workbook_whose_text_would_grow_is_refused(encoding: str) -> None:
    with pytest.raises(sheets.UnreadableSheet):
        sheets.read(growing(workbook(("2027-02-06", "work", "春节")), encoding=encoding))


def test_whatever_is_broken_in_a_workbook_is_a_refusal_and_never_an_error() -> None:
    whole, dice = workbook(("2027-02-06", "work", "春节")), random.Random(7)  # noqa: S311
    outcomes = set()
    for _try in range(300):
        torn = bytearray(whole)
        for _bit in range(dice.randrange(1, 6)):
            torn[dice.randrange(4, len(torn))] = dice.randrange(256)
        try:
            outcomes.add(len(sheets.read(bytes(torn))))
        except DomainError as refusal:
            outcomes.add(refusal.code)
    assert outcomes <= {"calendar-file-unreadable", "calendar-file-empty", "calendar-file-too-large", 1}
    assert "calendar-file-unreadable" in outcomes


def test_a_file_with_a_null_character_is_not_readable() -> None:
    with pytest.raises(sheets.UnreadableSheet):
        sheets.read(csv_of("2027-02-06,班,春\0节"))


def test_a_file_of_too_many_lines_is_refused() -> None:
    with pytest.raises(sheets.SheetTooLarge):
        sheets.read(csv_of(*["2027-02-06,班,春节"] * (sheets.MOST_ROWS + 1)))
