"""What a resource has in particular, on its page: rules, interfaces, login keys and credentials."""

import re
from datetime import datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from govcloud.audit.models import Event
from govcloud.inventory import containers
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import AddressBlock, LoginKey, Network, Resource, Server
from govcloud.portal.resource import forms, offers
from govcloud.provisioning import container_secrets
from govcloud.provisioning.actions.base import actions
from govcloud.provisioning.actions.login_keys import SetLoginKeys, fingerprint
from govcloud.provisioning.container_secrets import Drawn
from govcloud.provisioning.models import Operation, Step
from tenants.models import Role
from tests.factories.inventory import (
    AddressBlockFactory,
    AddressFactory,
    ContainerFactory,
    CredentialFactory,
    FloatingAddressFactory,
    NetworkFactory,
    SecurityRuleFactory,
    whole_server,
)
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def browser(on: Scene, signed_in: Signed) -> Client:
    return signed_in(on.applicant)


def network(on: Scene, name: str = "front") -> Network:
    """One whose addresses are ours to give."""
    found = NetworkFactory(
        resource__system=on.system, resource__cloud=on.catalogue.cloud, resource__name=name
    )
    AddressBlockFactory(cloud=on.catalogue.cloud, unit=found.resource.unit, cidr=found.cidr)
    return found


@pytest.fixture
def server(on: Scene) -> Server:
    """On the network “front”, by which it is managed."""
    found = whole_server(system=on.system, cloud=on.catalogue.cloud, name="web-1")
    front = network(on)
    block = AddressBlock.objects.get(unit=front.resource.unit)
    AddressFactory(block=block, unit=found.resource.unit)
    return found


def page_of(resource: Resource) -> str:
    return f"/resources/{resource.uuid}/"


def send(browser: Client, resource: Resource, action: str, **fields: object) -> HttpResponse:
    named = {f"{action}-{key}": value for key, value in fields.items()}
    return browser.post(f"{page_of(resource)}deeds/{action}/", named)


def step_of(kind: str) -> Step:
    return Step.objects.get(kind=kind)


