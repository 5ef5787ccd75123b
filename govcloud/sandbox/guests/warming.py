"""Load everything an SSH session loads on its way, before a guest leaves the file system it could be loaded from."""

import asyncio
import socket
import tempfile
from pathlib import Path

import asyncssh

from govcloud.sandbox.guests.ssh import files_for_root, run_session


class _Anybody(asyncssh.SSHServer):
    """Asks for no proof: both ends are this process."""

    def begin_auth(self, username: str) -> bool:
        return not username


async def warm_up() -> None:
    """Hold one session of every kind with ourselves: a command, a terminal, a file transfer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    hosting = asyncio.create_task(_host(ours))
    client = await asyncssh.run_client(theirs, username="root", known_hosts=None, config=[], client_keys=None)
    async with client:
        await client.run("true", input=b"", encoding=None)
        await client.run("true", term_type="vt100", encoding=None)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "probe"
            path.write_bytes(b"probe")
            async with client.start_sftp_client() as transfer:
                await transfer.put(str(path), f"{path}.copy")
                await transfer.listdir(directory)
                await transfer.stat(str(path))
            await asyncssh.scp(str(path), (client, f"{path}.scp"))
    await hosting


async def _host(connection: socket.socket) -> None:
    serving = await asyncssh.run_server(
        connection,
        server_factory=_Anybody,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=run_session,
        sftp_factory=files_for_root,
        allow_scp=True,
        encoding=None,
        line_editor=False,
        config=[],
    )
    await serving.wait_closed()
