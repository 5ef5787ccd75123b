"""A small SSH server for tests: one user with one key, commands run as whoever runs the server. No isolation at all.

python ansible_ssh_server.py AUTHORIZED_KEYS HOST_KEY     prints its port on 127.0.0.1 and serves until its input closes
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress

import asyncssh


async def serve_command(process: asyncssh.SSHServerProcess[bytes]) -> None:
    child = await asyncio.create_subprocess_shell(
        process.command or "true", stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    assert child.stdin
    assert child.stdout
    assert child.stderr
    feeding = asyncio.create_task(feed(process.stdin, child.stdin))
    watching = asyncio.create_task(end_with(process, child))
    try:
        await asyncio.gather(copy(child.stdout, process.stdout), copy(child.stderr, process.stderr))
        # The status goes before any EOF: an OpenSSH master closes the channel at EOF and would miss it.
        process.exit(await child.wait())
    finally:
        feeding.cancel()
        watching.cancel()


async def feed(source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()


async def copy(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()


async def end_with(process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process) -> None:
    """End the command when its client is gone."""
    await process.wait_closed()
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


async def main(authorized_keys: str, host_key: str) -> None:
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host_key],
        authorized_client_keys=authorized_keys,
        process_factory=serve_command,
        sftp_factory=True,
        encoding=None,
    )
    print(server.get_port(), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main(*sys.argv[1:]))
