import shlex
from pathlib import Path
from typing import Any

import pytest

from govcloud.gateways.ansible import Host
from govcloud.gateways.ansible.hosts import host_keys_seen, inventory, known_host_lines


def host(**fields: Any) -> Host:
    return Host(**{"name": "vm-1", "address": "10.0.0.5", "user": "debian", "private_key": "KEY", **fields})


def options(made: Host) -> dict[str, str]:
    variables = inventory([made], keys={"vm-1": [Path("/run/k")]}, known_hosts=Path("/run/known hosts"))
    words = shlex.split(variables["all"]["hosts"]["vm-1"]["ansible_ssh_common_args"])
    return dict(word.split("=", 1) for word in words if "=" in word)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "-oProxyCommand=x"},
        {"name": "a b"},
        {"address": "-oProxyCommand=x"},
        {"address": "10.0.0.5 "},
        {"address": ""},
        {"user": "root;id"},
        {"proxy_command": "nc %h %p\nid"},
        {"host_keys": ("ssh-ed25519 AAAA\nother ssh-ed25519 BBBB",)},
    ],
)
def test_what_ssh_could_misread_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        host(**fields)


def test_a_key_is_not_shown_with_its_host() -> None:
    assert "KEY" not in repr(host())


def test_the_first_key_is_accepted_and_another_one_refused() -> None:
    assert options(host())["StrictHostKeyChecking"] == "accept-new"
    assert options(host(host_keys=("ssh-ed25519 AAAA",)))["StrictHostKeyChecking"] == "yes"


def test_a_proxy_command_reaches_ssh_as_one_argument() -> None:
    command = 'ip netns exec "qdhcp x" nc %h %p'

    assert options(host(proxy_command=command))["ProxyCommand"] == command


def test_the_gateway_decides_how_a_host_is_reached() -> None:
    made = host(variables={"ansible_host": "elsewhere", "site": "a"}, port=2222)

    variables = inventory([made], keys={"vm-1": [Path("/run/k")]}, known_hosts=Path("/x"))["all"]["hosts"][
        "vm-1"
    ]

    assert variables["ansible_host"] == "10.0.0.5"
    assert variables["ansible_port"] == 2222
    assert variables["site"] == "a"


def test_other_keys_are_tried_after_the_first_in_their_order() -> None:
    keys = {"vm-1": [Path("/run/k~0"), Path("/run/k 1"), Path("/run/k~2")]}

    told = inventory([host(other_keys=("A", "B"))], keys=keys, known_hosts=Path("/x"))["all"]["hosts"]["vm-1"]

    words = shlex.split(told["ansible_ssh_common_args"])
    assert told["ansible_ssh_private_key_file"] == "/run/k~0"
    assert [word for word in words if word.startswith("IdentityFile")] == [
        'IdentityFile="/run/k 1"',
        'IdentityFile="/run/k~2"',
    ]


def test_keys_are_known_by_name_because_addresses_are_used_again() -> None:
    known = known_host_lines([host(host_keys=("ssh-ed25519 AAAA", "ssh-rsa BBBB"))])

    assert known == ["vm-1 ssh-ed25519 AAAA", "vm-1 ssh-rsa BBBB"]
    assert host_keys_seen("\n".join(known)) == {"vm-1": ("ssh-ed25519 AAAA", "ssh-rsa BBBB")}
