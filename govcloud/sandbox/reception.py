"""Where `reach` asks for a server by its address and is told the socket of its guest."""

import base64
import binascii
import contextlib
import os
import re
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.guests.fleet import Plug, Unreachable, Wanted
from govcloud.sandbox.store import Row

SOCKET = "reach"
_LONGEST_QUESTION = 256


class Reception:
    """Answers on a Unix socket in the state's `run` directory, one thread per question.

    The question is one line, `ADDRESS` or `NETWORK-ID/ADDRESS` or a server's id. The answer is `ok SOCKET-NAME` or
    `refused REASON`; after an ok the asker keeps the connection for as long as it uses the guest.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        directory = cloud.directory / "run"
        directory.mkdir(exist_ok=True)
        self._listener = _listening(directory)
        threading.Thread(target=self._receive, name="reception", daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._listener.close()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            question = connection.makefile("rb").readline(_LONGEST_QUESTION).decode(errors="replace").strip()
            try:
                wanted = self._look_up(question)
                name = self._cloud.guests.reach(wanted)
            except (Unreachable, OSError) as error:
                connection.sendall(f"refused {error}\n".encode())
                return
            try:
                connection.sendall(f"ok {name}\n".encode())
                while connection.recv(4096):
                    continue
            finally:
                self._cloud.guests.leave(wanted.server_id)

    def _look_up(self, question: str) -> Wanted:
        with self._cloud.lock:
            self._cloud.settle(datetime.now(UTC))
            self._cloud.store.commit()
            server = find_server(self._cloud, question)
            if server is None:
                raise Unreachable(f"no running server at {question}")
            return wanted_for(self._cloud, server)


def _listening(directory: Path) -> socket.socket:
    (directory / SOCKET).unlink(missing_ok=True)
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(
            f"/proc/self/fd/{descriptor}/{SOCKET}"
        )  # a socket's path may have 107 characters, a state any
        listener.listen(128)
        return listener
    finally:
        os.close(descriptor)


def find_server(cloud: Cloud, question: str) -> Row | None:
    """The ACTIVE server with an address, fixed or floating, or with an id; None when there is none or more than one."""
    network_id, _, address = question.rpartition("/")
    found: dict[str, Row] = {}
    if server := cloud.store.get("server", address):
        found[address] = server
    for row in cloud.store.find("floatingip"):
        if row["floating_ip_address"] == address and (port := cloud.store.get("port", row["port_id"] or "")):
            found[port["device_id"]] = cloud.store.get("server", port["device_id"]) or {}
    for port in cloud.store.find("port", **({"network_id": network_id} if network_id else {})):
        if any(ip["ip_address"] == address for ip in port["fixed_ips"]):
            found[port["device_id"]] = cloud.store.get("server", port["device_id"]) or {}
    running = [
        row for row in found.values() if row.get("vm_state") in {"active", "resized"} and not row["deleted"]
    ]
    return running[0] if len(running) == 1 else None


def wanted_for(cloud: Cloud, server: Row) -> Wanted:
    """What a server's guest needs to know.

    Raises:
        Unreachable: when the server's image says that nothing runs behind it.

    """
    attached = [
        row for row in cloud.store.find("attachment", server_id=server["id"]) if row["status"] == "attached"
    ]
    root = next((row for row in attached if row["device"] == "/dev/vda"), None)
    properties: Row = {}
    if root is not None:
        properties = (cloud.store.get("volume", root["volume_id"]) or {}).get("image_metadata", {})
    elif image := cloud.store.get("image", server["image_id"]):
        properties = image["properties"]
    if properties.get("govcloud_guest", "none") == "none":
        raise Unreachable("nothing runs behind this server's image")
    return Wanted(
        server_id=server["id"],
        hostname=server["hostname"],
        disk=("volume", root["volume_id"]) if root else ("server", server["id"]),
        keys=authorized_keys(server),
        plugs=[plug for row in attached if row is not root and (plug := plug_of(cloud, row))],
    )


def plug_of(cloud: Cloud, attachment: Row) -> Plug | None:
    """A data volume as a guest's device."""
    volume = cloud.store.get("volume", attachment["volume_id"])
    return Plug(volume["id"], volume["size"], attachment["device"]) if volume else None


def authorized_keys(server: Row) -> list[str]:
    """The key pair's public key and those of the user data."""
    keys = [server["public_key"]] if server["public_key"] else []
    return keys + _keys_in(_cloud_config(server["user_data"]))


def _cloud_config(user_data: str | None) -> dict[str, Any]:
    try:
        text = base64.b64decode(user_data or "", validate=True).decode()
        document = yaml.safe_load(text) if re.match(r"#cloud-config\b", text) else None
    except (binascii.Error, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return document if isinstance(document, dict) else {}


def _keys_in(config: dict[str, Any]) -> list[str]:
    keys = [str(key) for key in config.get("ssh_authorized_keys") or []]
    for user in config.get("users") or []:
        if isinstance(user, dict):
            keys += [str(key) for key in user.get("ssh_authorized_keys") or []]
    return keys
