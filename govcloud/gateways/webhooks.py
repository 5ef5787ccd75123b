"""Calling an address that somebody registered: it is theirs to name, so it is checked before every call.

A name is resolved once, every address it has is judged, and the connection goes to one that was judged: a name that
answers otherwise a moment later (DNS rebinding) leads nowhere else. Redirects are answers, never followed.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

V4 = ipaddress.IPv4Network
V6 = ipaddress.IPv6Network
PUBLIC = V6("2000::/3")  # of IPv6 no more has been given out for the world (RFC 4291)
CARRIERS = (V6("64:ff9b::/96"), V6("::ffff:0:0/96"), V6("::ffff:0:0:0/96"), V6("::/96"))
"""Their last 32 bits are an address of IPv4: NAT64, mapped, translated, and what was once called compatible."""
PROTOCOLS = V4("192.0.0.0/24")  # RFC 6890; some clouds keep metadata in it, and is_global is true of most
KINDS = (PUBLIC, V6("::1/128"), V6("fc00::/7"), V6("fe80::/10"), V6("ff00::/8"))
"""What a network with something else in it does not open: the public, loopback, private, link-local, multicast."""
PORTS = {"http": 80, "https": 443}
MOST_READ = 500  # bytes of an answer, for the log


class AddressRefused(Exception):
    """The address is not one that may be called; the message says why."""


class LeadsInside(AddressRefused):
    """It names an address, and not one that may be called."""


class NotDelivered(Exception):
    """No answer came: no connection, no certificate we trust, too slow."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    milliseconds: int
    body: str


def check(url: str) -> None:
    """That the form of an address is one we would call. Raises AddressRefused; where a name leads is judged with each call.

    What is no name but an address itself is judged now: LeadsInside is raised for one that may not be called.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("it is no address") from error
    if parts.scheme not in PORTS or not parts.hostname or parts.username is not None or port == 0:
        raise AddressRefused("it begins with https:// (or http://), names a host and no user")
    if parts.scheme == "http" and not settings.WEBHOOK_PLAIN_HTTP:
        raise AddressRefused("it begins with https://; WEBHOOK_PLAIN_HTTP would allow others")
    if parts.fragment or any(character <= " " or character == "\x7f" for character in url):
        raise AddressRefused("it holds a fragment, a space or a control character")
    _judge(parts.hostname, [_literal(parts.hostname)])


def post(url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send it once, within ``WEBHOOK_TIMEOUT`` from the first byte to the last. Raises AddressRefused and NotDelivered."""
    check(url)
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    address = resolved(host, port)
    begun = time.monotonic()
    connection = _connection(parts.scheme, host, port, address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    stop = threading.Timer(
        settings.WEBHOOK_TIMEOUT, connection.cut
    )  # an answer that drips in never ends by itself
    stop.start()
    try:
        connection.request("POST", target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        said = answer.read(MOST_READ).decode(errors="replace")
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}") from error
    finally:
        stop.cancel()
        connection.close()
    return Answer(answer.status, round((time.monotonic() - begun) * 1000), said)


def resolved(host: str, port: int) -> str:
    """One address of the host, all of which may be called. Raises AddressRefused, and NotDelivered when it has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(f"{host} is not known: {error}") from error
    places = [str(place[0]) for _family, _type, _protocol, _name, place in found]
    _judge(host, [_address(place) for place in places])
    return places[0]


def _judge(host: str, addresses: Iterable[Address | None]) -> None:
    for address in addresses:
        if address is not None and not may_be_called(address, allowed=settings.WEBHOOK_NETWORKS):
            raise LeadsInside(f"{host} leads to {address}, which WEBHOOK_NETWORKS does not allow")


def _literal(host: str) -> Address | None:
    """The address that a host is by itself, in any notation that the resolver reads: 127.1, 2130706433, 0x7f000001; None
    for a name.
    """
    try:
        plain = (
            host.encode("idna").decode().rstrip(".")
        )  # as the resolver: digits of other scripts become ours
    except UnicodeError:
        plain = host
    with contextlib.suppress(ValueError):
        return _address(plain)
    with contextlib.suppress(OSError):
        return ipaddress.IPv4Address(socket.inet_aton(plain))
    return None


def _address(text: str) -> Address:
    """Without the name of an interface (``fe80::1%eth0``)."""
    return ipaddress.ip_address(text.partition("%")[0])


def may_be_called(address: Address, *, allowed: Sequence[Network]) -> bool:
    """With no networks listed: every public address. Else those within one of them.

    Loopback, link-local (where clouds keep metadata), private and reserved addresses, and those that nobody has been given,
    only by a network that is wholly of that kind: 0.0.0.0/0 does not open them. What an IPv6 address carries of IPv4 is
    judged as that. Where it does so in 64:ff9b:1::/48 (RFC 8215) is each network's own affair: it counts as reserved.
    """
    address = _carried(address)
    if _is_public(address):
        return not allowed or any(_within(address, network) for network in allowed)
    return any(_within(address, network) for network in allowed if _is_inside(network))


def _carried(address: Address) -> Address:
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if int(address) > 1 and any(
        address in network for network in CARRIERS
    ):  # :: and ::1 are no addresses of IPv4
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address


def _is_public(address: Address) -> bool:
    """Stricter than ``is_global``, which is true of whatever is in none of its tables, and they differ by version."""
    known = address in PUBLIC if isinstance(address, ipaddress.IPv6Address) else address not in PROTOCOLS
    return known and address.is_global and not address.is_multicast


def _is_inside(network: Network) -> bool:
    """Whether it is wholly of one kind that is not public."""
    if not network.is_global:
        return True
    if isinstance(network, V4):
        return network.subnet_of(PROTOCOLS)
    return not any(network.overlaps(kind) for kind in KINDS)


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _connection(scheme: str, host: str, port: int, address: str) -> "_Plain":
    seconds = settings.WEBHOOK_TIMEOUT
    if scheme == "http":
        return _Plain(host, port, address=address, timeout=seconds)
    return _Secure(host, port, address=address, timeout=seconds)


class _Plain(http.client.HTTPConnection):
    """Speaks to the host by its name and connects to the address that was judged."""

    def __init__(self, host: str, port: int, *, address: str, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self.address, self.port), self.timeout)

    def cut(self) -> None:
        """End the talk from outside, whatever it waits for."""
        with contextlib.suppress(OSError, AttributeError):  # it has not begun, or has ended
            self.sock.shutdown(socket.SHUT_RDWR)


class _Secure(_Plain):
    default_port = 443

    def connect(self) -> None:
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
