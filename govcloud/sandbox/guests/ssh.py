"""The SSH server inside a guest: commands, shells, terminals, SFTP and SCP, for the accounts of the guest."""

import asyncio
import contextlib
import fcntl
import grp
import os
import pwd
import signal
import struct
import termios
from pathlib import Path
from typing import Any

import asyncssh

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BLOCK = 1 << 16


class GuestServer(asyncssh.SSHServer):
    """Authenticates by public key against the account's own `~/.ssh/authorized_keys`, read at each login."""

    def __init__(self) -> None:
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        keys = _authorized_keys(username)
        if self._connection is not None and keys is not None:
            self._connection.set_authorized_keys(keys)
        return True

    def password_auth_supported(self) -> bool:
        return False


def _authorized_keys(username: str) -> asyncssh.SSHAuthorizedKeys | None:
    try:
        home = Path(pwd.getpwnam(username).pw_dir)
        return asyncssh.read_authorized_keys(str(home / ".ssh" / "authorized_keys"))
    except (KeyError, OSError, ValueError):
        return None


async def serve(listener: Any, host_key: asyncssh.SSHKey) -> None:
    """Accept connections on a listening socket until the process ends."""
    await asyncssh.listen(
        sock=listener,
        server_factory=GuestServer,
        server_host_keys=[host_key],
        process_factory=run_session,
        sftp_factory=files_for_root,
        allow_scp=True,
        encoding=None,
        line_editor=False,
        agent_forwarding=False,
        x11_forwarding=False,
        keepalive_interval=30,
        login_timeout=60,
        config=[],
    )
    await asyncio.Event().wait()


class GuestFiles(asyncssh.SFTPServer):
    """File transfer. It tells the client that it ended well: OpenSSH takes an end without a status for a failure."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(channel)
        self._session = channel

    def exit(self) -> None:
        if self._session.get_subsystem() == "sftp":
            self._session.exit(0)


def files_for_root(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
    """File transfer runs in this process and so is for root alone.

    Raises:
        SFTPPermissionDenied: for another account.

    """
    if channel.get_extra_info("username") != "root":
        raise asyncssh.SFTPPermissionDenied("file transfer is for root; use a command")
    return GuestFiles(channel)


async def run_session(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """One command or login shell, with or without a terminal."""
    account = pwd.getpwnam(process.get_extra_info("username"))
    shell = account.pw_shell or "/bin/sh"
    arguments = [shell, "-c", process.command] if process.command else [shell, "-l"]
    options: dict[str, Any] = {"cwd": _home(account), "env": _environment(process, account, shell)}
    if os.geteuid() == 0 and account.pw_uid != 0:
        groups = [group.gr_gid for group in grp.getgrall() if account.pw_name in group.gr_mem]
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": groups}
    try:
        if process.term_type:
            code = await _with_terminal(process, arguments, options)
        else:
            code = await _with_pipes(process, arguments, options)
    except OSError as error:
        process.stderr.write(f"{shell}: {error}\n".encode())
        code = 127
    if code < 0:
        process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
    else:
        process.exit(code)


def _home(account: pwd.struct_passwd) -> str:
    return account.pw_dir if os.access(account.pw_dir, os.X_OK) else "/"


def _environment(
    process: "asyncssh.SSHServerProcess[bytes]", account: pwd.struct_passwd, shell: str
) -> dict[str, str]:
    asked = {name: value for name, value in process.env.items() if name == "LANG" or name.startswith("LC_")}
    given = {
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": shell,
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "SSH_CONNECTION": "127.0.0.1 0 127.0.0.1 22",
    }
    return given | asked | ({"TERM": process.term_type} if process.term_type else {})


async def _with_pipes(
    process: "asyncssh.SSHServerProcess[bytes]", arguments: list[str], options: dict[str, Any]
) -> int:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *arguments, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, **options
    )
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise OSError("no pipes")
    feeding = asyncio.create_task(_feed(process, child, child.stdin))
    await asyncio.gather(_drain(child.stdout, process.stdout), _drain(child.stderr, process.stderr))
    code = await child.wait()
    feeding.cancel()
    return code


async def _drain(source: asyncio.StreamReader, target: "asyncssh.SSHWriter[bytes]") -> None:
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        while block := await source.read(_BLOCK):
            target.write(block)
            await target.drain()


async def _feed(
    process: "asyncssh.SSHServerProcess[bytes]",
    child: asyncio.subprocess.Process,
    target: asyncio.StreamWriter,
) -> None:
    with contextlib.suppress(ConnectionError):
        while block := await _read(process, child):
            target.write(block)
            await target.drain()
        target.close()


async def _read(
    process: "asyncssh.SSHServerProcess[bytes]",
    child: asyncio.subprocess.Process,
    terminal: int | None = None,
) -> bytes:
    """The next input; signals and window sizes that come in between are passed on."""
    while True:
        try:
            return await process.stdin.read(_BLOCK)
        except asyncssh.SignalReceived as received:
            with contextlib.suppress(ProcessLookupError, KeyError):
                child.send_signal(signal.Signals[f"SIG{received.signal}"])
        except asyncssh.TerminalSizeChanged as changed:
            if terminal is not None:
                _resize(terminal, changed.height, changed.width)
        except asyncssh.BreakReceived:
            continue


async def _with_terminal(
    process: "asyncssh.SSHServerProcess[bytes]", arguments: list[str], options: dict[str, Any]
) -> int:
    master, slave = os.openpty()
    try:
        width, height, _, _ = process.term_size
        _resize(master, height, width)
        os.set_blocking(master, False)
        child = await asyncio.create_subprocess_exec(
            *arguments, stdin=slave, stdout=slave, stderr=slave, preexec_fn=_own_terminal, **options
        )
        os.close(slave)
        slave = -1
        feeding = asyncio.create_task(_feed_terminal(process, child, master))
        await _drain_terminal(master, process.stdout)
        code = await child.wait()
        feeding.cancel()
        return code
    finally:
        os.close(master)
        if slave >= 0:
            os.close(slave)


def _own_terminal() -> None:
    """In the child, between fork and exec: a session of its own, with the slave as its terminal."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _resize(terminal: int, height: int, width: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


async def _feed_terminal(
    process: "asyncssh.SSHServerProcess[bytes]", child: asyncio.subprocess.Process, master: int
) -> None:
    while block := await _read(process, child, master):
        while block:
            try:
                block = block[os.write(master, block) :]
            except BlockingIOError:
                await asyncio.sleep(0.01)
    with contextlib.suppress(BlockingIOError):
        os.write(master, b"\x04")


async def _drain_terminal(master: int, target: "asyncssh.SSHWriter[bytes]") -> None:
    """Pass the terminal's output on until its last user has gone (the read fails with EIO then)."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(master, readable.set)
    try:
        while True:
            await readable.wait()
            readable.clear()
            try:
                block = os.read(master, _BLOCK)
            except BlockingIOError:
                continue
            except OSError:
                return
            if not block:
                return
            target.write(block)
            await target.drain()
    finally:
        loop.remove_reader(master)
