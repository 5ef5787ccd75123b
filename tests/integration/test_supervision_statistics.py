"""Figures: rates, what each step takes by flow version, and the appraisal of units and cities."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import openpyxl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from govcloud.approvals.models import Case, CaseKind
from govcloud.periods import Month
from govcloud.supervision import appraisal, services, statistics
from tests.factories.approvals import (
    INSTANT,
    INTAKE,
    Chain,
    approved_up_to,
    case_of,
    chain,
    decide,
    flow,
    one_stage_flow,
)
from tests.factories.supervision import decided_by_chain
from tests.factories.tenants import DepartmentFactory, DivisionFactory

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
MONTH = statistics.Period(datetime(2026, 10, 31, 16, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+08:00")


@pytest.fixture
def people() -> Chain:
    return chain()


def matters(kind: str, period: statistics.Period = MONTH) -> statistics.Matters:
    return next(each for each in statistics.figures(period=period).matters if each.kind == kind)


def closed(people: Chain, *, opened: str, at: str, **how: object) -> None:
    approved_up_to(case_of(people, at=moment(opened), **how), "", people, at=moment(at))


def test_early_is_a_day_before_the_limit_and_in_time_is_up_to_it(people: Chain) -> None:
    closed(people, opened="02T10:00", at="10T18:00")  # due on the 11th
    closed(people, opened="02T10:00", at="11T17:59")
    closed(people, opened="02T10:00", at="12T09:00")
    case_of(people, at=moment("02T10:00"))
    found = matters(CaseKind.COMMITTED)
    assert (found.closed, found.early, found.in_time) == (3, 1, 2)
    assert found.early_rate == pytest.approx(1 / 3)


def test_on_the_spot_is_on_the_day_of_opening_by_the_wall_clock(people: Chain) -> None:
    closed(people, opened="02T00:30", at="02T23:30", matter=INSTANT)
    closed(people, opened="02T23:30", at="03T00:30", matter=INSTANT)
    found = matters(CaseKind.INSTANT)
    assert (found.closed, found.on_the_spot, found.on_the_spot_rate) == (2, 1, 0.5)


def test_nothing_decided_has_no_rate(people: Chain) -> None:
    assert matters(CaseKind.INSTANT).on_the_spot_rate is None
    assert statistics.figures(period=MONTH).stages == []


def test_what_rules_alone_decide_is_counted_by_itself(people: Chain) -> None:
    closed(people, opened="02T10:00", at="02T11:00", matter=INSTANT)
    flow(replace(INTAKE, auto_quota="within"), at=moment("03T00:00"))
    case_of(people, at=moment("03T10:00"), matter=INSTANT)
    case_of(people, at=moment("03T10:00"))
    instant, committed = matters(CaseKind.INSTANT), matters(CaseKind.COMMITTED)
    assert (instant.closed, instant.on_the_spot, instant.by_rule) == (1, 1, 1)
    assert (committed.closed, committed.early, committed.by_rule, committed.early_rate) == (0, 0, 1, None)
    (line,) = appraisal.lines(month=Month(2026, 11))
    assert (line.instant, line.committed, line.by_rule, line.own_steps) == (1, 0, 2, 1)


def test_what_one_step_leaves_to_people_counts_for_them(people: Chain) -> None:
    by_rule = replace(INTAKE, code="automatic", auto_quota="within")
    flow(by_rule, INTAKE, at=moment("02T00:00"))
    closed(people, opened="02T10:00", at="02T11:00", matter=INSTANT)
    found = matters(CaseKind.INSTANT)
    assert (found.closed, found.on_the_spot, found.by_rule) == (1, 1, 0)


def test_a_rejected_matter_counts_and_a_withdrawn_or_returned_one_does_not(people: Chain) -> None:
    for verb in ("reject", "return"):
        decided_by_chain(
            case_of(people, at=moment("02T10:00")), people, at=moment("03T10:00"), verb=verb, opinion="不符"
        )
    assert matters(CaseKind.COMMITTED).closed == 1


def test_a_department_is_told_apart_from_others_and_holds_those_below_it(people: Chain) -> None:
    below = chain(DepartmentFactory(parent=people.department))
    elsewhere = chain(DepartmentFactory())
    for each in (people, below, elsewhere):
        closed(each, opened="02T10:00", at="03T10:00")
    within = statistics.Period(MONTH.start, MONTH.end, people.department)
    assert matters(CaseKind.COMMITTED, within).closed == 2


def test_what_a_step_takes_is_counted_in_working_days_for_each_flow_version(people: Chain) -> None:
    for decided in ("05T10:00", "06T10:00", "06T11:00", "09T10:00"):  # opened on Thursday, the 5th
        decided_by_chain(case_of(people, at=moment("05T09:00")), people, at=moment(decided))
    one_stage_flow(moment("10T00:00"))
    decided_by_chain(case_of(people, at=moment("10T09:00")), people, at=moment("10T10:00"))
    services.sweep(at=moment("10T10:00"))
    first, second = (each for each in statistics.figures(period=MONTH).stages if each.decided)
    assert (first.flow, first.code, first.decided, first.late) == (1, "unit_approval", 4, 0)
    assert (first.median_days, first.p90_days, first.mean_days) == (1, 2, 1.0)
    assert (second.flow, second.code, second.median_days) == (2, "intake", 0)


def test_a_countersigned_step_is_one_and_lasts_until_the_last_signature(people: Chain) -> None:
    flow(replace(INTAKE, also_roles=("technical_reviewer",)), at=moment("05T00:00"))
    case = case_of(people, at=moment("05T09:00"))
    decide(case, people.service_desk, moment("05T10:00"))
    decide(case, people.technical_reviewer, moment("09T10:00"))
    (step,) = statistics.figures(period=MONTH).stages
    assert (step.decided, step.late, step.median_days) == (1, 1, 2)


def test_cards_are_counted_for_their_step_and_in_all(people: Chain) -> None:
    case = case_of(people, at=moment("02T10:00"))
    services.sweep(at=moment("03T18:00"))
    services.sweep(at=moment("04T18:00"))
    decided_by_chain(case, people, at=moment("05T10:00"))
    services.sweep(at=moment("05T10:00"))
    figures = statistics.figures(period=MONTH)
    assert figures.cards == {"yellow": 1, "red": 1, "reason": 1}
    assert (figures.stages[0].yellow, figures.stages[0].red, figures.stages[0].late) == (1, 1, 1)


def test_a_step_with_cards_that_was_not_decided_at_all_has_a_row(people: Chain) -> None:
    case_of(people, at=moment("02T10:00"))
    services.sweep(at=moment("04T18:00"))
    (step,) = statistics.figures(period=MONTH).stages
    assert (step.flow, step.code, step.limit, step.decided, step.late, step.red) == (
        1,
        "unit_approval",
        2,
        0,
        0,
        1,
    )
    assert (step.median_days, step.p90_days, step.mean_days) == (None, None, None)


@pytest.mark.parametrize(
    ("share", "days"), [(Fraction(1, 2), 1), (Fraction(9, 10), 7), (Fraction(1, 10), 0), (Fraction(1), 7)]
)
def test_a_share_is_done_within_so_many_days(share: Fraction, days: int) -> None:
    assert statistics.share_done_by([(1, 7, 0), (0, 1, 0), (7, 2, 0)], share) == days


def test_figures_take_as_many_statements_for_many_as_for_few(people: Chain) -> None:
    def taken(many: int) -> int:
        for _case in range(many):
            closed(people, opened="02T10:00", at="03T10:00")
        with CaptureQueriesContext(connection) as queries:
            statistics.figures(period=MONTH)
        return len(queries)

    assert taken(2) == taken(12) <= 6


# -- the appraisal


@pytest.fixture
def two_cities() -> list[Chain]:
    city = DivisionFactory(code="450100", name="甲市", name_en="City A")
    county = DivisionFactory(code="450102", name="甲市某区", parent=city)
    other = DivisionFactory(code="450200", name="乙市", name_en="City B")
    return [
        chain(DepartmentFactory(division=division, name=name, name_en=""))
        for division, name in ((city, "=甲局"), (county, "甲区局"), (other, "乙局"))
    ]


def test_each_unit_has_its_line_and_each_city_its_sum(two_cities: list[Chain]) -> None:
    for people in two_cities:
        closed(people, opened="02T10:00", at="03T10:00")
        closed(people, opened="02T10:00", at="02T11:00", matter=INSTANT)
    late = case_of(two_cities[1], at=moment("02T10:00"))
    services.sweep(at=moment("12T18:00"))
    decided_by_chain(late, two_cities[1], at=moment("13T10:00"))
    with translation.override("zh-hans"):
        units = appraisal.lines(month=Month(2026, 11))
    assert [(line.city, line.unit) for line in units] == [
        ("甲市", "=甲局"), ("甲市", "甲区局"), ("乙市", "乙局"),
    ]  # fmt: skip
    assert [(line.red, line.own_late, line.cards_of_centre) for line in units] == [
        (0, 0, 0),
        (1, 1, 1),
        (0, 0, 0),
    ]
    first, second = appraisal.by_city(units)
    assert (first.city, first.committed, first.instant, first.on_the_spot, first.red) == ("甲市", 2, 2, 2, 1)
    assert (second.city, second.committed) == ("乙市", 1)


@pytest.mark.parametrize(("late", "counts"), [("unit", (1, 1, 0)), ("centre", (0, 0, 1))])
def test_a_unit_answers_for_its_own_signature_alone(
    people: Chain, late: str, counts: tuple[int, int, int]
) -> None:
    flow(replace(INTAKE, also_roles=("unit_approver",), working_days=2), at=moment("02T00:00"))
    case = case_of(people, at=moment("02T10:00"))
    first, last = people.service_desk, people.unit_approver
    if late == "centre":
        first, last = last, first
    decide(case, first, moment("02T11:00"))
    Case.objects.filter(pk=case.pk).update(due_at=moment("20T18:00"))  # the whole has cards of its own
    services.sweep(at=moment("04T18:00"))
    decide(case, last, moment("04T19:00"), opinion="延后")
    (line,) = appraisal.lines(month=Month(2026, 11))
    assert line.own_steps == 1
    assert (line.own_late, line.red, line.cards_of_centre) == counts


@pytest.mark.parametrize(
    ("language", "names"),
    [("zh-hans", ["分单位", "分城市", "红黄牌"]), ("en", ["By unit", "By city", "Cards"])],
)
def test_the_workbook_has_units_cities_and_cards_in_the_readers_language(
    two_cities: list[Chain], language: str, names: list[str]
) -> None:
    case_of(two_cities[0], at=moment("02T10:00"), label="=1+1")
    services.sweep(at=moment("12T18:00"))
    file = io.BytesIO()
    with translation.override(language):
        appraisal.write(month=Month(2026, 11), file=file)
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == names
    by_unit, by_city, cards = ([[cell.value for cell in row] for row in sheet.rows] for sheet in book)
    assert by_unit[1][1] == "=甲局"
    assert book.worksheets[0]["B2"].data_type == "s"  # text, not a formula
    assert len(by_city) == 2
    assert [row[4] for row in cards[1:]] == ["=1+1", "=1+1"]
