"""The centre's key replaced: which servers' turn it is, what is told of the others, and what becomes of the keys themselves."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from govcloud import ciphers
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.clouds import guest_keys
from govcloud.clouds.models import GuestKey
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Guest, Power, Resource, Server
from govcloud.provisioning import rotation
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.centre_key import ReplaceCentreKey
from govcloud.provisioning.models import Operation, Step
from govcloud.provisioning.rotation import Standing
from tenants.models import Role
from tests.factories.inventory import whole_server
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
OPERATOR = SystemActor("test")
AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def first_key(settings: Settings, tmp_path: Any) -> None:
    settings.GUEST_KEY_FILE = tmp_path / "key"
    guest_keys.make(settings.GUEST_KEY_FILE)


def replaced(at: datetime = AT) -> GuestKey:
    return guest_keys.replace(actor=OPERATOR, at=at)


def begun() -> list[str]:
    mine = Operation.objects.filter(kind="action").order_by("pk")
    return list(mine.values_list("resource__name", flat=True))


def standing(at: datetime = AT) -> Standing:
    found = rotation.standing(at=at)
    assert found is not None
    return found


def suspended(server: Server) -> None:
    Server.objects.filter(pk=server.pk).update(power=Power.STOPPED, suspended_at=AT)
    Resource.objects.filter(pk=server.pk).update(status=Status.SUSPENDED)


class TestKeys:
    def test_the_files_is_the_current_one_until_it_is_replaced(self) -> None:
        own = guest_keys.of_file()
        assert guest_keys.current() == guest_keys.PublicHalf(own.name, own.public)
        assert (guest_keys.latest(), guest_keys.ways_in("", at=AT)) == (None, [own.private])
        row = replaced()
        assert guest_keys.current() == guest_keys.PublicHalf(row.name, row.public_key)
        assert row.name != own.name

    def test_those_before_are_kept_and_the_known_one_is_tried_first(self) -> None:
        own = guest_keys.of_file()
        rows = [replaced() for _time in range(2)]
        newest_first = [guest_keys.opened(row) for row in reversed(rows)]
        assert guest_keys.ways_in("", at=AT) == [*newest_first, own.private]
        assert guest_keys.ways_in(own.name, at=AT) == [own.private, *newest_first]

    def test_where_there_are_more_than_can_be_offered_the_others_take_turns(self) -> None:
        own = guest_keys.of_file()
        rows = [replaced() for _time in range(5)]
        newest = guest_keys.opened(rows[-1])
        moments = [AT + timedelta(seconds=guest_keys.TURN) * n for n in range(6)]
        for known, first in ((own.name, own.private), ("", newest), ("govcloud-of-nobody", newest)):
            offered = [guest_keys.ways_in(known, at=at) for at in moments]
            assert {len(keys) for keys in offered} == {guest_keys.OFFERED}
            assert {keys[0] for keys in offered} == {first}
            assert all(newest in keys for keys in offered)
            everything = {own.private, *(guest_keys.opened(row) for row in rows)}
            assert {key for keys in offered for key in keys} == everything

    def test_one_that_cannot_be_opened_here_does_not_keep_the_others_back(self, settings: Settings) -> None:
        first = replaced()
        settings.CREDENTIAL_KEYS = ["n" * 32, *settings.CREDENTIAL_KEYS]
        second = replaced()
        private = guest_keys.opened(second)
        settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS[:1]
        assert guest_keys.ways_in(first.name, at=AT) == [private]
        assert first.name in guest_keys.unreadable()
        assert second.name not in guest_keys.unreadable()
        settings.CREDENTIAL_KEYS = ["m" * 32]
        with pytest.raises(ciphers.Unreadable):
            guest_keys.ways_in("", at=AT)

    def test_another_file_is_read_anew(self, settings: Settings) -> None:
        before = guest_keys.of_file()
        settings.GUEST_KEY_FILE.unlink()
        guest_keys.make(settings.GUEST_KEY_FILE)
        assert guest_keys.of_file().name != before.name

    def test_without_the_file_nothing_is_replaced(self, settings: Settings) -> None:
        settings.GUEST_KEY_FILE.unlink()
        with pytest.raises(ImproperlyConfigured):
            replaced()
        assert not GuestKey.objects.exists()

    def test_no_private_half_is_anywhere_in_plain_text(self) -> None:
        row = replaced()
        private = guest_keys.opened(row)
        assert "PRIVATE KEY" in private
        assert b"PRIVATE" not in bytes(GuestKey.objects.get(pk=row.pk).sealed or b"")
        event = Event.objects.get(verb="guest_key.replaced")
        assert event.before == {"name": guest_keys.of_file().name}
        assert event.after == {"name": row.name}
        assert private not in repr(guest_keys.of_file())

    def test_they_are_sealed_anew_with_the_credentials(self, settings: Settings) -> None:
        row = replaced()
        private = guest_keys.opened(row)
        settings.CREDENTIAL_KEYS = ["n" * 32, *settings.CREDENTIAL_KEYS]
        call_command("rotate_credentials", stdout=StringIO())
        settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS[:1]
        row.refresh_from_db()
        assert guest_keys.opened(row) == private
        assert guest_keys.to_seal_anew() == []

    def test_one_that_was_destroyed_opens_nothing(self) -> None:
        (former,) = guest_keys.destroy_before(replaced(), actor=OPERATOR, at=AT)
        with pytest.raises(LookupError):
            guest_keys.opened(former)
        assert len(guest_keys.ways_in("", at=AT)) == 1
        assert guest_keys.to_seal_anew() == []
        guest_keys.seal_anew(key=former.pk)
        assert GuestKey.objects.get(pk=former.pk).sealed is None

    def test_one_of_another_row_does_not_open(self) -> None:
        row = replaced()
        (other,) = guest_keys.kept_before(row)
        other.sealed = row.sealed
        with pytest.raises(ciphers.Unreadable):
            guest_keys.opened(other)


class TestTurns:
    def test_nothing_is_begun_before_the_first_replacement(self) -> None:
        whole_server()
        assert (rotation.go_on(at=AT), rotation.standing(at=AT)) == (0, None)

    def test_fewer_at_a_time_than_playbooks_may_run(self, settings: Settings) -> None:
        settings.PLAYBOOKS_AT_ONCE = 3
        servers = [whole_server(name=f"web-{n}") for n in range(4)]
        replaced()
        assert [rotation.go_on(at=AT) for _sweep in range(2)] == [2, 0]
        assert begun() == ["web-0", "web-1"]
        assert Resource.objects.get(pk=servers[0].pk).status == Status.CHANGING
        assert standing() == Standing(
            current=guest_keys.current().name, done=0, in_hand=2, stopped=0, tried=0, waiting=2, by_department=0
        )  # fmt: skip

    @pytest.mark.parametrize("playbooks", [1, 2])
    def test_one_at_a_time_at_least(self, settings: Settings, playbooks: int) -> None:
        settings.PLAYBOOKS_AT_ONCE = playbooks
        whole_server()
        replaced()
        assert rotation.go_on(at=AT) == 1

    def test_it_takes_two_steps_of_which_the_second_waits_for_the_first(self) -> None:
        whole_server()
        replaced()
        rotation.go_on(at=AT)
        first, second = Step.objects.order_by("position")
        assert [(first.kind, first.state), (second.kind, second.state)] == [
            ("new_key", "due"),
            ("former_keys", "waiting"),
        ]
        assert list(second.needs.all()) == [first]
        assert Event.objects.get(verb="operation.started").actor == "system:guest_key_rotation"

    @pytest.mark.parametrize(
        ("change", "counted"),
        [
            (lambda _: Server.objects.update(power=Power.STOPPED), "stopped"),
            (suspended, "stopped"),
            (lambda s: Resource.objects.filter(pk=s.pk).update(status=Status.CHANGING), "in_hand"),
            (lambda _: Server.objects.update(guest=Guest.UNMANAGED), "by_department"),
            (lambda _: Server.objects.update(guest_key=guest_keys.current().name), "done"),
        ],
    )
    def test_what_cannot_be_entered_or_has_it_is_counted_and_left_alone(
        self, change: Callable[[Server], object], counted: str
    ) -> None:
        server = whole_server()
        replaced()
        change(server)
        assert rotation.go_on(at=AT) == 0
        assert getattr(standing(), counted) == 1
        assert standing().waiting == 0

    def test_one_that_was_tried_comes_again_hours_later_or_for_another_key(self) -> None:
        server = whole_server()
        replaced()
        rotation.go_on(at=AT)
        Operation.objects.update(status="done", finished_at=AT)
        Resource.objects.filter(pk=server.pk).update(status=Status.ACTIVE)
        soon = AT + timedelta(hours=1)
        assert (rotation.go_on(at=soon), standing(soon).tried) == (0, 1)
        assert rotation.go_on(at=AT + rotation.AGAIN_AFTER + timedelta(seconds=1)) == 1
        Operation.objects.update(status="done", finished_at=AT)
        Resource.objects.filter(pk=server.pk).update(status=Status.ACTIVE)
        replaced(soon + rotation.AGAIN_AFTER)
        assert rotation.go_on(at=soon + rotation.AGAIN_AFTER) == 1

    def test_departments_are_not_told_of_it(self) -> None:
        server = whole_server().resource
        replaced()
        told = {
            role: {
                possibility.action.name
                for possibility in requests.possibilities(
                    resource=server, actor=member(role, server.system.department), at=AT
                )
            }
            for role in (Role.APPLICANT, Role.CLOUD_ADMIN)
        }
        assert told[Role.CLOUD_ADMIN] - told[Role.APPLICANT] == {"replace-centre-key"}
        with pytest.raises(requests.ActionNotAllowed) as refused:
            requests.request(
                resource=server,
                action=actions()["start"],
                parameters=Nothing(),
                actor=member(Role.CLOUD_ADMIN),
                at=AT,
            )
        assert "restart the server" in refused.value.detail
        assert "key" not in refused.value.detail

    def test_those_that_were_never_tried_come_before_those_that_were(self, settings: Settings) -> None:
        settings.PLAYBOOKS_AT_ONCE = 2
        silent, other = whole_server(name="silent"), whole_server(name="other")
        replaced()
        for moment in (AT, AT + rotation.AGAIN_AFTER + timedelta(minutes=1)):
            assert rotation.go_on(at=moment) == 1
            Operation.objects.update(status="done", finished_at=AT)
            Resource.objects.filter(pk=silent.pk).update(status=Status.ACTIVE)
        assert begun() == ["silent", "other"]
        assert Resource.objects.get(pk=other.pk).status == Status.CHANGING

    def test_one_that_cannot_be_begun_holds_up_no_other(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.PLAYBOOKS_AT_ONCE = 3
        poisonous, _other = whole_server(name="poisonous"), whole_server(name="other")
        replaced()
        plan = ReplaceCentreKey.plan

        def planned(action: ReplaceCentreKey, resource: Resource, *args: Any, **more: Any) -> Any:
            if resource.pk == poisonous.pk:
                raise RuntimeError("nobody has thought of that")
            return plan(action, resource, *args, **more)

        monkeypatch.setattr(ReplaceCentreKey, "plan", planned)
        assert rotation.go_on(at=AT) == 1
        assert begun() == ["other"]
        assert Resource.objects.get(pk=poisonous.pk).status == Status.ACTIVE

    def test_what_an_order_still_builds_is_left_to_it_and_what_it_has_built_is_not(self) -> None:
        standing_one, built_on = whole_server(name="stands"), whole_server(name="built-on")
        row = standing_one.resource
        order = Operation.objects.create(
            kind="deliver", reason="GC-1", system=row.system, cloud=row.cloud, created_at=AT
        )
        for position, (server, state) in enumerate(((standing_one, "done"), (built_on, "parked"))):
            Step.objects.create(
                operation=order, position=position, key=str(position), kind="confirm", label="x",
                unit=server.resource.unit, state=state, desired_state={},
            )  # fmt: skip
        replaced()
        assert rotation.go_on(at=AT) == 1
        assert begun() == ["stands"]
        told = dict(rotation.missing(at=AT))
        assert {server.name for server in told} == {"stands", "built-on"}

    def test_one_about_which_a_finding_is_applied_is_told_of_in_the_remedys_words(self) -> None:
        row = whole_server(name="lost", status=Status.CHANGING).resource
        Operation.objects.create(
            kind="action", action="mark_lost", resource=row, reason="lost", system=row.system, cloud=row.cloud,
            created_at=AT,
        )  # fmt: skip
        replaced()
        told = dict(rotation.missing(at=AT))
        assert told[row] == "record it as lost and give its quota back: in progress"

    def test_one_that_has_it_refuses_it(self) -> None:
        server = whole_server()
        with pytest.raises(requests.ActionNotAllowed):
            requests.carry_out(resource=server.resource, action=ReplaceCentreKey(), actor=OPERATOR, at=AT)


class TestTheFirstReplacement:
    def test_what_was_not_recorded_is_known_as_there_was_but_one(self) -> None:
        server, by_department = whole_server(), whole_server()
        Server.objects.filter(pk=by_department.pk).update(guest=Guest.UNMANAGED)
        own = guest_keys.of_file().name
        rotation.replace(actor=OPERATOR, at=AT)
        assert Server.objects.get(pk=server.pk).guest_key == own
        assert Server.objects.get(pk=by_department.pk).guest_key == ""
        new = whole_server()
        rotation.replace(actor=OPERATOR, at=AT)
        assert Server.objects.get(pk=new.pk).guest_key == ""

    def test_another_file_than_servers_were_built_with_is_refused(self) -> None:
        Server.objects.filter(pk=whole_server().pk).update(guest_key="govcloud-of-the-workers")
        with pytest.raises(rotation.AnotherKeyInUse, match="govcloud-of-the-workers"):
            rotation.replace(actor=OPERATOR, at=AT)
        assert not GuestKey.objects.exists()


class TestCommand:
    @pytest.fixture
    def said(self, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
        def run(*options: str) -> str:
            call_command("rotate_guest_key", *options)
            return " ".join(capsys.readouterr().out.split())

        return run

    def test_it_tells_that_the_key_was_never_replaced(self, said: Callable[..., str]) -> None:
        assert "it has never been replaced" in said()
        with pytest.raises(CommandError, match="no former one"):
            said("--destroy-former")

    def test_former_keys_are_destroyed_once_no_server_needs_them(self, said: Callable[..., str]) -> None:
        server = whole_server()
        own = guest_keys.of_file().name
        assert "is the current key. Servers:" in said("--replace")
        with pytest.raises(
            CommandError, match=r"Nothing was destroyed\. Servers that may still need a former key: 1"
        ):
            said("--destroy-former")
        Server.objects.filter(pk=server.pk).update(guest_key=guest_keys.current().name)
        assert f"No server needs {own} any more" in said()
        assert f"The private half of {own} was destroyed." in said("--destroy-former")
        assert Event.objects.get(verb="guest_key.destroyed").after == {"name": own}
        assert "No server needs" not in said("--watch")

    def test_it_says_when_the_first_key_cannot_be_read(
        self, said: Callable[..., str], settings: Settings
    ) -> None:
        settings.GUEST_KEY_FILE.write_text("no key")
        with pytest.raises(CommandError, match="Nothing was changed"):
            said("--replace")
