"""Nova's quotas and limits."""

from collections.abc import Mapping

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import bad_request, forbidden
from govcloud.sandbox.web import Body, Call, Routes

routes = Routes("compute", "/compute/v2.1")
DEFAULTS = {
    "instances": 10,
    "cores": 20,
    "ram": 51200,
    "metadata_items": 128,
    "key_pairs": 100,
    "server_groups": 10,
    "server_group_members": 10,
}


def limits_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """The project's limits; -1 is none."""
    row = cloud.store.get("compute_quota", project_id)
    return DEFAULTS | (row["limits"] if row else {})


def usage_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """Servers, vCPUs and MB of memory of a project's servers, whatever their state."""
    servers = [row for row in cloud.store.find("server", project_id=project_id) if not row["deleted"]]
    return {
        "instances": len(servers),
        "cores": sum(row["flavor"]["vcpus"] for row in servers),
        "ram": sum(row["flavor"]["ram"] for row in servers),
    }


def check(cloud: Cloud, project_id: str, more: Mapping[str, int]) -> None:
    """Refuse what would go over the quota.

    Raises:
        ApiError: 403 naming every resource that would.

    """
    limits, used = limits_of(cloud, project_id), usage_of(cloud, project_id)
    overs = [name for name, amount in more.items() if amount > 0 and 0 <= limits[name] < used[name] + amount]
    if overs:
        asked = ", ".join(str(more[name]) for name in overs)
        have = ", ".join(str(used[name]) for name in overs)
        allowed = ", ".join(str(limits[name]) for name in overs)
        names = ", ".join(overs)
        raise forbidden(
            f"Quota exceeded for {names}: Requested {asked}, but already used {have} of {allowed} {names}"
        )


def _readable(call: Call) -> str:
    project = call.args["project"]
    if not call.caller.is_admin and call.caller.project_id != project:
        raise forbidden("Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.")
    return project


@routes("GET", "/os-quota-sets/<project>")
def show_quota(call: Call) -> Body:
    project = _readable(call)
    return {"quota_set": {"id": project, **limits_of(call.cloud, project)}}


@routes("GET", "/os-quota-sets/<project>/defaults")
def show_defaults(call: Call) -> Body:
    return {"quota_set": {"id": call.args["project"], **DEFAULTS}}


@routes("GET", "/os-quota-sets/<project>/detail")
def show_detail(call: Call) -> Body:
    project = _readable(call)
    used = usage_of(call.cloud, project)
    shown = {
        name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
        for name, limit in limits_of(call.cloud, project).items()
    }
    return {"quota_set": {"id": project, **shown}}


@routes("PUT", "/os-quota-sets/<project>")
def set_quota(call: Call) -> Body:
    """Change limits; below what is used only with `force`."""
    call.require_admin("os_compute_api:os-quota-sets:update")
    project, asked = call.args["project"], call.part("quota_set")
    used = usage_of(call.cloud, project)
    known = {name: int(value) for name, value in asked.items() if name in DEFAULTS}
    for name, value in known.items():
        if 0 <= value < used.get(name, 0) and not asked.get("force"):
            raise bad_request(
                f"Quota limit {value} for {name} must be greater than or equal to already used and "
                f"reserved {used[name]}."
            )
    limits = limits_of(call.cloud, project) | known
    call.cloud.store.save("compute_quota", {"id": project, "limits": limits})
    return {"quota_set": limits}


@routes("DELETE", "/os-quota-sets/<project>", status=202)
def reset_quota(call: Call) -> None:
    call.require_admin("os_compute_api:os-quota-sets:delete")
    call.cloud.store.delete("compute_quota", call.args["project"])


@routes("GET", "/limits")
def show_limits(call: Call) -> Body:
    """Absolute limits and use of the caller's project, or of `tenant_id` for an admin."""
    project = (call.query("tenant_id") if call.caller.is_admin else None) or call.project
    limits, used = limits_of(call.cloud, project), usage_of(call.cloud, project)
    absolute = {
        "maxTotalInstances": limits["instances"],
        "maxTotalCores": limits["cores"],
        "maxTotalRAMSize": limits["ram"],
        "maxServerMeta": limits["metadata_items"],
        "maxTotalKeypairs": limits["key_pairs"],
        "maxServerGroups": limits["server_groups"],
        "maxServerGroupMembers": limits["server_group_members"],
        "totalInstancesUsed": used["instances"],
        "totalCoresUsed": used["cores"],
        "totalRAMUsed": used["ram"],
        "totalServerGroupsUsed": 0,
    }
    return {"limits": {"rate": [], "absolute": absolute}}
