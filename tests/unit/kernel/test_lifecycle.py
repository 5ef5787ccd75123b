"""Transitions: by the table, guarded by the status that was read, and told of."""

import pytest
from django.utils import translation

from govcloud.audit.models import Event
from govcloud.inventory.lifecycle import TRANSITIONS, Status
from govcloud.inventory.models import Resource
from govcloud.lifecycle import ChangedMeanwhile, WrongState, transition
from tests.factories.inventory import ResourceFactory
from tests.factories.tenants import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return UserFactory()


def test_an_allowed_transition_is_written_with_its_further_columns(person, at):
    server = ResourceFactory(releasing=True)

    transition(server, Status.RELEASED, actor=person, at=at, released_at=at)

    assert (server.status, server.released_at) == (Status.RELEASED, at)
    kept = Resource.objects.get(pk=server.pk)
    assert (kept.status, kept.released_at) == (Status.RELEASED, at)


def test_a_transition_is_told_of_with_what_was_before_and_after(person, at):
    server = ResourceFactory()

    transition(server, Status.CHANGING, actor=person, at=at, reason="grow", thread=server.thread)

    event = Event.objects.get()
    assert (event.verb, event.subject_id, event.actor) == ("resource.changing", server.uuid, person.audit_ref)
    assert (event.before, event.after) == ({"status": "active"}, {"status": "changing"})
    assert (event.reason, event.thread) == ("grow", server.thread)


def test_a_transition_that_is_not_in_the_table_is_refused_with_what_is(person, at):
    server = ResourceFactory()

    with pytest.raises(WrongState) as refused, translation.override("en"):
        transition(server, Status.RELEASED, actor=person, at=at)

    assert refused.value.params["allowed"] == "being changed, being released"
    assert Resource.objects.get(pk=server.pk).status == Status.ACTIVE


def test_the_second_of_two_who_read_the_same_status_is_told_and_writes_nothing(person, at):
    server = ResourceFactory()
    stale = Resource.objects.get(pk=server.pk)
    transition(server, Status.CHANGING, actor=person, at=at)

    with pytest.raises(ChangedMeanwhile):
        transition(stale, Status.RELEASING, actor=person, at=at)

    assert Resource.objects.get(pk=server.pk).status == Status.CHANGING
    assert Event.objects.count() == 1


def test_an_end_is_an_end(person, at):
    server = ResourceFactory(released=True)

    with translation.override("en"):
        with pytest.raises(WrongState) as refused:
            transition(server, Status.ACTIVE, actor=person, at=at)

        assert refused.value.detail == "This is released, which is final."


def test_a_refusal_names_statuses_as_its_reader_does(person, at):
    server = ResourceFactory()

    with translation.override("zh-hans"):
        with pytest.raises(WrongState) as refused:
            transition(server, Status.RELEASED, actor=person, at=at)

        said = refused.value.detail

    assert str(Status.ACTIVE) not in said
    with translation.override("zh-hans"):
        assert f"{Status.CHANGING.label}、{Status.RELEASING.label}" in said


def test_the_table_names_every_status_and_leads_only_to_statuses():
    assert set(TRANSITIONS) == set(Status)
    assert set().union(*TRANSITIONS.values()) <= set(Status)
