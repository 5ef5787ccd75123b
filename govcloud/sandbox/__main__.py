"""`python -m govcloud.sandbox --state DIR --port N [--no-guests]`: run the sandbox cloud in the foreground."""

import argparse
import fcntl
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from govcloud.sandbox.app import App
from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.guests.fleet import LIVE_GUESTS, Fleet
from govcloud.sandbox.reception import Reception
from govcloud.sandbox.seed import seed, write_clouds_yaml
from govcloud.sandbox.server import Server
from govcloud.sandbox.services import all_routes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m govcloud.sandbox", description=__doc__)
    parser.add_argument(
        "--state", type=Path, required=True, help="directory of the cloud's state; kept across restarts"
    )
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument(
        "--no-guests", action="store_true", help="servers without anything running behind them"
    )
    parser.add_argument("--live-guests", type=int, default=LIVE_GUESTS, help="guests that run at once")
    parser.add_argument(
        "--instant", action="store_true", help="no delays: what is asked for is there at the next look"
    )
    return parser


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = _parser()
    options = parser.parse_args()
    state: Path = options.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    lock = (state / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        parser.error(f"another sandbox works on {state}")
    fleet = Fleet(state, enabled=not options.no_guests, live=options.live_guests)
    cloud = Cloud(directory=state, base_url=f"http://127.0.0.1:{options.port}", guests=fleet)
    if options.instant:
        cloud.timing.change({name: 0 for name in vars(cloud.timing) if name != "token_seconds"})
    seed(cloud, at=datetime.now(UTC))
    path = write_clouds_yaml(cloud)
    reception = Reception(cloud)
    server = Server(options.port, App(cloud, all_routes()))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"sandbox ready: {cloud.base_url} guests={fleet.mode} clouds.yaml={path}", flush=True)  # noqa: T201 - for people
    try:
        server.serve_forever()
    finally:
        server.server_close()
        reception.close()
        fleet.close()
        with cloud.lock:
            cloud.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
