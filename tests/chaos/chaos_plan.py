"""What a chaos run is: how much of everything, and the settings under which the product runs in it."""

import os
from argparse import ArgumentDefaultsHelpFormatter, ArgumentParser
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.chaos_brokers import FILES, RABBITMQ

SANDBOX, OPENSTACK = "sandbox", "devcloud"
CLOUDS_YAML = "/var/lib/devcloud/clouds.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``faults`` is the share of calls to the cloud that are faulted; times are in seconds."""

    cloud: str
    orders: int
    seed: int
    kill_every: float
    faults: float
    quiet: float
    workers: int
    at_once: int
    broker: str
    var: Path
    clouds_yaml: Path  # of the real cloud

    @property
    def pace(self) -> "Pace":
        return PACES[self.cloud]

    @property
    def report(self) -> Path:
        return self.var.parent / ("chaos.json" if self.cloud == SANDBOX else "chaos-openstack.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Times that stand to each other as in production: a lease outlasts a call, a call has landed before it has settled.

    A worker is stopped for longer than the lease and for less than a call takes to settle: what it is about to send when it
    wakes is a call that lands late, and later than ``settle`` no call may land.
    """

    api_timeout: float
    lease: float
    settle: float
    poll: float
    late: float  # how much later than its answer a request takes effect, at most
    action_every: float  # from one request for a direct action to the next
    actions_at_once: int  # that are carried out at a time: they share the workers with the orders

    def environment(self) -> dict[str, str]:
        return {
            "CLOUD_API_TIMEOUT": str(self.api_timeout),
            "STEP_LEASE_SECONDS": str(self.lease),
            "STEP_SETTLE_SECONDS": str(self.settle),
            "STEP_POLL_SECONDS": str(self.poll),
            "SWEEP_SECONDS": "1",
            "LOG_LEVEL": "ERROR",
        }


PACES = {
    SANDBOX: Pace(api_timeout=3, lease=10, settle=16, poll=0.5, late=5, action_every=0.7, actions_at_once=6),
    OPENSTACK: Pace(api_timeout=15, lease=35, settle=45, poll=1, late=10, action_every=4, actions_at_once=3),
}


def read(arguments: list[str] | None = None) -> Plan:
    """The plan of the command line."""
    parser = ArgumentParser(
        prog="chaos_run", description=__doc__, formatter_class=ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--cloud", choices=(SANDBOX, OPENSTACK), default=SANDBOX)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-every", type=float, default=3.0, help="seconds between two killed processes")
    parser.add_argument(
        "--faults", type=float, default=0.2, help="share of calls to the cloud that are faulted"
    )
    parser.add_argument(
        "--quiet", type=float, default=600.0, help="seconds after the last fault until all has to be quiet"
    )
    parser.add_argument("--workers", type=int, default=4, help="Celery workers, of three processes each")
    parser.add_argument("--at-once", type=int, default=30, help="orders being built at a time")
    parser.add_argument(
        "--broker", choices=(FILES, RABBITMQ), default=FILES, help="that the workers listen to"
    )
    told = parser.parse_args(arguments)
    root = Path(os.environ.get("GOVCLOUD_VAR", Path(__file__).resolve().parents[2] / "var")).resolve()
    clouds_yaml = Path(os.environ.get("OS_CLIENT_CONFIG_FILE", CLOUDS_YAML))
    return Plan(**vars(told), var=root / f"chaos-{told.cloud}", clouds_yaml=clouds_yaml)
