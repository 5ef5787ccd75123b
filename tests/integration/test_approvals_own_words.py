"""Who has written of an order decides on it no more than who applied for it."""

from datetime import datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps

from govcloud.approvals import absences, policies
from govcloud.approvals.models import Case
from govcloud.audit.models import Event, Outcome
from govcloud.orders import attachments, services
from govcloud.orders.models import Order
from govcloud.orders.readiness import reckon
from tenants.models import Role, User
from tests.factories.orders import STORY, Scene, decided, drafted, scene
from tests.factories.tenants import grant, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def on(db: None) -> Scene:
    return scene()


@pytest.fixture
def both(on: Scene) -> User:
    """The unit's approver, who may apply as well."""
    grant(on.chain[Role.UNIT_APPROVER], Role.APPLICANT, on.department)
    return on.chain[Role.UNIT_APPROVER]


@pytest.fixture
def order(on: Scene, at: datetime) -> Order:
    return drafted(on, at=at)


def rewritten(order: Order, by: User, at: datetime) -> Order:
    return services.revise(
        order=order, title="改了的标题", justification="", declares_classified=False, items=STORY,
        expected_version=order.version, actor=by, at=at,
    )  # fmt: skip


def refused(order: Order, by: User, at: datetime) -> bool:
    assert order.case is not None
    assert not Case.objects.todo(by, at=at).exists()
    with pytest.raises(policies.SelfApproval, match="written or changed"):
        services.decide(
            order=order, verb="approve", opinion="", revision_hash=order.case.revision_hash, actor=by, at=at
        )
    return Event.objects.filter(verb="case.decided", outcome=Outcome.REFUSED).count() == 1


def test_who_rewrites_what_another_submits_does_not_approve_it(
    on: Scene, both: User, order: Order, at: datetime
) -> None:
    order = services.submit(order=rewritten(order, both, at), actor=on.applicant, at=at)
    assert refused(order, both, at)


def test_nor_does_their_substitute(on: Scene, both: User, order: Order, at: datetime) -> None:
    desk = on.chain[Role.SERVICE_DESK]
    absences.name_substitute(
        substitute=desk, starts_at=at, ends_at=at + timedelta(days=1), reason="", actor=both, at=at
    )
    order = services.submit(order=rewritten(order, both, at), actor=on.applicant, at=at)
    assert not Case.objects.todo(desk, at=at).exists()


def test_nor_who_adds_a_file_or_takes_one_out(on: Scene, both: User, order: Order, at: datetime) -> None:
    paper = attachments.attach(
        order=order, name="a.pdf", content=b"%PDF-1.7\n%%EOF\n", actor=on.applicant, at=at
    )
    other = drafted(on, at=at)
    attachments.attach(order=other, name="a.pdf", content=b"%PDF-1.7\n%%EOF\n", actor=both, at=at)
    attachments.remove(attachment=paper, actor=both, at=at)
    assert both.pk in Order.objects.get(pk=other.pk).writers
    submitted = services.submit(order=order, actor=on.applicant, at=at)
    assert submitted.case is not None
    assert submitted.case.writers == sorted([on.applicant.pk, both.pk])


def test_nor_who_wrote_an_earlier_revision(on: Scene, both: User, order: Order, at: datetime) -> None:
    colleague = member(Role.UNIT_APPROVER, on.department)
    order = services.submit(order=rewritten(order, both, at), actor=on.applicant, at=at)
    on.chain[Role.UNIT_APPROVER] = colleague
    order = decided(on, order, at=at, verb="return", opinion="请补充说明")
    order = services.submit(order=rewritten(order, on.applicant, at), actor=on.applicant, at=at)
    assert refused(order, both, at)
    decided(on, order, at=at)


def test_who_has_not_touched_it_does(on: Scene, both: User, order: Order, at: datetime) -> None:
    order = services.submit(order=rewritten(order, on.applicant, at), actor=on.applicant, at=at)
    assert order.case is not None
    assert order.case.writers == [on.applicant.pk]
    decided(on, order, at=at)


def test_the_route_does_not_name_them(on: Scene, both: User, order: Order, at: datetime) -> None:
    first = reckon(order=order, at=at).route[0]
    assert both in first.deciders
    first = reckon(order=rewritten(order, both, at), at=at).route[0]
    assert both not in first.deciders


def test_of_orders_from_before_the_trail_tells_it(on: Scene, both: User, order: Order, at: datetime) -> None:
    order = services.submit(order=rewritten(order, both, at), actor=on.applicant, at=at)
    Order.objects.update(writers=[])
    Case.objects.update(writers=[])
    import_module("govcloud.orders.migrations.0016_who_wrote_it").read_the_trail(apps, None)
    order = Order.objects.select_related("case").get(pk=order.pk)
    assert order.case is not None
    assert order.writers == order.case.writers == sorted([on.applicant.pk, both.pk])