class TestRules:
    def test_they_are_told_in_words(self, browser: Client, on: Scene) -> None:
        front, back = network(on), network(on, "back")
        SecurityRuleFactory(network=front, remote=back.cidr, port_min=5432, description="the database")
        SecurityRuleFactory(network=front, remote="0.0.0.0/0", port_min=None)
        SecurityRuleFactory(network=front, remote="10.1.0.0/16", port_min=8000, port_max=8099)
        page = text(browser.get(page_of(front.resource)))
        for words in (
            "the network “back” of the system", "5432", "the database", "everybody (IPv4)", "all ports",
            "the addresses 10.1.0.0/16", "8000–8099",
        ):  # fmt: skip
            assert words in page

    def test_one_is_added_from_a_network_of_the_system(self, browser: Client, on: Scene) -> None:
        front, back = network(on), network(on, "back")
        answer = send(
            browser, front.resource, "add-rule", protocol="tcp", port_min="5432", network=back.resource.uuid
        )
        assert (answer.status_code, answer["Location"]) == (302, page_of(front.resource))
        assert Operation.objects.get().action == "add-rule"
        assert back.cidr in str(list(Step.objects.values_list("desired_state", flat=True)))

    def test_management_ports_are_not_opened_to_everybody_and_nothing_typed_is_lost(
        self, browser: Client, on: Scene
    ) -> None:
        front = network(on)
        answer = send(
            browser, front.resource, "add-rule", protocol="tcp", port_min="22", remote="0.0.0.0/0",
            description="so that I get in",
        )  # fmt: skip
        assert answer.status_code == 409
        html = answer.content.decode()
        assert 'value="so that I get in"' in html
        assert 'value="0.0.0.0/0"' in html
        assert "SSH (22)" in text(answer)
        assert html.count("is-invalid") == 1
        assert not Operation.objects.exists()

    @pytest.mark.parametrize(
        ("field", "typed"),
        [
            ("protocol", "gre"), ("port_min", "many"), ("network", "yesterday"), ("remote", "10.0.0.0/33"),
            ("port_min", "22,80"), ("port_min", "80, 81"), ("port_min", "0"), ("port_min", "65536"),
            ("port_max", "8,080"), ("port_min", "9" * 100), ("port_min", "²"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_told_at_its_field(
        self, browser: Client, on: Scene, field: str, typed: str
    ) -> None:
        fields = {"protocol": "tcp", "port_min": "443", "remote": "10.0.0.0/8", field: typed}
        if field == "network":
            del fields["remote"]
        answer = send(browser, network(on).resource, "add-rule", **fields)
        assert answer.status_code == 422
        assert f'id="add-rule-{field}"' in answer.content.decode()
        assert answer.content.decode().count("is-invalid") == 1
        assert not Operation.objects.exists()

    def test_removing_one_says_what_is_kept_out_then(self, browser: Client, on: Scene) -> None:
        rule = SecurityRuleFactory(network=network(on), remote="10.1.0.0/16")
        resource = rule.network.resource
        assert "no longer be reached by TCP 443 from the addresses 10.1.0.0/16" in text(
            browser.get(page_of(resource))
        )
        answer = browser.post(f"{page_of(resource)}deeds/remove-rule/", {"given": str(rule.uuid)})
        assert answer.status_code == 302
        assert Operation.objects.get().action == "remove-rule"

    def test_a_rule_of_another_network_is_none_of_this_one(self, browser: Client, on: Scene) -> None:
        other, own = (
            SecurityRuleFactory(network=network(on, "back")),
            SecurityRuleFactory(network=network(on)),
        )
        answer = browser.post(
            f"{page_of(own.network.resource)}deeds/remove-rule/", {"given": str(other.uuid)}
        )
        assert answer.status_code == 422
        assert not Operation.objects.exists()


class TestInterfaces:
    def test_it_is_put_onto_another_network(self, browser: Client, on: Scene, server: Server) -> None:
        back = network(on, "back")
        page = text(browser.get(page_of(server.resource)))
        assert "It is managed by this address" in page
        assert f"back ({back.cidr})" in page
        answer = send(browser, server.resource, "add-interface", network=back.resource.uuid)
        assert answer.status_code == 302
        assert step_of("interface").desired_state["network"] == str(back.resource.unit)

    def test_there_is_no_form_where_there_is_no_other_network(self, browser: Client, server: Server) -> None:
        page = browser.get(page_of(server.resource))
        assert "not now: the system has no other network in use in its zone" in text(page)
        assert 'id="add-interface-network"' not in page.content.decode()

    def test_it_is_taken_off_one(self, browser: Client, on: Scene, server: Server) -> None:
        back = network(on, "back")
        block = AddressBlock.objects.get(unit=back.resource.unit)
        second = AddressFactory(block=block, server=server)
        assert f"Nothing reaches it at {second.address} any more" in text(
            browser.get(page_of(server.resource))
        )
        given = {"given": str(back.resource.uuid)}
        assert browser.post(f"{page_of(server.resource)}deeds/remove-interface/", given).status_code == 302
        assert step_of("interface").external_id == second.port_id

    def test_a_foreign_network_is_none(self, browser: Client, on: Scene, server: Server) -> None:
        network(on, "back")
        answer = send(browser, server.resource, "add-interface", network=NetworkFactory().resource.uuid)
        assert answer.status_code == 422
        assert "is-invalid" in answer.content.decode()


def public_key(comment: str = "li@laptop") -> str:
    made = Ed25519PrivateKey.generate().public_key()
    kind = serialization.PublicFormat.OpenSSH
    return f"{made.public_bytes(serialization.Encoding.OpenSSH, kind).decode()} {comment}"


def weak_key() -> str:
    made = generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return made.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def private_key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        .decode()
    )


def let_in(server: Server, key: str) -> LoginKey:
    return LoginKey.objects.create(server=server, public_key=key, fingerprint=fingerprint(key))


class TestLoginKeys:
    def test_only_lines_that_stand_side_by_side_are_told_as_a_range(
        self, browser: Client, server: Server
    ) -> None:
        lines = [weak_key(), public_key(), public_key(), weak_key(), weak_key()]
        shown = text(self.replaced(browser, server, "\n".join(lines)))
        assert "Line 1: This key is too weak" in shown
        assert "Lines 4 to 5: This key is too weak" in shown

    def test_what_was_typed_stays_when_the_server_is_busy(self, browser: Client, server: Server) -> None:
        mark, good, private = self.read(browser, server), public_key(), private_key()
        Resource.objects.filter(pk=server.pk).update(status=Status.CHANGING)
        answer = self.sent(browser, server, f"{good}\n{private}", mark=mark)
        html = answer.content.decode()
        assert answer.status_code == 409
        assert good in html.replace("&#x2B;", "+")
        assert private.splitlines()[1] not in html
        assert "may have been a private one" in text(answer)

    def test_a_thing_that_has_none_is_refused_as_that(self, browser: Client, on: Scene) -> None:
        front = network(on).resource
        for path, sent in (
            ("deeds/set-login-keys/", {"keys": public_key(), "mark": ""}),
            ("login-keys/removal/", {"fingerprint": "SHA256:gone"}),
        ):
            answer = browser.post(f"{page_of(front)}{path}", sent)
            assert (answer.status_code, "it is not that kind of thing" in text(answer)) == (409, True)

    def test_the_last_one_is_told_to_take_the_account_along(self, browser: Client, server: Server) -> None:
        let_in(server, public_key())
        last = "the account sysadmin goes with it"
        assert last in text(browser.get(page_of(server.resource)))
        let_in(server, public_key())
        assert last not in text(browser.get(page_of(server.resource)))

    def replaced(self, browser: Client, server: Server, keys: str) -> HttpResponse:
        return self.sent(browser, server, keys, mark=self.read(browser, server))

    def sent(self, browser: Client, server: Server, keys: str, *, mark: str) -> HttpResponse:
        path = f"{page_of(server.resource)}deeds/set-login-keys/"
        return browser.post(path, {"keys": keys, "mark": mark})

    def read(self, browser: Client, server: Server) -> str:
        html = browser.get(page_of(server.resource)).content.decode()
        (mark,) = re.findall(r'name="mark" value="(\w+)"', html)
        return mark

    def test_a_list_that_changed_since_it_was_read_is_not_replaced(
        self, browser: Client, server: Server
    ) -> None:
        gone = let_in(server, public_key("gone@away"))
        mark, mine = self.read(browser, server), f"{gone.public_key}\n{public_key()}"
        gone.delete()
        answer = self.sent(browser, server, mine, mark=mark)
        assert answer.status_code == 409
        assert "The list has changed since you read it" in text(answer)
        assert gone.public_key in answer.content.decode().replace("&#x2B;", "+")
        assert not Operation.objects.exists()
        assert self.replaced(browser, server, mine).status_code == 302

    def test_who_can_log_in_is_told_by_comment_and_fingerprint(self, browser: Client, server: Server) -> None:
        key = let_in(server, public_key())
        page = text(browser.get(page_of(server.resource)))
        assert "li@laptop" in page
        assert key.fingerprint in page

    def test_the_list_is_replaced(self, browser: Client, server: Server) -> None:
        old = let_in(server, public_key())
        wanted = [old.public_key, public_key("wang@desk")]
        assert self.replaced(browser, server, "\r\n\r\n".join(wanted)).status_code == 302
        assert set(step_of("login_keys").desired_state["keys"].values()) == set(wanted)

    def test_the_line_that_is_wrong_is_named_and_the_others_are_kept(
        self, browser: Client, server: Server
    ) -> None:
        good, weak = public_key(), weak_key()
        answer = self.replaced(browser, server, f"{good}\n\n{weak}\n{good}")
        assert answer.status_code == 422
        shown = text(answer)
        assert "Line 3: This key is too weak" in shown
        assert "Line 4: This key is in the list more than once" in shown
        assert weak in answer.content.decode().replace("&#x2B;", "+")
        assert not Operation.objects.exists()

    def test_a_private_key_is_never_shown_again(self, browser: Client, server: Server) -> None:
        good, private = public_key(), private_key()
        answer = self.replaced(browser, server, f"{good}\n{private}")
        html = answer.content.decode()
        assert answer.status_code == 422
        assert good in html.replace("&#x2B;", "+")
        for line in private.splitlines():
            assert line not in html
        assert "may have been a private one" in text(answer)
        assert private.splitlines()[1] not in str(list(Event.objects.values()))

    def test_nobody_is_shut_out_by_a_form_that_says_nothing(self, browser: Client, server: Server) -> None:
        let_in(server, public_key())
        mark = self.read(browser, server)
        answer = browser.post(f"{page_of(server.resource)}deeds/set-login-keys/", {"mark": mark})
        assert answer.status_code == 400
        assert not Operation.objects.exists()
        assert self.replaced(browser, server, " \n").status_code == 302
        assert step_of("login_keys").desired_state["keys"] == {}

    def test_one_is_removed(self, browser: Client, server: Server) -> None:
        gone, stays = let_in(server, public_key()), let_in(server, public_key("wang@desk"))
        path = f"{page_of(server.resource)}login-keys/removal/"
        assert browser.post(path, {"fingerprint": gone.fingerprint}).status_code == 302
        assert list(step_of("login_keys").desired_state["keys"]) == [stays.fingerprint]

    def test_one_that_is_gone_is_not_removed_again(self, browser: Client, server: Server) -> None:
        path = f"{page_of(server.resource)}login-keys/removal/"
        answer = browser.post(path, {"fingerprint": "SHA256:gone"})
        assert answer.status_code == 422
        assert "The server has no such key, or no longer." in text(answer)


class TestCredentials:
    def test_a_secret_is_drawn_while_something_waits_for_a_person(self, browser: Client, on: Scene) -> None:
        given = CredentialFactory(container__resource__system=on.system)
        files = given.container.resource
        Resource.objects.filter(pk=files.pk).update(status=Status.CHANGING)
        assert f"credentials/{given.uuid}/secret/" in browser.get(page_of(files)).content.decode()
        Resource.objects.filter(pk=files.pk).update(status=Status.RELEASING)
        assert f"credentials/{given.uuid}/secret/" not in browser.get(page_of(files)).content.decode()

    def test_who_drew_a_secret_is_in_the_history(self, browser: Client, on: Scene) -> None:
        given = CredentialFactory(container__resource__system=on.system)
        files = given.container.resource
        with transaction.atomic():
            containers.note_drawing(credential=given, actor=on.applicant, at=files.built_at)
        assert "Secret" in text(browser.get(page_of(files))).split("History")[-1]

    def test_one_is_issued(self, browser: Client, on: Scene) -> None:
        files = ContainerFactory(resource__system=on.system).resource
        assert send(browser, files, "issue-credential", name="nightly", access="read").status_code == 302
        assert step_of("credential_user").desired_state["access"] == "read"

    def test_a_name_that_is_taken_is_refused_at_its_field(self, browser: Client, on: Scene) -> None:
        given = CredentialFactory(container__resource__system=on.system, name="nightly")
        answer = send(browser, given.container.resource, "issue-credential", name="nightly", access="write")
        assert answer.status_code == 422
        assert 'value="nightly"' in answer.content.decode()
        assert answer.content.decode().count("is-invalid") == 1

    def test_one_is_revoked(self, browser: Client, on: Scene) -> None:
        given = CredentialFactory(container__resource__system=on.system)
        files = given.container.resource
        assert (
            browser.post(f"{page_of(files)}deeds/revoke-credential/", {"given": str(given.uuid)}).status_code
            == 302
        )
        assert Operation.objects.get().action == "revoke-credential"

    def test_a_secret_is_shown_once(
        self, browser: Client, on: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What Keystone makes of it is in ``tests/integration/test_container_credentials.py``."""
        given = CredentialFactory(container__resource__system=on.system)
        files = given.container.resource
        drawn = Drawn(
            auth_url="http://cloud/identity", storage_url="http://cloud/store", user_id=given.user_id,
            user_name=given.user_name, project_id=given.project_id, container="files",
            secret="S3cret-of-one-page",
        )  # fmt: skip
        monkeypatch.setattr(container_secrets, "_drawn", lambda _row: drawn)
        answer = browser.post(f"{page_of(files)}credentials/{given.uuid}/secret/")
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert "S3cret-of-one-page" in text(answer)
        assert "S3cret-of-one-page" not in text(browser.get(page_of(files)))
        assert "S3cret-of-one-page" not in str(list(Event.objects.values()))

    def test_a_credential_of_another_container_is_not_there(self, browser: Client, on: Scene) -> None:
        files = ContainerFactory(resource__system=on.system).resource
        other = CredentialFactory()
        answer = browser.post(f"{page_of(files)}credentials/{other.uuid}/secret/")
        assert answer.status_code == 404


def test_who_may_only_look_is_offered_none_of_it(on: Scene, server: Server, signed_in: Signed) -> None:
    let_in(server, public_key())
    browser = signed_in(member(Role.LEADER, department=on.department))
    html = browser.get(page_of(server.resource)).content.decode()
    assert "login-keys/removal" not in html
    assert "set-login-keys" not in html
    front = Network.objects.get().resource
    files = CredentialFactory(container__resource__system=on.system)
    for path in (
        f"{page_of(server.resource)}deeds/set-login-keys/",
        f"{page_of(server.resource)}login-keys/removal/",
        f"{page_of(server.resource)}deeds/add-interface/",
        f"{page_of(server.resource)}deeds/remove-interface/",
        f"{page_of(server.resource)}deeds/stop/",
        f"{page_of(front)}deeds/add-rule/",
        f"{page_of(front)}deeds/remove-rule/",
        f"{page_of(files.container.resource)}deeds/issue-credential/",
        f"{page_of(files.container.resource)}deeds/revoke-credential/",
        f"{page_of(files.container.resource)}credentials/{files.uuid}/secret/",
    ):
        assert browser.post(path, {"keys": public_key()}).status_code == 403, path
    assert not Operation.objects.exists()


def test_nothing_is_offered_while_it_is_being_changed(browser: Client, on: Scene) -> None:
    rule = SecurityRuleFactory(network=network(on))
    Resource.objects.filter(pk=rule.network.pk).update(status=Status.CHANGING)
    html = browser.get(page_of(rule.network.resource)).content.decode()
    assert "not now" in html
    assert f'value="{rule.uuid}"' not in html


def test_in_chinese(on: Scene, server: Server, signed_in: Signed) -> None:
    browser = signed_in(on.applicant)
    browser.cookies["django_language"] = "zh-hans"
    page = text(browser.get(page_of(server.resource)))
    assert "可登录人员" in page
    assert "所接入的网络" in page


def test_a_floating_address_is_moved_to_a_server_beside(browser: Client, on: Scene, server: Server) -> None:
    given = FloatingAddressFactory(server=server)
    beside = whole_server(system=on.system, cloud=on.catalogue.cloud, name="web-2")
    block = AddressBlockFactory(cloud=on.catalogue.cloud, unit=given.network.resource.unit)
    AddressFactory(block=block, unit=beside.resource.unit)
    options = re.findall(
        r'<option value="([^"]+)">([^<]+)', browser.get(page_of(server.resource)).content.decode()
    )
    assert (str(beside.resource.uuid), "web-2") in options
    assert (str(server.resource.uuid), "web-1") not in options
    path = f"{page_of(server.resource)}deeds/move-address/"
    assert browser.post(path, {"given": str(beside.resource.uuid)}).status_code == 302
    assert step_of("floating_move").desired_state["to"] == str(beside.resource.unit)


@pytest.mark.parametrize("name", actions())
def test_an_action_of_another_kind_is_refused_as_that(
    browser: Client, on: Scene, server: Server, name: str
) -> None:
    """Whatever is sent along: nothing is looked for that only its own kind has."""
    things = (
        server.resource, network(on, "back").resource, server.volumes.first().resource,
        ContainerFactory(resource__system=on.system).resource,
    )  # fmt: skip
    for thing in things:
        if thing.kind == actions()[name].resource_kind:
            continue
        sent = {"keys": "", "given": str(server.resource.uuid)}
        answer = browser.post(f"{page_of(thing)}deeds/{name}/", sent)
        if name == "replace-centre-key":
            assert answer.status_code == 403
            continue
        assert answer.status_code == 409
        assert "it is not that kind of thing" in text(answer)
        assert "look at what is marked" not in text(answer)
    assert not Operation.objects.exists()


def test_what_was_typed_stays_when_the_network_is_busy(browser: Client, on: Scene) -> None:
    front = network(on).resource
    Resource.objects.filter(pk=front.pk).update(status=Status.CHANGING)
    answer = send(browser, front, "add-rule", protocol="tcp", port_min="x", description="for the audit")
    assert answer.status_code == 409
    assert 'value="for the audit"' in answer.content.decode()
    assert "look at what is marked" not in text(answer)


def test_what_was_typed_stays_when_no_network_is_left_to_choose(browser: Client, server: Server) -> None:
    answer = send(browser, server.resource, "add-interface", network="")
    assert (answer.status_code, answer.content.decode().count("is-invalid")) == (422, 1)


def test_rules_that_differ_by_where_from_have_buttons_of_their_own(browser: Client, on: Scene) -> None:
    front = network(on)
    for remote in ("10.1.0.0/16", "10.2.0.0/16"):
        SecurityRuleFactory(network=front, remote=remote, port_min=443)
    page = text(browser.get(page_of(front.resource)))
    assert "TCP 443 from the addresses 10.1.0.0/16" in page
    assert "TCP 443 from the addresses 10.2.0.0/16" in page


def test_every_direct_action_has_a_form() -> None:
    here = {*offers.ASKS, *forms.FORMS, *forms.OF_A_ROW, SetLoginKeys.name}
    assert actions().keys() == here
