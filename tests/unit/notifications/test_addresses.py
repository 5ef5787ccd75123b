"""Which addresses a webhook may lead to."""

import ipaddress

import pytest
from pytest_django import Settings

from govcloud.gateways import webhooks


def may(address: str, *networks: str) -> bool:
    allowed = [ipaddress.ip_network(network) for network in networks]
    return webhooks.may_be_called(ipaddress.ip_address(address), allowed=allowed)


INSIDE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.9", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1",
    "192.0.0.192", "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
    "2002:7f00:1::1", "ff02::1", "ff0e::1", "fec0::1", "feff::1", "64:ff9b:1::a00:1", "64:ff9b:1:fffe::7f00:1", "64:ff9b:1::101:101",
    "::ffff:0:10.0.0.1", "::ffff:0:169.254.169.254", "::127.0.0.1", "::192.168.1.1", "2001::f5ff:fffe", "100::1", "200::1", "1::1",
    "4000::1", "5f00::1", "8000::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_is_never_called_by_itself(address: str) -> None:
    assert not may(address)


@pytest.mark.parametrize("address", INSIDE)
def test_a_network_that_holds_everything_does_not_open_what_is_inside(address: str) -> None:
    assert not may(address, "0.0.0.0/0", "::/0")


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2002:101:101::1",
        "240e::1",
        "2001:da8::1",
    ],
)
def test_public_addresses_are_called_unless_networks_are_named(address: str) -> None:
    assert may(address)
    assert not may(address, "203.0.113.0/24")


def test_a_private_network_is_opened_by_its_name_and_others_stay_shut() -> None:
    assert may("10.20.0.5", "10.20.0.0/16")
    assert not may("10.21.0.5", "10.20.0.0/16")
    assert not may("127.0.0.1", "10.20.0.0/16")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("::1", "::1/128"), ("fd00::1", "fd00::/8"), ("fec0::1", "fec0::/10"), ("fec0:0:0:7::1", "fec0:0:0:7::/64"),
        ("64:ff9b:1::a00:1", "64:ff9b:1::/48"), ("4000::1", "4000::/16"), ("192.0.0.192", "192.0.0.0/24"),
        ("::ffff:0:10.0.0.1", "10.0.0.0/8"), ("::10.0.0.1", "10.0.0.0/8"), ("2001:db8::1", "2001:db8::/32"),
    ],
)  # fmt: skip
def test_what_is_not_public_is_opened_by_a_network_wholly_of_its_kind(address: str, network: str) -> None:
    assert may(address, network)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("::1", "::/8"), ("64:ff9b:1::1", "::/8"), ("fec0::1", "fe80::/9"), ("fe80::1", "fe80::/9"), ("fec0::1", "8000::/1"),
        ("fd00::1", "e000::/3"), ("192.0.0.192", "192.0.0.0/16"), ("4000::1", "::/1"), ("::10.0.0.1", "::/96"),
    ],
)  # fmt: skip
def test_a_network_of_several_kinds_opens_none_of_them(address: str, network: str) -> None:
    assert not may(address, network)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "https://", "https://user@example.org/", "https://example.org/a b", "https://example.org/#x",
        "https://example.org:99999/", "https://example.org:0/", "https://[::1/", "javascript:alert(1)", "https://a\r\nb/",
        "http://example.org/",
    ],
)  # fmt: skip
def test_what_is_no_address_to_call_is_refused(url: str) -> None:
    with pytest.raises(webhooks.AddressRefused):
        webhooks.check(url)


def test_plain_http_is_for_installations_that_say_so(settings: Settings) -> None:
    settings.WEBHOOK_PLAIN_HTTP = True
    webhooks.check("http://example.org/hook?a=1")


def test_a_host_of_which_one_address_is_inside_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may have several: all of them are judged, not the first alone."""

    def both(host: str, port: int, **_how: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("1.1.1.1", port)), (2, 1, 6, "", ("10.0.0.1", port))]

    monkeypatch.setattr("socket.getaddrinfo", both)
    with pytest.raises(webhooks.AddressRefused, match=r"10\.0\.0\.1"):
        webhooks.resolved("two-faced.example.org", 443)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:8443", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "１２７.0.0.1",
        "10.0.0.1", "169.254.169.254", "0", "[::1]", "[::1]:8443", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::a00:1]",
        "[fe80::1]", "[fe80::1%25eth0]", "[fd00::1]", "[fec0::1]", "[64:ff9b:1::7f00:1]", "[::ffff:0:127.0.0.1]", "[::127.0.0.1]",
    ],
)  # fmt: skip
def test_an_address_inside_is_refused_before_anything_is_called(host: str) -> None:
    with pytest.raises(webhooks.LeadsInside):
        webhooks.check(f"https://{host}/hook")


@pytest.mark.parametrize(
    "host", ["1.1.1.1", "[2606:4700::1111]:8443", "localhost", "10.example.org", "127.0.0.1.example.org"]
)
def test_public_addresses_and_names_may_be_registered(host: str) -> None:
    webhooks.check(f"https://{host}/hook")


def test_an_address_of_a_network_that_is_open_may_be_registered(settings: Settings) -> None:
    settings.WEBHOOK_NETWORKS = [ipaddress.ip_network("10.20.0.0/16")]
    webhooks.check("https://10.20.0.5/hook")
    with pytest.raises(webhooks.LeadsInside):
        webhooks.check("https://10.21.0.5/hook")
