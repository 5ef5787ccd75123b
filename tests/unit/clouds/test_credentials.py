"""Credentials at rest: what a thief of the database sees, what a changed or moved row does, and how keys are replaced."""

from collections.abc import Iterator
from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud
from govcloud.clouds import access, credentials, sealing
from govcloud.clouds.models import CloudCredential
from govcloud.clouds.sealing import Unreadable
from govcloud.clouds.services import CloudChanged, ProfileAndCredentials, retire
from govcloud.errors import Invalids
from govcloud.gateways.openstack import connection as sessions
from govcloud.gateways.openstack.errors import NoCredentials
from tests.factories.catalog import CloudFactory
from tests.factories.clouds import CREDENTIALS, signed_in_with

pytestmark = pytest.mark.django_db

BY = SystemActor("tests")
OLD, NEW = "the first key of these tests, long enough", "the second key of these tests, long enough"
SECRETS = (CREDENTIALS["password"], CREDENTIALS["username"], "identity.east.example.gov.cn")


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> Iterator[None]:
    settings.CREDENTIAL_KEYS = [OLD]
    yield
    sessions._transports.clear()


@pytest.fixture(params=sorted(sealing.CIPHERS))
def cipher(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.CREDENTIAL_CIPHER = request.param
    return str(request.param)


@pytest.fixture
def cloud(at: datetime) -> Cloud:
    return signed_in_with(CloudFactory(code="east"), at=at)


def row(cloud: Cloud) -> CloudCredential:
    return CloudCredential.objects.get(cloud=cloud)


def password(cloud: Cloud) -> str:
    return str(credentials.settings_of(row(cloud), cloud=cloud)["auth"]["password"])


def test_the_raw_row_holds_nothing_of_what_was_stored(cipher: str, cloud: Cloud) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(c)::text, encode(sealed, 'escape') FROM clouds_cloudcredential c")
        ((as_text, sealed),) = cursor.fetchall()
    assert cipher in as_text
    for secret in SECRETS:
        assert secret not in as_text
        assert secret not in sealed


def test_what_was_stored_comes_back_for_the_gateway(cipher: str, cloud: Cloud) -> None:
    assert password(cloud) == CREDENTIALS["password"]


def test_the_same_credentials_are_sealed_differently_each_time(
    cipher: str, cloud: Cloud, at: datetime
) -> None:
    first = bytes(row(cloud).sealed)
    signed_in_with(cloud, at=at)
    assert bytes(row(cloud).sealed) != first


def test_a_row_that_was_changed_by_one_bit_does_not_open(cipher: str, cloud: Cloud) -> None:
    kept = row(cloud)
    for position in (0, len(kept.sealed) // 2, len(kept.sealed) - 1):  # nonce, ciphertext, tag
        content = bytearray(kept.sealed)
        content[position] ^= 1
        CloudCredential.objects.filter(cloud=cloud).update(sealed=bytes(content))
        with pytest.raises(Unreadable, match="changed or moved"):
            password(cloud)


@pytest.mark.parametrize("length", [0, 11, 12, 20])
def test_a_row_that_was_cut_does_not_open(cipher: str, cloud: Cloud, length: int) -> None:
    CloudCredential.objects.filter(cloud=cloud).update(sealed=bytes(row(cloud).sealed)[:length])
    with pytest.raises(Unreadable, match="changed or moved"):
        password(cloud)


def test_a_row_copied_to_another_cloud_does_not_open_there(cipher: str, cloud: Cloud) -> None:
    west = CloudFactory(code="west", profile="")
    CloudCredential.objects.filter(cloud=cloud).update(cloud=west)
    with pytest.raises(Unreadable, match="changed or moved"):
        password(west)
    with pytest.raises(NoCredentials, match="cannot be read"):
        access.connect(cloud=west, timeout=1)


def test_a_row_that_claims_another_cipher_does_not_open(cloud: Cloud) -> None:
    CloudCredential.objects.filter(cloud=cloud).update(algorithm="aes-256-gcm")
    with pytest.raises(Unreadable, match="changed or moved"):
        password(cloud)


def test_a_wrong_key_opens_nothing_and_is_told_by_its_fingerprint(cloud: Cloud, settings: Settings) -> None:
    settings.CREDENTIAL_KEYS = [NEW]
    assert credentials.unreadable() == ["east"]
    with pytest.raises(Unreadable, match=sealing.fingerprint(OLD)) as refusal:
        password(cloud)
    assert OLD not in str(refusal.value)
    health = access.health(cloud=cloud, timeout=1)
    assert (str(health.state), health.service) == ("misconfigured", "identity")


def test_the_audit_trail_tells_that_credentials_were_stored_and_nothing_of_them(cloud: Cloud) -> None:
    event = Event.objects.get(verb="cloud.credentials_stored")
    assert (event.subject_label, event.before) == (str(cloud), {})
    assert event.after == {
        "replaces_others": False, "key": sealing.fingerprint(OLD), "algorithm": "sm4-gcm",
    }  # fmt: skip


def test_a_draft_does_not_show_its_password() -> None:
    assert CREDENTIALS["password"] not in repr(credentials.CredentialDraft(**CREDENTIALS))


def test_rotation_seals_everything_under_the_newest_key_and_leaves_the_sessions(
    cloud: Cloud, at: datetime, settings: Settings
) -> None:
    stamp = row(cloud).stamp
    other = signed_in_with(CloudFactory(code="west"), at=at, password="another password")
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    told = StringIO()
    call_command("rotate_credentials", stdout=told)
    settings.CREDENTIAL_KEYS = [NEW]
    assert (password(cloud), password(other)) == (CREDENTIALS["password"], "another password")
    assert row(cloud).stamp == stamp
    rotated = Event.objects.filter(verb="cloud.credentials_rotated")
    assert {(event.before["key"], event.after["key"]) for event in rotated} == {
        (sealing.fingerprint(OLD), sealing.fingerprint(NEW))
    }
    assert credentials.to_rotate() == []


def test_rotation_changes_the_cipher_as_well(cloud: Cloud, settings: Settings) -> None:
    settings.CREDENTIAL_CIPHER = "aes-256-gcm"
    call_command("rotate_credentials")
    assert row(cloud).algorithm == "aes-256-gcm"
    assert password(cloud) == CREDENTIALS["password"]


def test_rotation_without_the_old_key_tells_what_is_left_and_rotates_the_rest(
    cloud: Cloud, at: datetime, settings: Settings
) -> None:
    settings.CREDENTIAL_KEYS = [NEW]
    other = signed_in_with(CloudFactory(code="west"), at=at)
    settings.CREDENTIAL_KEYS = ["a third key of these tests, long enough", NEW]
    with pytest.raises(CommandError, match=sealing.fingerprint(OLD)):
        call_command("rotate_credentials")
    assert credentials.to_rotate() == [cloud.pk]
    assert password(other) == CREDENTIALS["password"]


def test_sessions_opened_with_other_credentials_are_dropped(cloud: Cloud, at: datetime) -> None:
    first = access.connect(cloud=cloud, timeout=1)
    assert access.connect(cloud=cloud, timeout=1)._transport is first._transport
    signed_in_with(cloud, at=at, password="a new one, just as good")
    second = access.connect(cloud=cloud, timeout=1)
    assert second._transport is not first._transport
    assert first._transport not in sessions._transports.values()


def test_the_gateway_is_given_all_that_was_stored(at: datetime) -> None:
    certificate = Path(__file__).with_name("authority.pem").read_text()
    cloud = signed_in_with(
        CloudFactory(code="east"), at=at, region_name="RegionEast", interface="internal", ca_certificate=certificate,
        endpoint_overrides={"block-storage": "https://volume.east.example.gov.cn/v3"},
    )  # fmt: skip
    region = access.connect(cloud=cloud, timeout=7)._transport._region
    assert (region.region_name, region.get_interface("compute")) == ("RegionEast", "internal")
    assert region.get_endpoint("block-storage") == "https://volume.east.example.gov.cn/v3"
    assert region.get_endpoint("compute") is None
    assert Path(region.config["cacert"]).read_text() == certificate
    assert region.config["auth"]["password"] == CREDENTIALS["password"]


def test_everything_that_is_wrong_is_told_at_once(at: datetime) -> None:
    cloud = CloudFactory(profile="")
    draft = credentials.CredentialDraft(
        **{**CREDENTIALS, "auth_url": "https://user@identity"},
        ca_certificate="none",
        endpoint_overrides={"compute": "nowhere", "mail": "https://mail"},
    )
    with pytest.raises(Invalids) as refusal:
        credentials.store(cloud=cloud, draft=draft, expected_version=1, actor=BY, at=at)
    told = [(error.code, error.pointers) for error in refusal.value.errors]
    assert told == [
        ("user-in-service-address", ("/auth_url",)),
        ("bad-service-address", ("/endpoint_overrides/compute",)),
        ("unknown-cloud-service", ("/endpoint_overrides/mail",)),
        ("bad-certificate", ("/ca_certificate",)),
    ]
    assert not CloudCredential.objects.exists()


def test_a_cloud_with_a_profile_takes_no_credentials(at: datetime) -> None:
    draft = credentials.CredentialDraft(**CREDENTIALS)
    with pytest.raises(ProfileAndCredentials):
        credentials.store(cloud=CloudFactory(), draft=draft, expected_version=1, actor=BY, at=at)


def test_somebody_who_was_slower_does_not_overwrite_credentials(cloud: Cloud, at: datetime) -> None:
    draft = credentials.CredentialDraft(**{**CREDENTIALS, "password": "older"})
    with pytest.raises(CloudChanged):
        credentials.store(cloud=cloud, draft=draft, expected_version=1, actor=BY, at=at)
    assert password(cloud) == CREDENTIALS["password"]


def test_a_retired_clouds_credentials_are_destroyed(cloud: Cloud, at: datetime) -> None:
    retire(cloud=cloud, reason="replaced", actor=BY, at=at)
    assert not CloudCredential.objects.exists()
