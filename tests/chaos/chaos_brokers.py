"""The brokers of a chaos run, and what the storm does to them: the embedded one made of files, and a RabbitMQ of its own."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Protocol

from govcloud.embedded.supervisor import Child

if TYPE_CHECKING:
    from kombu import Connection

FILES, RABBITMQ = "files", "rabbitmq"
SERVER = Path(
    "/usr/lib/rabbitmq/bin/rabbitmq-server"
)  # as Debian has it: the one on the path changes the user
MOST_DUPLICATES = 10
SECONDS_OF_SILENCE = 5.0
DELAYS = 28
"""Celery has so many queues in which messages wait for their time, one for each power of two of seconds."""


class Broker(Protocol):
    def environment(self) -> Mapping[str, str]:
        """The settings by which the product finds it."""
        ...

    def children(self) -> list[Child]:
        """Its processes."""
        ...

    def lose_messages(self) -> int:
        """Empty it, as a restart of one that keeps nothing on disk would."""
        ...

    def duplicate_messages(self) -> int:
        """Deliver some of what is waiting once more."""
        ...

    def restart(self) -> bool:
        """Kill it and start it again; False for one that is no process."""
        ...

    def end(self) -> None:
        """After its processes have ended."""
        ...


def broker(name: str, var: Path) -> Broker:
    return RabbitBroker(var / "rabbitmq") if name == RABBITMQ else FileBroker(var / "broker" / "queue")


class FileBroker:
    def __init__(self, queue: Path) -> None:
        self._queue = queue

    def environment(self) -> Mapping[str, str]:
        return {}

    def children(self) -> list[Child]:
        return []

    def lose_messages(self) -> int:
        messages = list(self._queue.glob("*.msg"))
        for message in messages:
            message.unlink(missing_ok=True)
        return len(messages)

    def duplicate_messages(self) -> int:
        copied = 0
        for message in list(self._queue.glob("*.msg"))[:MOST_DUPLICATES]:
            draft = message.with_suffix(f".again{copied}")
            with suppress(FileNotFoundError):
                shutil.copyfile(message, draft)
                stamp, rest = message.name.split("_", 1)
                draft.rename(message.with_name(f"{stamp}_again{copied}{rest}"))
                copied += 1
        return copied

    def restart(self) -> bool:
        return False

    def end(self) -> None:
        """Files end by themselves."""


class RabbitBroker:
    """A node of its own on free ports of the loopback, with its data, cookie and port mapper below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._port, self._distribution, self._mapper = (_free_port() for _ in range(3))
        self._child = Child(
            name="rabbitmq",
            command=[str(SERVER)],
            log=root / "server.log",
            environment={
                "HOME": str(root),
                "ERL_CRASH_DUMP": str(root / "crash"),
                "RABBITMQ_NODENAME": f"chaos{self._port}@localhost",
                "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
                "RABBITMQ_NODE_PORT": str(self._port),
                "RABBITMQ_DIST_PORT": str(self._distribution),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
                "RABBITMQ_MNESIA_BASE": str(root / "data"),
                "RABBITMQ_LOG_BASE": str(root / "log"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(root / "plugins"),
                "RABBITMQ_CONFIG_FILE": str(root / "rabbitmq"),
                "RABBITMQ_CONF_ENV_FILE": str(root / "environment"),
                **self._mapped(),
            },
            ready=lambda: _listens(self._port),
        )

    def environment(self) -> Mapping[str, str]:
        return {"BROKER_URL": f"amqp://guest:guest@127.0.0.1:{self._port}//"}

    def children(self) -> list[Child]:
        if not SERVER.exists():
            raise SystemExit("There is no RabbitMQ on this machine; Debian's package is rabbitmq-server.")
        for name in ("data", "log"):
            (self._root / name).mkdir(parents=True, exist_ok=True)
        (self._root / "plugins").write_text("[].\n")
        (self._root / "rabbitmq.conf").write_text("disk_free_limit.absolute = 50MB\n")
        return [self._child]

    def lose_messages(self) -> int:
        """What workers read, and what waits for its time."""
        from amqp.exceptions import NotFound  # noqa: PLC0415

        lost = 0
        with self._connection() as connection:
            for queue in (_queue(), *(f"celery_delayed_{power}" for power in range(DELAYS))):
                with suppress(NotFound), connection.channel() as channel:
                    lost += channel.queue_purge(queue)
        return lost

    def duplicate_messages(self) -> int:
        queue, taken = _queue(), []
        with self._connection() as connection, connection.channel() as channel:
            while len(taken) < MOST_DUPLICATES and (message := channel.basic_get(queue, no_ack=True)):
                taken.append(message)
            for message in (*taken, *taken):
                channel.basic_publish(message, exchange="", routing_key=queue)
        return len(taken)

    def restart(self) -> bool:
        """As when its machine loses power: what it had confirmed is on its disk."""
        if self._child.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.process.pid, signal.SIGKILL)
            self._child.process.wait()
        self._child.start()
        return True

    def end(self) -> None:
        """Erlang's port mapper made itself a daemon."""
        environment = {**os.environ, "HOME": str(self._root), **self._mapped()}
        subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, timeout=30, check=False)

    def _mapped(self) -> dict[str, str]:
        return {"ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(self._mapper)}

    def _connection(self) -> "Connection":
        from govcloud.celery import app  # noqa: PLC0415  reads the settings, which are prepared by now

        return app.connection_for_read(connect_timeout=SECONDS_OF_SILENCE)


def _queue() -> str:
    """The one that workers read."""
    from govcloud.celery import app  # noqa: PLC0415

    return str(app.conf.task_default_queue)


def _free_port() -> int:
    """Below those that the system gives to outgoing connections: it is to be free again after each restart."""
    while True:
        port = SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
