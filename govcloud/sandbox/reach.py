"""An SSH ProxyCommand: carry standard input and output to the guest of a sandbox server.

    ssh -o ProxyCommand='python3 -I -S .../govcloud/sandbox/reach.py --state DIR %h' root@10.0.0.5

`python -m govcloud.sandbox.reach` does the same, a little slower. Standard library only, and little of it: it starts for every
connection. Ends with 1 and says why on standard error when no guest can be reached.
"""

import os
import select
import socket
import sys

_BLOCK = 1 << 16
_USAGE = "usage: reach.py --state DIR ADDRESS | NETWORK-ID/ADDRESS | SERVER-ID"


def main(arguments: list[str]) -> int:
    """Reach the server named on the command line."""
    if len(arguments) != 3 or arguments[0] != "--state":
        print(_USAGE, file=sys.stderr)  # noqa: T201 - a command's own output
        return 2
    directory = os.path.join(arguments[1], "run")  # noqa: PTH118 - pathlib would double the start time
    try:
        desk = _connect(directory, "reach")
        desk.sendall(arguments[2].encode() + b"\n")
        answer = desk.makefile("rb").readline().decode().strip()
        word, _, rest = answer.partition(" ")
        if word != "ok":
            print(f"connection refused: {rest or 'the sandbox does not answer'}", file=sys.stderr)  # noqa: T201
            return 1
        guest = _connect(directory, rest)
    except OSError as error:
        print(f"connection refused: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    _carry(guest)
    return 0


def _connect(directory: str, name: str) -> socket.socket:
    """Connect to a socket in a directory however long its path: the address goes through the directory's descriptor."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(f"/proc/self/fd/{descriptor}/{name}")
        return connection
    finally:
        os.close(descriptor)


def _carry(guest: socket.socket) -> None:
    """Carry both ways until the guest closes."""
    sources: list[int | socket.socket] = [0, guest]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if 0 in ready:
            block = os.read(0, _BLOCK)
            if block:
                guest.sendall(block)
            else:
                sources.remove(0)
                guest.shutdown(socket.SHUT_WR)
        if guest in ready:
            block = guest.recv(_BLOCK)
            if not block:
                return
            while block:
                block = block[os.write(1, block) :]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(0)
