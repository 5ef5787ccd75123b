import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from govcloud.errors import Invalids
from govcloud.inventory.models import Resource
from govcloud.provisioning.actions.login_keys import LoginKeys, SetLoginKeys, TooManyKeys, fingerprint

KNOWN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGs9V4f0TgHvXyJVqHjW0m9hVZ5vN5g1yP0GmyTqJ1lq zhang.wei"


def public(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    encoded = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return encoded.decode()


def refused(*keys: str) -> list[tuple[str, tuple[str, ...]]]:
    with pytest.raises(Invalids) as refusals:
        SetLoginKeys().check(Resource(), LoginKeys(keys))
    return [(error.code, error.pointers) for error in refusals.value.errors]


@pytest.mark.parametrize(
    "key",
    [KNOWN, public(ec.generate_private_key(ec.SECP256R1())), public(rsa.generate_private_key(65537, 3072))],
)
def test_strong_public_keys_are_taken(key: str) -> None:
    SetLoginKeys().check(Resource(), LoginKeys((key,)))


def test_no_key_at_all_is_a_list_too() -> None:
    SetLoginKeys().check(Resource(), LoginKeys(()))


@pytest.mark.parametrize(
    "key", ["", "zhang.wei", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-ed25519 AAAA", f"{KNOWN}\n{KNOWN}"]
)
def test_what_is_no_public_key_of_one_line_is_refused(key: str) -> None:
    assert refused(KNOWN, key) == [("no-public-key", ("/keys/1",))]


def test_a_private_key_is_refused_and_nothing_of_it_is_told() -> None:
    private = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    with pytest.raises(Invalids) as refusals:
        SetLoginKeys().check(Resource(), LoginKeys((private.decode(),)))
    assert private.decode().splitlines()[1] not in f"{refusals.value.errors[0]!r} {refusals.value}"


def test_a_short_rsa_key_is_refused() -> None:
    assert refused(public(rsa.generate_private_key(65537, 2048))) == [("weak-key", ("/keys/0",))]


def test_one_key_under_two_comments_is_one_key() -> None:
    assert refused(KNOWN, KNOWN.replace("zhang", "li")) == [("key-twice", ("/keys/1",))]


def test_options_before_a_key_are_refused() -> None:
    """They could let it do more than log in, or less than whoever set it believes."""
    assert refused('command="/bin/false" ' + KNOWN) == [("no-public-key", ("/keys/0",))]


def test_a_server_takes_a_bounded_number_of_keys() -> None:
    with pytest.raises(TooManyKeys):
        SetLoginKeys().check(Resource(), LoginKeys((KNOWN,) * 21))


def test_fingerprints_are_those_that_openssh_shows() -> None:
    assert fingerprint(KNOWN) == "SHA256:Q/+Ws2NDKix63MmSUHjewNkKn8F6Qc/4cSRyfQ2XDf8"
