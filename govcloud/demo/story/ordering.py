"""Chapters 1 and 2: the applicant drafts the order for a whole system, and submits it."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from govcloud.demo.story.client import Json, Refused
from govcloud.demo.story.stage import APPLICANT, Stage

SERVERS = 2
VCPUS, MEMORY_GB = 4, 16
SSD_GB, SAS_GB = 100, 500
BACKUP_GB = 1_200
MONTHLY = {
    # meter: quantity of the whole order, yuan for one unit and month; 2 x 726 + 360
    "vcpu": (SERVERS * VCPUS, Decimal(46)),
    "memory_gb": (SERVERS * MEMORY_GB, Decimal(17)),
    "block_ssd_gb": (SERVERS * SSD_GB, Decimal("0.7")),
    "block_sas_gb": (SERVERS * SAS_GB, Decimal("0.4")),
    "backup_off_site_gb": (BACKUP_GB, Decimal("0.3")),
}
TOTAL = Decimal(1_812)
TAKES = {
    "servers": SERVERS,
    "vcpus": SERVERS * VCPUS,
    "memory_gb": SERVERS * MEMORY_GB,
    "storage_gb": SERVERS * (SSD_GB + SAS_GB),
    "backup_gb": BACKUP_GB,
    "networks": 1,
}
CHAIN = ("unit_approver", "service_desk", "technical_reviewer", "authority_approver")


def body(system: Json) -> dict[str, Any]:
    """Two servers with a system and a data volume each, a private network, and off-site backup at DR level 3."""
    zone = system["zone"]
    return {
        "system": system["uuid"],
        "title": f"{system['name']}上云",
        "justification": "现有设备到期，按年度计划迁入云计算中心。",
        "declares_classified": False,
        "items": [
            {"action": "create", "kind": "network", "name": "app-net", "zone": zone},
            {
                "action": "create",
                "kind": "server",
                "name": "app",
                "quantity": SERVERS,
                "zone": zone,
                "flavor": f"g.{VCPUS}c{MEMORY_GB}g",
                "image": "debian-12",
                "network": "app-net",
                "system_volume": {"storage_class": "ssd", "size_gb": SSD_GB},
                "data_volumes": [{"storage_class": "sas", "size_gb": SAS_GB}],
                "lease_months": 12,
            },
            {
                "action": "create",
                "kind": "backup",
                "name": "dr",
                "dr_level": 3,
                "capacity_gb": BACKUP_GB,
                "frequency": "daily",
                "off_site": True,
            },
        ],
    }


def draft(stage: Stage) -> None:
    claim, applicant = stage.teller.claim, stage.people[APPLICANT]
    stage.system = _fresh_system(stage)
    stage.quota_before = stage.accounts()
    stage.teller.tell(
        f"For {stage.system['name_en']} ({stage.system['code']}), MLPS level {stage.system['mlps_level']}"
    )
    key = str(uuid4())
    stage.order = applicant.post("orders", body(stage.system), key=key)
    again = applicant.post("orders", body(stage.system), key=key)
    claim(f"the draft is {stage.order['number']}", stage.order["status"] == "draft")
    claim("sent twice with one Idempotency-Key it is one order", again["uuid"] == stage.order["uuid"])
    _check_quote(stage)
    _check_effect(stage)
    route = stage.order["route"]
    roles = [planned["role"] for planned in route]
    claim("it says which four must approve it", roles == list(CHAIN), found=roles)
    dues = [planned["due_at"] for planned in route]
    claim(
        "each has somebody to do it and a day by which",
        dues == sorted(dues) and all(p["deciders"] for p in route),
    )
    stage.teller.facts["order"] = {"number": stage.order["number"], "uuid": stage.order["uuid"]}
    stage.teller.facts["quote"] = stage.order["quote"]
    stage.teller.facts["system"] = {"code": stage.system["code"], "name": stage.system["name"]}


def _fresh_system(stage: Stage) -> Json:
    """A level 3 system of the private zone that nothing has been ordered for yet; registered if there is none."""
    applicant = stage.people[APPLICANT]
    used = {order["system"]["uuid"] for order in applicant.all("orders")}
    known = list(applicant.all("systems", mlps_level=3, zone="private", ordering="code"))
    fresh = next((system for system in known if system["uuid"] not in used), None)
    return fresh or _register(stage, known)


def _register(stage: Stage, known: list[Json]) -> Json:
    """The demo's systems all have their orders: the department registers one more."""
    number = len(known) + 1
    system: Json = stage.people[APPLICANT].post(
        "systems",
        {
            "department": known[0]["department"]["uuid"],
            "code": f"core-{number:02d}",
            "name": f"统筹发展新建系统{number}",
            "name_en": f"Development Coordination system {number}",
            "mlps_level": 3,
            "filing_number": known[0]["filing_number"],
            "cryptography_assessed_on": known[0]["cryptography_assessed_on"],
            "zone": "private",
            "dr_level": 3,
        },
    )
    return system


def _check_quote(stage: Stage) -> None:
    quote, claim = stage.order["quote"], stage.teller.claim
    found = {
        line["meter"]["code"]: (Decimal(line["quantity"]), Decimal(line["per_month"]))
        for line in quote["lines"]
    }
    wanted = {meter: (Decimal(quantity), price) for meter, (quantity, price) in MONTHLY.items()}
    claim("every line has its quantity and price", found == wanted, found=found)
    amounts = sum(Decimal(line["amount"]) for line in quote["lines"])
    total = Decimal(quote["monthly_total"])
    claim(f"the lines sum to {TOTAL} yuan a month (2 x 726 + 360)", amounts == total == TOTAL, found=total)


def _check_effect(stage: Stage) -> None:
    own = [e for e in stage.order["effect"] if e["department"]["uuid"] == stage.system["department"]["uuid"]]
    takes = {e["dimension"]: e["takes"] for e in own}
    stage.teller.claim("it shows what quota it would take", takes == TAKES, found=takes)
    above = {e["department"]["uuid"] for e in stage.order["effect"]} - {stage.system["department"]["uuid"]}
    stage.teller.claim(
        f"in the department and in {len(above)} above it, and that it fits",
        all(e["fits"] for e in stage.order["effect"]),
    )


def submit(stage: Stage) -> None:
    claim, applicant = stage.teller.claim, stage.people[APPLICANT]
    read = {"files_hash": stage.order["files_hash"]}
    stage.order = applicant.post(
        f"orders/{stage.order['uuid']}/submission", read, version=stage.order["version"]
    )
    claim("the order is in approval", stage.order["status"] == "in_approval", found=stage.order["status"])
    held = {
        dimension: account["held"] - stage.quota_before[dimension]["held"]
        for dimension, account in stage.accounts().items()
    }
    claim("the quota is held", {d: n for d, n in held.items() if n} == TAKES, found=held)
    case = stage.order["case"]
    claim(
        "the revision is bound by its SHA-256", len(case["revision_hash"]) == 64, found=case["revision_hash"]
    )
    claim(
        "the case is with the first of four",
        [s["status"] for s in case["stages"]] == ["current", *["waiting"] * 3],
    )
    try:
        applicant.post(f"orders/{stage.order['uuid']}/submission")
    except Refused as refusal:
        claim(f"a second submission is refused ({refusal.code})", refusal.status == 409, found=refusal)
    else:
        claim("a second submission is refused", holds=False)
    stage.teller.facts["revision"] = {"number": case["revision"], "hash": case["revision_hash"]}
