"""Chapter 5: the applicant sees what was built, lets one server's volume grow and gives the other server back."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from govcloud.demo.story.building import follow
from govcloud.demo.story.client import Json
from govcloud.demo.story.deciding import INSTANT, approve
from govcloud.demo.story.ordering import SAS_GB, SERVERS, SSD_GB, TAKES, VCPUS
from govcloud.demo.story.stage import APPLICANT, Stage

NEW_GB = 800
A_SHIFT = timedelta(hours=6)
"""Between the order, its change and the release; short of a day, so that no backup falls due in between."""


def look(stage: Stage) -> None:
    """What stands there, with addresses and the end of its lease."""
    claim = stage.teller.claim
    resources = resources_of(stage)
    servers = [r for r in resources if r["kind"] == "server"]
    volumes = [r for r in resources if r["kind"] == "volume"]
    claim("two servers are in use", [s["status"] for s in servers] == ["active"] * SERVERS, found=servers)
    addresses = {server["name"]: server["address"] for server in servers}
    claim(f"with addresses of their own: {addresses}", len(set(addresses.values()) - {None}) == SERVERS)
    leases = [_months(server) for server in servers]
    claim("leased for twelve months", leases == [12] * SERVERS, found=leases)
    sizes = sorted(v["volume"]["size_gb"] for v in volumes)
    claim(
        "each with its system and its data volume", sizes == sorted([SSD_GB, SAS_GB] * SERVERS), found=sizes
    )
    kinds = sorted(r["kind"] for r in resources if r["kind"] in {"network", "backup"})
    claim("a network and a backup allowance", kinds == ["backup", "network"], found=kinds)
    used = used_since(stage)
    claim("the quota that was held is in use", used == TAKES, found=used)
    stage.teller.facts["resources"] = [
        {
            name: r[name]
            for name in ("uuid", "kind", "name", "external_id", "address", "billing_start", "lease_end")
        }
        for r in resources
    ]


def _months(server: Json) -> int:
    start, end = (datetime.fromisoformat(server[name]) for name in ("built_at", "lease_end"))
    return round((end - start).days / 30.44)


def resize(stage: Stage) -> None:
    claim = stage.teller.claim
    stage.let_pass(A_SHIFT)
    volume = _data_volume(stage, "app-1")
    change = {"action": "change", "kind": "volume", "target": volume["uuid"], "size_gb": NEW_GB}
    stage.change = _small_order(stage, "数据盘扩容", change)
    quote = Decimal(stage.change["quote"]["monthly_total"])
    claim("only what it grows by is priced: 300 GB for 120 yuan", quote == Decimal(120), found=quote)
    stage.change = follow(stage, stage.change)
    size = stage.people[APPLICANT].get(f"resources/{volume['uuid']}")["volume"]["size_gb"]
    claim(f"the volume has {NEW_GB} GB", size == NEW_GB, found=size)
    segments = sorted(
        stage.people[APPLICANT].all("usage-segments", resource=volume["uuid"]), key=lambda s: str(s["start"])
    )
    quantities = [Decimal(segment["quantity"]) for segment in segments]
    claim("usage goes from 500 to 800 GB", quantities == [SAS_GB, NEW_GB], found=quantities)
    claim("without a gap", segments[0]["end"] == segments[1]["start"] and segments[1]["end"] is None)
    stage.teller.facts["change_order"] = stage.change["number"]


def release(stage: Stage) -> None:
    claim, applicant = stage.teller.claim, stage.people[APPLICANT]
    stage.let_pass(A_SHIFT)
    server = next(r for r in resources_of(stage) if r["name"] == "app-2")
    gone = {"action": "release", "kind": "server", "target": server["uuid"]}
    stage.release = follow(stage, _small_order(stage, "退订服务器", gone))
    states = {r["name"]: r["status"] for r in resources_of(stage) if r["name"].startswith("app-2")}
    released = dict.fromkeys(("app-2", "app-2-system", "app-2-data-1"), "released")
    claim("the server and its volumes are released", states == released, found=states)
    running = applicant.count("usage-segments", resource=server["uuid"], open="true")
    claim("and no longer billed", running == 0, found=running)
    used = used_since(stage)
    left = {
        **TAKES,
        "servers": 1,
        "vcpus": VCPUS,
        "memory_gb": TAKES["memory_gb"] // 2,
        "storage_gb": SSD_GB + NEW_GB,
    }
    claim("their quota is free again", used == left, found=used)
    stage.teller.facts["release_order"] = stage.release["number"]


def _small_order(stage: Stage, title: str, item: dict[str, Any]) -> Json:
    """An instant matter: drafted, submitted, and approved by two."""
    applicant = stage.people[APPLICANT]
    order = applicant.post(
        "orders",
        {"system": stage.system["uuid"], "title": title, "declares_classified": False, "items": [item]},
    )
    roles = [planned["role"] for planned in order["route"]]
    stage.teller.claim(
        f"{order['number']} needs two approvals only", roles == ["unit_approver", "service_desk"], found=roles
    )
    order = applicant.post(f"orders/{order['uuid']}/submission")
    return approve(stage, order, by=INSTANT)


def resources_of(stage: Stage) -> list[Json]:
    return sorted(
        stage.people[APPLICANT].all("resources", system=stage.system["uuid"]), key=lambda r: str(r["name"])
    )


def _data_volume(stage: Stage, server: str) -> Json:
    return next(r for r in resources_of(stage) if r["name"] == f"{server}-data-1")


def used_since(stage: Stage) -> dict[str, int]:
    """What the department uses more than before the story."""
    now = stage.accounts()
    more = {
        dimension: now[dimension]["used"] - before["used"] for dimension, before in stage.quota_before.items()
    }
    return {dimension: amount for dimension, amount in more.items() if amount}
