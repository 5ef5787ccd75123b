"""Simple tenant usage: hours of vCPU, memory and disk per project in a period."""

from datetime import UTC, datetime, timedelta

from govcloud.sandbox.errors import bad_request, forbidden
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes, stamp

routes = Routes("compute", "/compute/v2.1")


def _period(call: Call) -> tuple[datetime, datetime]:
    end = _moment(call.query("end"), call.now)
    start = _moment(call.query("start"), call.now - timedelta(days=28))
    if start >= end:
        raise bad_request("Invalid start time. The start time cannot occur after the end time.")
    return start, end


def _moment(text: str | None, default: datetime) -> datetime:
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T"))
    except ValueError as error:
        raise bad_request("Datetime is in invalid format") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _hours(row: Row, start: datetime, end: datetime, now: datetime) -> float:
    """How long a server existed within the period, launched to terminated."""
    if row["launched_at"] is None:
        return 0.0
    began = max(datetime.fromisoformat(row["launched_at"]), start)
    ended = datetime.fromisoformat(row["terminated_at"]) if row["terminated_at"] else now
    return max((min(ended, end) - began).total_seconds(), 0.0) / 3600


def _server(row: Row, hours: float, now: datetime) -> Body:
    flavor = row["flavor"]
    ended = datetime.fromisoformat(row["terminated_at"]) if row["terminated_at"] else now
    began = datetime.fromisoformat(row["launched_at"])
    return {
        "instance_id": row["id"],
        "name": row["name"],
        "tenant_id": row["project_id"],
        "flavor": flavor["name"],
        "vcpus": flavor["vcpus"],
        "memory_mb": flavor["ram"],
        "local_gb": flavor["disk"],
        "hours": hours,
        "started_at": stamp(row["launched_at"], form="micro"),
        "ended_at": stamp(row["terminated_at"], form="micro"),
        "state": "terminated" if row["deleted"] else row["vm_state"],
        "uptime": int((ended - began).total_seconds()),
    }


def _usage(
    call: Call, project: str, servers: list[Row], period: tuple[datetime, datetime], *, detailed: bool
) -> Body:
    start, end = period
    hours = {row["id"]: _hours(row, start, end, call.now) for row in servers}
    counted = [row for row in servers if hours[row["id"]] > 0]
    usage: Body = {
        "tenant_id": project,
        "start": start.replace(tzinfo=None).isoformat(),
        "stop": end.replace(tzinfo=None).isoformat(),
        "total_hours": sum(hours.values()),
        "total_vcpus_usage": sum(hours[r["id"]] * r["flavor"]["vcpus"] for r in counted),
        "total_memory_mb_usage": sum(hours[r["id"]] * r["flavor"]["ram"] for r in counted),
        "total_local_gb_usage": sum(hours[r["id"]] * r["flavor"]["disk"] for r in counted),
    }
    if detailed:
        usage["server_usages"] = [_server(row, hours[row["id"]], call.now) for row in counted]
    return usage


@routes("GET", "/os-simple-tenant-usage")
def list_usage(call: Call) -> Body:
    """Usage of every project that had servers in the period."""
    call.require_admin("os_compute_api:os-simple-tenant-usage:list")
    period = _period(call)
    by_project: dict[str, list[Row]] = {}
    for row in call.cloud.store.find("server"):
        by_project.setdefault(row["project_id"], []).append(row)
    detailed = call.flag("detailed")
    usages = [_usage(call, project, rows, period, detailed=detailed) for project, rows in by_project.items()]
    return {"tenant_usages": [usage for usage in usages if usage["total_hours"] > 0]}


@routes("GET", "/os-simple-tenant-usage/<project>")
def show_usage(call: Call) -> Body:
    """Usage of one project, server by server."""
    project = call.args["project"]
    if not call.caller.is_admin and call.caller.project_id != project:
        raise forbidden("Policy doesn't allow os_compute_api:os-simple-tenant-usage:show to be performed.")
    rows = call.cloud.store.find("server", project_id=project)
    usage = _usage(call, project, rows, _period(call), detailed=True)
    return {"tenant_usage": usage if usage["server_usages"] else {}}
