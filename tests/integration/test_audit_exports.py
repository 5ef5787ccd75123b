"""Taking the trail off the machine: files that prove themselves, delivered whole and once, by directory and by SFTP."""

import asyncio
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import asyncssh
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import Settings

from govcloud.audit import exporting, services
from govcloud.audit.exported import FileDamage, verify_files
from govcloud.audit.exporting import ExportNotConfigured, ExportNotDelivered
from govcloud.audit.models import Event, Export, Seal
from govcloud.audit.services import SystemActor
from govcloud.audit.tasks import export as daily
from govcloud.gateways import deliveries
from tests.factories.audit import seal_all, tampering

pytestmark = pytest.mark.django_db(transaction=True)

ACTOR = SystemActor("tests")


@pytest.fixture
def shelf(settings: Settings, tmp_path: Path) -> Path:
    settings.AUDIT_EXPORT_TO = str(tmp_path / "shelf")
    return tmp_path / "shelf"


@pytest.fixture
def written(at: datetime) -> Callable[..., None]:
    """So many events, told and sealed."""

    def write(count: int = 3, *, label: str = "一件事") -> None:
        with transaction.atomic():
            for number in range(count):
                services.record(
                    actor=ACTOR, verb="test.done", subject=None, label=f"{label} {number}", at=at,
                    before={"share": 0.5}, after={"quantity": number, "text": "“引号”\n", "none": None},
                )  # fmt: skip
        seal_all(at)

    return write


def export(at: datetime) -> Export:
    made = exporting.export(actor=ACTOR, at=at)
    assert made is not None
    return made


def test_an_export_has_every_sealed_event_and_verifies_without_the_database(
    at: datetime, shelf: Path, written: Callable[..., None]
) -> None:
    written(3)
    written(2)
    made = export(at)
    assert (made.first_seal, made.last_seal, made.events) == (1, 2, 5)
    seen = verify_files(shelf.iterdir())
    last = Seal.objects.get(number=2)
    assert (seen.breach, seen.files, seen.seals, seen.events) == (None, 1, 2, 5)
    assert seen.last is not None
    assert (seen.last.seal, seen.last.digest) == (2, last.digest)


def test_the_next_export_goes_on_where_the_last_one_ended(
    at: datetime, shelf: Path, written: Callable[..., None]
) -> None:
    written()
    export(at)
    written()
    seal_all(at)
    second = export(at)
    assert second.first_seal == 2
    seen = verify_files(shelf.iterdir())
    assert (seen.breach, seen.files) == (None, 2)
    assert Event.objects.filter(verb="audit.exported").count() == 2


def test_with_nothing_new_there_is_nothing_to_export(at: datetime, shelf: Path) -> None:
    assert exporting.export(actor=ACTOR, at=at) is None
    assert not shelf.exists()


def test_what_could_not_be_delivered_is_delivered_later_under_the_same_name(
    at: datetime, shelf: Path, written: Callable[..., None]
) -> None:
    written()
    shelf.write_text("in the way")
    with pytest.raises(ExportNotDelivered):
        export(at)
    begun = Export.objects.get()
    assert begun.delivered_at is None
    shelf.unlink()
    written()
    assert export(at).pk == begun.pk
    assert [path.name for path in shelf.iterdir()] == [begun.file]
    assert export(at).first_seal == begun.last_seal + 1


def test_a_part_that_was_left_behind_is_no_export(
    at: datetime, shelf: Path, written: Callable[..., None]
) -> None:
    written()
    shelf.mkdir()
    (shelf / "audit-000000001-000000001.jsonl.gz.part").write_bytes(b"half")
    export(at)
    assert [path.suffix for path in shelf.iterdir()] == [".gz"]


def test_two_at_once_write_one_export(at: datetime, shelf: Path, written: Callable[..., None]) -> None:
    written()
    made: list[Export | None] = []

    def run() -> None:
        try:
            made.append(exporting.export(actor=ACTOR, at=at))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert Export.objects.count() == 1
    assert len(list(shelf.iterdir())) == 1


