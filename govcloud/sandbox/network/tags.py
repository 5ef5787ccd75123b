"""Tags of any resource, project quotas, and the lists clients look for features in."""

from govcloud.sandbox.errors import bad_request, not_found
from govcloud.sandbox.network import resources
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes

routes = Routes("network", "/network/v2.0")
_KINDS = {
    "networks": "network",
    "subnets": "subnet",
    "ports": "port",
    "routers": "router",
    "floatingips": "floatingip",
    "security-groups": "security_group",
    "security_groups": "security_group",
}
_TAGGABLE = "<any(" + ",".join(f'"{name}"' for name in _KINDS) + "):plural>"
_EXTENSIONS = (
    "agent", "availability_zone", "binding", "default-subnetpools", "dns-integration", "external-net", "extra_dhcp_opt",
    "extraroute", "net-mtu", "network_availability_zone", "port-security", "project-id", "provider", "quota_details",
    "quotas", "router", "security-group", "sorting", "pagination", "standard-attr-description",
    "standard-attr-revisions", "standard-attr-tag", "standard-attr-timestamp", "subnet_allocation",
)  # fmt: skip


def _tagged(call: Call) -> tuple[str, Row]:
    kind = _KINDS[call.args["plural"]]
    return kind, resources.owned(call, kind, call.args["id"])


@routes("GET", f"/{_TAGGABLE}/<id>/tags")
def list_tags(call: Call) -> Body:
    return {"tags": _tagged(call)[1]["tags"]}


@routes("PUT", f"/{_TAGGABLE}/<id>/tags")
def replace_tags(call: Call) -> Body:
    kind, row = _tagged(call)
    tags = sorted({str(tag) for tag in call.json.get("tags", [])})
    resources.change(call, kind, row, {"tags": tags})
    return {"tags": tags}


@routes("DELETE", f"/{_TAGGABLE}/<id>/tags", status=204)
def clear_tags(call: Call) -> None:
    kind, row = _tagged(call)
    resources.change(call, kind, row, {"tags": []})


@routes("PUT", f"/{_TAGGABLE}/<id>/tags/<tag>", status=201)
def add_tag(call: Call) -> None:
    kind, row = _tagged(call)
    resources.change(call, kind, row, {"tags": sorted({*row["tags"], call.args["tag"]})})


@routes("GET", f"/{_TAGGABLE}/<id>/tags/<tag>", status=204)
def has_tag(call: Call) -> None:
    if call.args["tag"] not in _tagged(call)[1]["tags"]:
        raise not_found(f"Tag {call.args['tag']} could not be found.", kind="TagNotFound")


@routes("DELETE", f"/{_TAGGABLE}/<id>/tags/<tag>", status=204)
def remove_tag(call: Call) -> None:
    kind, row = _tagged(call)
    has_tag(call)
    resources.change(call, kind, row, {"tags": [tag for tag in row["tags"] if tag != call.args["tag"]]})


@routes("GET", "/quotas/<project>")
def show_quota(call: Call) -> Body:
    return {"quota": resources.quota_of(call.cloud, call.args["project"])}


@routes("GET", "/quotas/<project>/default")
def show_default_quota(_call: Call) -> Body:
    return {"quota": resources.QUOTA_DEFAULTS}


@routes("GET", "/quotas/<project>/details.json")
@routes("GET", "/quotas/<project>/details")
def show_quota_use(call: Call) -> Body:
    project = call.args["project"]
    limits, used = resources.quota_of(call.cloud, project), resources.usage_of(call.cloud, project)
    return {"quota": {k: {"limit": limits[k], "used": used[k], "reserved": 0} for k in limits}}


@routes("PUT", "/quotas/<project>")
def set_quota(call: Call) -> Body:
    call.require_admin("rule:update_quota")
    project, asked = call.args["project"], call.part("quota")
    known = {k: int(v) for k, v in asked.items() if k in resources.QUOTA_DEFAULTS}
    used = resources.usage_of(call.cloud, project)
    for kind, limit in known.items():
        if 0 <= limit < used[kind]:
            raise bad_request(
                f"Quota limit {limit} for {kind} must be greater than or equal to already used {used[kind]}"
            )
    limits = resources.quota_of(call.cloud, project) | known
    call.cloud.store.save("network_quota", {"id": project, "limits": limits})
    return {"quota": limits}


@routes("DELETE", "/quotas/<project>", status=204)
def reset_quota(call: Call) -> None:
    call.require_admin("rule:delete_quota")
    call.cloud.store.delete("network_quota", call.args["project"])


@routes("GET", "/extensions")
def list_extensions(_call: Call) -> Body:
    rows = [
        {"alias": alias, "name": alias, "description": "", "updated": "", "links": []}
        for alias in _EXTENSIONS
    ]
    return {"extensions": rows}


@routes("GET", "/extensions/<alias>")
def show_extension(call: Call) -> Body:
    alias = call.args["alias"]
    if alias not in _EXTENSIONS:
        raise not_found(f"Extension with alias {alias} does not exist", kind="HTTPNotFound")
    return {"extension": {"alias": alias, "name": alias, "description": "", "updated": "", "links": []}}


@routes("GET", "/availability_zones")
def list_zones(_call: Call) -> Body:
    kinds = [(name, resource) for name in ("nova", "dr") for resource in ("network", "router")]
    return {"availability_zones": [{"name": n, "resource": r, "state": "available"} for n, r in kinds]}


@routes("GET", "/agents")
def list_agents(call: Call) -> Body:
    call.require_admin("rule:get_agent")
    names = ("DHCP agent", "L3 agent", "Open vSwitch agent", "Metadata agent")
    return {
        "agents": [
            {"id": n, "agent_type": n, "alive": True, "admin_state_up": True, "host": "sandbox"}
            for n in names
        ]
    }
