"""Day 2 seen from inside: real guests over SSH. Who gets in, what a rebuild leaves, and what a resize is kept on."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pytest_django import Settings

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import CloudImage
from govcloud.clouds import guest_keys
from govcloud.clouds.models import GuestKey
from govcloud.gateways import ansible, openstack
from govcloud.inventory.models import Address, Resource, Server, Volume
from govcloud.orders.drafts import ExtendDraft, ResizeDraft
from govcloud.provisioning import by_hand, engine, rotation
from govcloud.provisioning.actions import calling_off, requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.centre_key import ReplaceCentreKey
from govcloud.provisioning.actions.login_keys import LoginKeys, fingerprint
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.actions.storage import ToServer
from govcloud.provisioning.kinds import centre_keys
from govcloud.provisioning.kinds.centre_keys import NewKeyKind
from govcloud.provisioning.models import Operation, Step
from tests.factories.orders import Scene, approved, scene
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox, running
from tests.integration.test_server_actions import ITEMS

pytestmark = pytest.mark.django_db
OPERATOR = SystemActor("test")
REACH = Path(__file__).parents[2] / "govcloud" / "sandbox" / "reach.py"


@pytest.fixture(scope="module")
def guests() -> Iterator[Sandbox]:
    # guests listen on sockets below the state directory, and a socket's path is short
    with tempfile.TemporaryDirectory(prefix="gcd2-") as folder:
        state = Path(folder) / "s"
        state.mkdir()
        with running(state, "--instant") as sandbox:
            if sandbox.ask("GET", "/health")["guests"] != "full":
                pytest.skip("guests have no block devices here")
            yield sandbox


@pytest.fixture
def on(guests: Sandbox, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(guests.state / "clouds.yaml"))
    settings.GUEST_KEY_FILE, settings.RUN_DIR = tmp_path / "key", tmp_path / "runs"
    settings.STEP_POLL = timedelta(seconds=0.05)
    guest_keys.make(settings.GUEST_KEY_FILE)
    made = scene(level_3=False)
    made.catalogue.cloud.ssh_proxy_command = (
        f"{sys.executable} -I -S {REACH} --state {guests.state} {{network_id}}/%h"
    )
    made.catalogue.cloud.save()
    return made


@pytest.fixture
def server(on: Scene) -> Resource:
    built(on, items=ITEMS)
    found = Resource.objects.get(kind="server")
    assert found.server.configured_at is not None, states()
    return found


@dataclass(frozen=True)
class Person:
    """An administrator of the department, with a key of their own."""

    private: Path
    public: str


@pytest.fixture
def person(tmp_path: Path) -> Person:
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "person"
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return Person(path, public.decode() + " zhang.wei")


def enter(server: Resource, key: Path, user: str, command: str) -> subprocess.CompletedProcess[str]:
    address = Address.objects.select_related("block").get(unit=server.unit)
    network = Resource.objects.get(unit=address.block.unit)
    proxy = server.cloud.ssh_proxy_command.replace("{network_id}", network.external_id)
    options = ["ProxyCommand=" + proxy, "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
    options += ["LogLevel=ERROR", "BatchMode=yes"]
    ssh = ["ssh", "-F", "none", "-i", str(key), *(part for o in options for part in ("-o", o))]
    return subprocess.run(
        [*ssh, f"{user}@{address.address}", command], check=False, capture_output=True, text=True
    )


def said(server: Resource, settings: Settings, command: str) -> str:
    answer = enter(server, settings.GUEST_KEY_FILE, "root", command)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def done(server: Resource, name: str, parameters: Any, on: Scene) -> Operation:
    operation = requests.request(
        resource=server, action=actions()[name], parameters=parameters, actor=on.applicant, at=now()
    )
    work(seconds=300)
    operation.refresh_from_db()
    assert operation.status == "done", states()
    server.refresh_from_db()
    return operation


def test_those_whose_keys_are_set_get_in_and_nobody_else(on: Scene, server: Resource, person: Person) -> None:
    assert enter(server, person.private, "sysadmin", "true").returncode != 0
    done(server, "set-login-keys", LoginKeys((person.public,)), on)
    assert enter(server, person.private, "sysadmin", "id -un").stdout.strip() == "sysadmin"
    assert list(server.server.login_keys.values_list("fingerprint", flat=True)) == [
        fingerprint(person.public)
    ]
    done(server, "set-login-keys", LoginKeys(()), on)
    assert enter(server, person.private, "sysadmin", "true").returncode != 0
    assert not server.server.login_keys.exists()


def test_why_a_guest_is_not_entered_is_told_while_it_is_tried_again(
    on: Scene, server: Resource, person: Person
) -> None:
    """Rebuilt by hand, it shows another host key than the one that is known of it."""
    known = server.server.host_keys
    Server.objects.filter(resource=server).update(host_keys=person.public)
    operation = requests.request(
        resource=server, action=actions()["set-login-keys"], parameters=LoginKeys((person.public,)),
        actor=on.applicant, at=now(),
    )  # fmt: skip
    step = operation.steps.get(kind="login_keys")
    while step.state not in {"settling", "done", "parked"}:
        engine.run_due(clock=now)
        step.refresh_from_db()
    assert (step.state, "Host key verification failed" in step.last_error) == ("settling", True), (
        step.last_error
    )
    Server.objects.filter(resource=server).update(host_keys=known)
    work(seconds=300)
    step.refresh_from_db()
    assert (step.state, step.last_error) == ("done", "")


def test_a_server_is_entered_after_its_image_was_withdrawn(
    on: Scene, server: Resource, person: Person, guests: Sandbox
) -> None:
    """Hidden in Glance, as images are that are given to nobody any more."""
    name = CloudImage.objects.get(image=server.server.image).cloud_name
    image = openstack.connect(cloud="sandbox").images.find_image(name)
    assert image is not None
    guests.ask("POST", f"/rows/image/{image.id}", {"os_hidden": True})
    try:
        done(server, "set-login-keys", LoginKeys((person.public,)), on)
    finally:
        guests.ask("POST", f"/rows/image/{image.id}", {"os_hidden": False})
    assert enter(server, person.private, "sysadmin", "true").returncode == 0


def test_whoever_was_let_in_by_what_was_called_off_gets_in_no_more(
    on: Scene, server: Resource, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ansible.run

    def unheard(**arguments: Any) -> ansible.RunResult:
        """The run does its work, and whoever waits for its end hears nothing of it."""
        return replace(run(**arguments), status=ansible.RunStatus.UNKNOWN)

    operation = requests.request(
        resource=server, action=actions()["set-login-keys"], parameters=LoginKeys((person.public,)),
        actor=on.applicant, at=now(),
    )  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(ansible, "run", unheard)
        engine.run_due(clock=now, most=1)
    assert enter(server, person.private, "sysadmin", "true").returncode == 0
    calling_off.cancel(operation=operation, reason="the wrong server", actor=on.applicant, at=now())
    work(seconds=300)
    operation.refresh_from_db()
    assert operation.status == "undone", states()
    assert not server.server.login_keys.exists()
    assert enter(server, person.private, "sysadmin", "true").returncode != 0


def test_a_rebuilt_server_has_its_data_its_way_in_and_nothing_else_of_before(
    on: Scene, server: Resource, person: Person, settings: Settings
) -> None:
    done(server, "set-login-keys", LoginKeys((person.public,)), on)
    said(server, settings, "echo kept > /data1/kept; echo lost > /root/lost; sync")
    before = Server.objects.get(resource=server)
    operation = done(server, "rebuild", NewSystem(), on)
    after = Server.objects.get(resource=server)
    assert said(server, settings, "cat /data1/kept; ls /root/lost 2>/dev/null || true") == "kept"
    assert enter(server, person.private, "sysadmin", "id -un").stdout.strip() == "sysadmin"
    assert before.configured_at is not None
    assert after.configured_at is not None
    assert after.configured_at > before.configured_at
    assert after.host_keys
    assert set(after.host_keys.split()) & set(before.host_keys.split()) <= {"ssh-ed25519", "ssh-rsa"}
    confirm = operation.steps.get(kind="confirm")
    assert (confirm.state, confirm.outputs["changed"]) == ("done", 0)


def test_a_resized_server_is_kept_when_its_guest_holds_to_the_baseline(
    on: Scene, server: Resource, settings: Settings
) -> None:
    said(server, settings, "echo kept > /data1/kept; sync")
    approved(on, at=now(), items=(ResizeDraft(target=server.uuid, flavor="g.8c32g"),))
    work(seconds=300)
    resize = Operation.objects.get(kind="resize")
    assert resize.status == "done", states()
    assert said(server, settings, "cat /data1/kept") == "kept"
    checked, kept = (Step.objects.get(operation=resize, kind=k) for k in ("confirm", "resize_confirmation"))
    assert (checked.state, checked.outputs["changed"]) == ("done", 0)
    assert checked.finished_at is not None
    assert kept.finished_at is not None
    assert checked.finished_at < kept.finished_at


def opened_by(server: Resource, folder: Path, row: GuestKey) -> bool:
    """Whether the key leads into the guest, and nowhere else, so no other key of ours can have done it."""
    path = folder / row.name
    path.touch(mode=0o600)
    path.write_text(guest_keys.opened(row))
    return enter(server, path, "root", "true").returncode == 0


def test_the_centres_key_is_replaced_without_ever_locking_it_out(
    on: Scene, server: Resource, person: Person, tmp_path: Path
) -> None:
    done(server, "set-login-keys", LoginKeys((person.public,)), on)
    first = server.server.guest_key
    guest_keys.replace(actor=OPERATOR, at=now())
    old, new = GuestKey.objects.order_by("pk")
    assert old.name == first
    assert rotation.go_on(at=now()) == 1
    work(seconds=300)
    operation = Operation.objects.get(action="replace-centre-key")
    steps = list(operation.steps.values_list("kind", "state", "outputs__changed"))
    assert (operation.status, steps) == ("done", [("new_key", "done", 1), ("former_keys", "done", 1)]), (
        states()
    )
    assert (opened_by(server, tmp_path, old), opened_by(server, tmp_path, new)) == (False, True)
    server.refresh_from_db()
    assert Server.objects.get(resource=server).guest_key == new.name
    assert enter(server, person.private, "sysadmin", "id -un").stdout.strip() == "sysadmin"
    assert rotation.go_on(at=now()) == 0
    standing = rotation.standing(at=now())
    assert standing is not None
    assert (standing.done, standing.left) == (1, 0)
    done(server, "set-login-keys", LoginKeys(()), on)  # other playbooks enter with the new one


def test_a_run_that_is_done_again_changes_nothing(on: Scene, server: Resource) -> None:
    guest_keys.replace(actor=OPERATOR, at=now())
    for _time in range(2):
        Server.objects.update(guest_key="")
        requests.carry_out(resource=server, action=ReplaceCentreKey(), actor=OPERATOR, at=now())
        work(seconds=300)
    changed = Step.objects.filter(kind__in=("new_key", "former_keys")).order_by("pk")
    assert list(changed.values_list("outputs__changed", flat=True)) == [1, 1, 0, 0]


def test_a_server_built_before_two_replacements_is_still_entered(
    on: Scene, server: Resource, tmp_path: Path
) -> None:
    for _time in range(5):
        rotation.replace(actor=OPERATOR, at=now())
    first, *_between, last = GuestKey.objects.order_by("pk")
    assert opened_by(server, tmp_path, first)
    assert rotation.go_on(at=now()) == 1
    work(seconds=300)
    assert (opened_by(server, tmp_path, first), opened_by(server, tmp_path, last)) == (False, True), states()


def test_no_account_of_the_guest_keeps_a_former_key(
    on: Scene, server: Resource, settings: Settings, tmp_path: Path
) -> None:
    rotation.replace(actor=OPERATOR, at=now())
    old, new = GuestKey.objects.order_by("pk")
    said(server, settings, f"echo '{old.public_key}' > /root/.ssh/authorized_keys2")
    assert rotation.go_on(at=now()) == 1
    work(seconds=300)
    path = tmp_path / "new"
    path.touch(mode=0o600)
    path.write_text(guest_keys.opened(new))
    looked = enter(server, path, "root", "cat /root/.ssh/authorized_keys2; ls -l /root/.ssh/authorized_keys2")
    assert (looked.returncode, old.public_key.split()[1] in looked.stdout) == (0, False)


def test_the_former_keys_stay_when_the_new_one_does_not_lead_in(
    on: Scene, server: Resource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest_keys.replace(actor=OPERATOR, at=now())
    old, _new = GuestKey.objects.order_by("pk")
    monkeypatch.setattr(centre_keys, "TRIED_FOR", timedelta(0))
    monkeypatch.setattr(NewKeyKind, "variables", lambda *_args: {"centre_keys_present": [old.public_key]})
    assert rotation.go_on(at=now()) == 1
    work(seconds=300)
    taken_away = Step.objects.get(kind="former_keys")
    assert (taken_away.state, taken_away.outputs["reason"]) == ("skipped", centre_keys.SHUT), states()
    server.refresh_from_db()
    assert (opened_by(server, tmp_path, old), server.status) == (True, "active")
    standing = rotation.standing(at=now())
    assert standing is not None
    assert (standing.tried, standing.waiting) == (1, 0)
    assert [why for _server, why in rotation.missing(at=now())] == [centre_keys.SHUT]
    later = now() + rotation.AGAIN_AFTER
    assert rotation.go_on(at=later) == 1


def test_a_system_volume_that_grows_needs_nothing_done_in_its_guest(server: Resource, on: Scene) -> None:
    volume = Resource.objects.get(volume__role="system")
    order = approved(
        on, at=now(), items=(ExtendDraft(target=volume.uuid, size_gb=volume.volume.size_gb + 50),)
    )
    work(seconds=300)
    order.refresh_from_db()
    assert (order.status, Resource.objects.get(pk=server.pk).status) == ("fulfilled", "active"), states()


def test_a_volume_that_grew_while_its_server_was_stopped_is_taken_up_at_its_start(
    server: Resource, on: Scene, settings: Settings
) -> None:
    def size() -> int:
        return int(said(server, settings, "df -B1M --output=size /data1 | tail -1"))

    before = size()
    done(server, "stop", Nothing(), on)
    volume = Resource.objects.get(volume__role="data")
    order = approved(
        on, at=now(), items=(ExtendDraft(target=volume.uuid, size_gb=volume.volume.size_gb * 4),)
    )
    work(seconds=300)
    order.refresh_from_db()
    assert order.status == "fulfilled", states()
    grow = done(server, "start", Nothing(), on).steps.get(kind="grow")
    assert (grow.state, size() > 2 * before) == ("done", True), grow.outputs


def test_a_file_system_grows_once_the_guest_sees_the_new_size(
    guests: Sandbox, server: Resource, on: Scene, settings: Settings
) -> None:
    """Cinder calls a volume extended before Nova has told the hypervisor."""

    def size() -> int:
        return int(said(server, settings, "df -B1M --output=size /data1 | tail -1"))

    before, volume = size(), Resource.objects.get(volume__role="data")
    volumes = project(on).volumes
    gib = volumes.get_volume(volume.external_id).size_gib * 4
    guests.ask("POST", f"/rows/volume/{volume.external_id}", {"size": gib})
    order = approved(
        on, at=now(), items=(ExtendDraft(target=volume.uuid, size_gb=volume.volume.size_gb * 4),)
    )
    grow = Step.objects.get(kind="grow")
    while grow.attempts == 0 and grow.state != "done":
        engine.run_due(clock=now, most=1)
        grow.refresh_from_db()
    assert "of its volume yet" in grow.last_error
    guests.ask("POST", f"/rows/volume/{volume.external_id}", {"size": gib - 1})
    volumes.extend_volume(volume.external_id, size_gib=gib)
    work(seconds=300)
    order.refresh_from_db()
    assert (order.status, size() > 2 * before) == ("fulfilled", True), states()


def test_a_file_system_of_the_departments_own_is_left_to_it(server: Resource, on: Scene) -> None:
    volume = Resource.objects.get(volume__role="data")
    done(volume, "detach", Nothing(), on)
    Volume.objects.filter(resource=volume).update(label="", mount_point="")  # as it is taken over
    done(volume, "attach", ToServer(server=server.uuid), on)
    done(volume, "detach", Nothing(), on)
    left = Step.objects.filter(outputs__reason=by_hand.OWN_FILES).order_by("pk")
    assert list(left.values_list("kind", flat=True)) == ["mount", "let_go"]
