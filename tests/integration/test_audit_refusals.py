"""Refusals that matter stay, whatever becomes of the transaction that refused."""

import pytest
from django.db import transaction

from govcloud.audit.models import Event, Outcome
from govcloud.audit.refusals import kept, refuse, refuse_by_the_minute
from govcloud.audit.services import SystemActor, record
from govcloud.inventory.lifecycle import Status
from govcloud.lifecycle import WrongState, transition
from tests.at_once import at_once
from tests.factories.inventory import ResourceFactory

pytestmark = pytest.mark.django_db(transaction=True)

ENGINE = SystemActor("engine")


def release(server, at) -> None:
    """A service that writes, finds that it may not, and tells of it on its way out."""
    try:
        with transaction.atomic():
            record(actor=ENGINE, verb="resource.looked-at", subject=server, at=at)
            transition(server, Status.RELEASED, actor=ENGINE, at=at)
    except WrongState as wrong:
        refuse(actor=ENGINE, verb="resource.released", subject=server, at=at, reason=wrong.code)
        raise


def request(server, at) -> None:
    """An edge with a transaction of its own, in which something went well before."""
    with kept(), transaction.atomic():
        record(actor=ENGINE, verb="something.before", subject=server, at=at)
        release(server, at)


def told() -> list[tuple[str, str, str]]:
    return list(Event.objects.values_list("verb", "outcome", "reason"))


def test_without_an_edge_a_refusal_is_written_at_once_and_the_change_is_not(at):
    with pytest.raises(WrongState):
        release(ResourceFactory(), at)

    assert told() == [("resource.released", Outcome.REFUSED, "wrong-state")]


def test_a_refusal_outlives_the_request_s_transaction(at):
    with pytest.raises(WrongState):
        request(ResourceFactory(), at)

    assert told() == [("resource.released", Outcome.REFUSED, "wrong-state")]


def test_a_refusal_in_a_request_that_goes_on_is_written_with_it(at):
    server = ResourceFactory()

    with kept(), transaction.atomic():
        refuse(actor=ENGINE, verb="x", subject=server, at=at, reason="no")
        record(actor=ENGINE, verb="y", subject=server, at=at)

    assert sorted(told()) == [("x", Outcome.REFUSED, "no"), ("y", Outcome.DONE, "")]


def test_one_request_s_refusals_are_not_another_s(at):
    with kept():
        pass

    refuse(actor=ENGINE, verb="x", subject=None, at=at, reason="no", label="what it was about")

    assert Event.objects.get().subject_label == "what it was about"


def test_of_the_same_refusal_many_times_at_once_one_is_written_and_all_of_what_differs(at):
    def again(server=None, label="POST /x", reason="no"):
        refuse_by_the_minute(actor=ENGINE, verb="x", subject=server, at=at, label=label, reason=reason)

    assert at_once([again] * 8) == [None] * 8
    assert told() == [("x", Outcome.REFUSED, "no")]

    again(server=ResourceFactory())
    again(label="POST /y")
    again(reason="never")
    assert Event.objects.count() == 4