def test_once_a_day_and_until_it_has_been_delivered(
    at: datetime,
    shelf: Path,
    written: Callable[..., None],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written()
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    settings.AUDIT_EXPORT_TO = "/proc/nowhere"
    assert daily() == 0
    settings.AUDIT_EXPORT_TO = str(shelf)
    assert daily() == 3
    written()
    assert daily() == 0
    assert not exporting.due(at=at + timedelta(hours=23))
    assert exporting.due(at=at + timedelta(hours=24))


def test_how_long_something_has_been_waiting_to_leave(
    at: datetime, shelf: Path, written: Callable[..., None]
) -> None:
    assert shelf
    assert exporting.unexported(at=at) == 0
    written()
    assert exporting.unexported(at=at + timedelta(hours=2)) == 7200
    export(at)
    seal_all(at)
    assert exporting.unexported(at=at) == 0


def test_without_a_destination_nothing_is_exported_and_who_asks_is_told(
    settings: Settings, at: datetime
) -> None:
    settings.AUDIT_EXPORT_TO = ""
    assert not exporting.due(at=at)
    with pytest.raises(ExportNotConfigured):
        exporting.export(actor=ACTOR, at=at)
    with pytest.raises(CommandError, match="AUDIT_EXPORT_TO"):
        call_command("export_audit", "--quiet")


# what the files show


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def rewrite(path: Path, changed: list[dict[str, object]]) -> None:
    path.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in changed).encode()))


@pytest.mark.parametrize(
    ("tamper", "first"),
    [
        (lambda told: told[3]["event"].update(actor="user:somebody-else"), (FileDamage.EVENT_CHANGED, 4)),
        (lambda told: told.pop(3), (FileDamage.SEAL_CHANGED, 2)),
        (
            lambda told: told[1]["seal"].update(at="2020-01-01T00:00:00.000000+00:00"),
            (FileDamage.SEAL_CHANGED, 2),
        ),
        (lambda told: told[1]["seal"].update(algorithm="none"), (FileDamage.SEAL_CHANGED, 2)),
        (lambda told: told.pop(0), (FileDamage.UNREADABLE, 1)),
        (lambda told: told.clear(), (FileDamage.UNREADABLE, 1)),
        (lambda told: told.insert(1, {"event": {}, "digest": ""}), (FileDamage.UNREADABLE, 2)),
    ],
)
def test_a_file_that_was_tampered_with_is_named_with_its_first_broken_line(
    at: datetime,
    shelf: Path,
    written: Callable[..., None],
    tamper: Callable[..., None],
    first: tuple[FileDamage, int],
) -> None:
    written(3)
    path = shelf / export(at).file
    told = lines(path)
    tamper(told)
    rewrite(path, told)
    breach = verify_files([path]).breach
    assert breach is not None
    assert ((breach.damage, breach.line), breach.file) == (first, path.name)


def test_a_file_that_is_cut_off_or_missing_is_noticed(
    at: datetime, shelf: Path, written: Callable[..., None]
) -> None:
    for _ in range(3):
        written(50)
        export(at)
        seal_all(at)
    first, second, third = sorted(shelf.iterdir())
    breach = verify_files([first, third]).breach
    assert breach is not None
    assert (breach.damage, breach.file) == (FileDamage.GAP, third.name)
    second.write_bytes(second.read_bytes()[:-40])
    breach = verify_files([first, second, third]).breach
    assert breach is not None
    assert (breach.damage, breach.file) == (FileDamage.UNREADABLE, second.name)


