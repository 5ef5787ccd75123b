"""The history on an order's page: every audit verb in words, what belongs together in one line."""

import re
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction

from govcloud.approvals.models import Case
from govcloud.audit import services as audit
from govcloud.audit.models import Outcome
from govcloud.chargeback.models import Statement
from govcloud.inventory.models import Resource
from govcloud.orders.models import Order
from govcloud.portal.audit.words import WORDS
from govcloud.portal.order import trail
from govcloud.provisioning import services
from govcloud.provisioning.models import Operation
from tests.factories.inventory import ServerFactory
from tests.portal import scenes

PACKAGES = ("orders", "approvals", "provisioning", "inventory", "metering", "chargeback", "protection")
THREADLESS = {
    "order.classified",  # nothing of it is kept, so no order either
    "attachment.downloaded",  # nor is reading told in the order's story
    "attachment.swept",
    "flow.published",
    "absence.named",
    "absence.ended",
    "month.closed",
    "usage.{what}",  # spelt out below
}


def recorded_verbs() -> set[str]:
    """Every verb that a package below records: those in its sources, and those that transitions make."""
    verbs = {"usage.opened", "usage.changed", "usage.closed"}
    for package in PACKAGES:
        for path in (Path(trail.__file__).parents[2] / package).rglob("*.py"):
            verbs |= set(
                re.findall(r'(?:verb=f?|_tell\(order, )"([a-z_]+\.[^"]+)"', path.read_text(encoding="utf-8"))
            )
    for model in (Order, Case, Operation, Resource, Statement):
        reached = set().union(*model.TRANSITIONS.values())
        verbs |= {f"{model._meta.model_name}.{status}" for status in reached}
    return verbs - THREADLESS


def test_every_verb_is_told_in_words_or_left_out_on_purpose() -> None:
    assert recorded_verbs() - set(WORDS) - trail.SILENT == set()


def told(order: Order) -> list[tuple[str, str, list[str]]]:
    return [
        (str(line.words), str(line.actor), line.subjects)
        for line in trail.trail(order, stages={"unit": "Unit"}, technical=False)
    ]


def test_things_built_within_a_minute_are_told_in_one_line(people: scenes.Cast, at: datetime) -> None:
    order = scenes.draft(people, at=at)
    engine = audit.SystemActor("engine")
    for number, minutes in ((1, 0), (2, 0), (3, 5)):
        resource = ServerFactory(resource__name=f"app-{number}", resource__system=people.system).resource
        with transaction.atomic():
            audit.record(
                actor=engine,
                verb="resource.built",
                subject=resource,
                at=at + timedelta(minutes=minutes),
                thread=order.uuid,
            )
    assert told(order)[:2] == [
        ("Built", "the cloud centre, automatically", ["app-3"]),
        ("Built", "the cloud centre, automatically", ["app-1", "app-2"]),
    ]


def test_a_decision_is_told_with_its_stage_and_opinion(people: scenes.Cast, at: datetime) -> None:
    order = scenes.submitted(people, at=at)
    with transaction.atomic():
        audit.record(
            actor=people.approver,
            verb="case.decided",
            subject=order.case,
            at=at,
            thread=order.uuid,
            after={"stage": "unit", "status": "approved"},
            reason="同意",
        )
    line = trail.trail(order, stages={"unit": "Unit approval"}, technical=False)[0]
    assert (str(line.words), line.subjects, line.reason, line.refused) == (
        "Approved",
        ["Unit approval"],
        "同意",
        False,
    )


def test_a_code_for_programs_is_no_reason_to_tell(people: scenes.Cast, at: datetime) -> None:
    order = scenes.building(people, at=at)
    scenes.park(order, error="no room")
    operation = Operation.objects.get(thread=order.uuid, status="parked")
    services.retry(operation=operation, actor=people.admin, at=at)
    (line,) = (
        each
        for each in trail.trail(order, stages={}, technical=False)
        if str(each.words) == "Work in the cloud taken up again"
    )
    assert line.reason == ""


def test_refusals_stand_in_the_history_as_such(people: scenes.Cast, at: datetime) -> None:
    order = scenes.submitted(people, at=at)
    with transaction.atomic():
        audit.record(
            actor=people.applicant,
            verb="case.decided",
            subject=order.case,
            at=at,
            thread=order.uuid,
            outcome=Outcome.REFUSED,
            reason="self-approval",
        )
    line = trail.trail(order, stages={}, technical=False)[0]
    assert (str(line.words), line.refused) == ("Decided", True)


def test_events_of_other_orders_stay_out(people: scenes.Cast, at: datetime) -> None:
    order = scenes.draft(people, number=1, at=at)
    scenes.draft(people, number=2, at=at)
    assert [words for words, _actor, _subjects in told(order)] == ["Draft made"]