def test_a_chain_made_anew_in_the_database_does_not_agree_with_the_files(
    at: datetime, shelf: Path, written: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    written(3)
    export(at)
    seal_all(at)
    call_command("verify_audit", "--exports", str(shelf))
    assert "Exported files intact: 1 files, 1 seals over 3 events." in capsys.readouterr().out
    with tampering() as cursor:
        cursor.execute("DELETE FROM audit_sealedevent")
        cursor.execute("DELETE FROM audit_seal")
        cursor.execute("UPDATE audit_event SET actor = 'user:nobody'")
    seal_all(at)
    call_command("verify_audit")  # by itself it looks whole
    with pytest.raises(CommandError, match="not the one that was kept elsewhere"):
        call_command("verify_audit", "--exports", str(shelf))


def test_a_directory_without_exports_verifies_nothing_and_is_refused(
    at: datetime, shelf: Path, written: Callable[..., None]
) -> None:
    """As one that is not mounted."""
    written()
    shelf.mkdir()
    (shelf / "audit-000000001-000000001.jsonl.gz.part").write_bytes(b"half")
    with pytest.raises(CommandError, match="no exported file"):
        call_command("verify_audit", "--exports", str(shelf))


def test_a_file_without_a_seal_in_it_verifies_nothing_either(
    at: datetime, shelf: Path, written: Callable[..., None]
) -> None:
    written()
    path = shelf / export(at).file
    rewrite(path, [{**lines(path)[0], "last_seal": 0}])
    with pytest.raises(CommandError, match="no exported file"):
        call_command("verify_audit", "--exports", str(shelf))


@pytest.mark.parametrize("exported", [1, 2])
def test_a_given_anchor_counts_beside_the_exported_files(
    at: datetime, shelf: Path, written: Callable[..., None], exported: int
) -> None:
    written()
    if exported == 1:
        export(at)
    written()
    if exported == 2:
        export(at)
    seals = {seal.number: seal for seal in Seal.objects.all()}
    given = "--anchor={}:{}"
    for number in (1, 2):
        kept = given.format(number, seals[number].digest)
        call_command("verify_audit", "--exports", str(shelf), kept)
        with pytest.raises(CommandError, match=f"seal {number}: the seal is not the one that was kept"):
            call_command("verify_audit", "--exports", str(shelf), given.format(number, "0" * 64))
    with pytest.raises(CommandError, match="the seal is gone"):
        call_command("verify_audit", "--exports", str(shelf), given.format(9, "0" * 64))


# by SFTP


class Shelf(asyncssh.SSHServer):
    """Lets in who has the key."""


@pytest.fixture
def sftp(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """A real SFTP server on this machine, its directory, and settings that lead there."""
    directory, key, host_key = (
        tmp_path / "far",
        tmp_path / "key",
        asyncssh.generate_private_key("ssh-ed25519"),
    )
    (directory / "audit").mkdir(parents=True)
    mine = asyncssh.generate_private_key("ssh-ed25519")
    key.write_bytes(mine.export_private_key())
    key.chmod(0o600)
    (tmp_path / "authorized_keys").write_bytes(mine.export_public_key())
    ready, over, port = threading.Event(), asyncio.Event(), []

    async def serve() -> None:
        async with await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Shelf, server_host_keys=[host_key],
            authorized_client_keys=str(tmp_path / "authorized_keys"),
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(directory)),
        ) as server:  # fmt: skip
            port.extend([server.get_port(), asyncio.get_running_loop()])
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    known = tmp_path / "known_hosts"
    known.write_bytes(f"[127.0.0.1]:{port[0]} ".encode() + host_key.export_public_key())
    settings.AUDIT_EXPORT_TO = f"sftp://auditor@127.0.0.1:{port[0]}/audit"
    settings.AUDIT_EXPORT_KEY_FILE, settings.AUDIT_EXPORT_KNOWN_HOSTS = str(key), str(known)
    yield directory / "audit"
    port[1].call_soon_threadsafe(over.set)
    thread.join(20)


def test_a_file_goes_to_another_machine_by_sftp(
    at: datetime, sftp: Path, written: Callable[..., None]
) -> None:
    written(3)
    made = export(at)
    assert made.destination.startswith("sftp://auditor@127.0.0.1:")
    assert [path.name for path in sftp.iterdir()] == [made.file]
    assert verify_files(sftp.iterdir()).breach is None


def test_a_machine_that_is_not_known_gets_nothing(
    at: datetime, sftp: Path, written: Callable[..., None], settings: Settings, tmp_path: Path
) -> None:
    written(3)
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    port = settings.AUDIT_EXPORT_TO.split(":")[-1].split("/")[0]
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{port} {stranger}")
    with pytest.raises(ExportNotDelivered, match="HostKeyNotVerifiable"):
        export(at)
    assert list(sftp.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "audit",
        "http://10.0.0.1/audit",
        "sftp://10.0.0.1/audit",
        "sftp://me:secret@10.0.0.1/audit",
        "sftp://me@10.0.0.1/audit",
    ],
)
def test_a_destination_that_leads_nowhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|password|known hosts"):
        deliveries.destination(text)
