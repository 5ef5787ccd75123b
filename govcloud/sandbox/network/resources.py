"""What every Neutron resource has in common: lists with filters, views, ownership, quotas."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, bad_request, conflict, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes, stamp

routes = Routes("network", "/network/v2.0")

QUOTA_DEFAULTS = {
    "network": 100,
    "subnet": 100,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "security_group": 10,
    "security_group_rule": 100,
    "subnetpool": -1,
    "rbac_policy": 10,
}
_NOT_FILTERS = {
    "fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir",
    "tags", "tags-any", "not-tags", "not-tags-any", "fixed_ips",
}  # fmt: skip
_MISSING = {
    "network": ("NetworkNotFound", "Network {} could not be found."),
    "subnet": ("SubnetNotFound", "Subnet {} could not be found."),
    "port": ("PortNotFound", "Port {} could not be found."),
    "router": ("RouterNotFound", "Router {} could not be found"),
    "floatingip": ("FloatingIPNotFound", "Floating IP {} could not be found"),
    "security_group": ("SecurityGroupNotFound", "Security group {} does not exist"),
    "security_group_rule": ("SecurityGroupRuleNotFound", "Security group rule {} does not exist"),
}


def missing(kind: str, row_id: str) -> ApiError:
    """Neutron's 404 for a resource."""
    name, message = _MISSING[kind]
    return not_found(message.format(row_id), kind=name)


def found(call: Call, kind: str, row_id: str) -> Row:
    """A resource the caller may see: its own, a shared or an external one, or any for an admin.

    Raises:
        ApiError: 404 otherwise.

    """
    row = call.cloud.store.get(kind, row_id)
    if row is None or not _visible(call, row):
        raise missing(kind, row_id)
    return row


def owned(call: Call, kind: str, row_id: str) -> Row:
    """A resource the caller may change; shared ones of others are refused with 403."""
    row = found(call, kind, row_id)
    if not call.sees(row):
        raise ApiError(403, f"rule:update_{kind} is disallowed by policy", kind="PolicyNotAuthorized")
    return row


def _visible(call: Call, row: Row) -> bool:
    if call.sees(row) or row.get("shared") or row.get("router:external"):
        return True
    group = call.cloud.store.get("security_group", row.get("security_group_id") or "")
    return group is not None and call.sees(group)  # a rule is seen by whoever has its group


def owner(call: Call, asked: Body) -> str:
    """The project a new resource belongs to; only admins may name another's."""
    wanted = asked.get("project_id") or asked.get("tenant_id")
    if wanted and wanted != call.project:
        call.require_admin("create for another project")
        return str(wanted)
    return call.project


def check_quota(cloud: Cloud, kind: str, project_id: str, *, more: int = 1) -> None:
    """Refuse what would go over the project's quota.

    Raises:
        ApiError: 409 of type OverQuota.

    """
    limit = quota_of(cloud, project_id)[kind]
    if limit >= 0 and len(cloud.store.find(kind, project_id=project_id)) + more > limit:
        raise conflict(f"Quota exceeded for resources: ['{kind}'].", kind="OverQuota")


def quota_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """The project's limits; -1 is none."""
    row = cloud.store.get("network_quota", project_id)
    return QUOTA_DEFAULTS | (row["limits"] if row else {})


def usage_of(cloud: Cloud, project_id: str) -> dict[str, int]:
    """What counts against each limit now."""
    return {kind: len(cloud.store.find(kind, project_id=project_id)) for kind in QUOTA_DEFAULTS}


def create(call: Call, kind: str, project_id: str, columns: Row) -> Row:
    """Store a new resource of a project."""
    return call.cloud.new(
        kind,
        {"project_id": project_id, "description": "", "tags": [], "revision_number": 1, **columns},
        at=call.now,
    )


def change(call: Call, kind: str, row: Row, columns: Row) -> Row:
    """Update a resource."""
    return call.cloud.change(kind, row, at=call.now, revision_number=row["revision_number"] + 1, **columns)


def view(row: Row) -> Body:
    """A resource as Neutron shows it."""
    created, updated = stamp(row["created_at"]), stamp(row["updated_at"] or row["created_at"])
    return row | {"tenant_id": row["project_id"], "created_at": created, "updated_at": updated}


def only_fields(call: Call, body: Body) -> Body:
    """The attributes named by `fields`, or all."""
    fields = call.request.args.getlist("fields")
    return {k: v for k, v in body.items() if k in fields} if fields else body


def listed(call: Call, kind: str, plural: str) -> Body:
    """A list of what the caller sees, filtered the way Neutron does: several values of one key are alternatives."""
    rows = [row for row in _candidates(call, kind) if _visible(call, row) and _selected(call, row)]
    start, limit = 0, len(rows)
    if marker := call.query("marker"):
        places = [place for place, row in enumerate(rows) if row["id"] == marker]
        if not places:
            raise missing(kind, marker)
        start = places[0] + 1
    if asked := call.query("limit"):
        limit = int(asked)
    chosen = rows[start : start + limit]
    document: Body = {plural: [only_fields(call, view(row)) for row in chosen]}
    if len(rows) > start + limit and limit:
        query = [(key, value) for key, value in call.request.args.items(multi=True) if key != "marker"]
        href = call.link(f"{call.request.path}?{urlencode([*query, ('marker', chosen[-1]['id'])])}")
        document[f"{plural}_links"] = [{"rel": "next", "href": href}]
    return document


def _candidates(call: Call, kind: str) -> list[Row]:
    for column in ("device_id", "network_id", "port_id", "security_group_id"):
        values = call.request.args.getlist(column)
        if len(values) == 1:
            return call.cloud.store.find(kind, **{column: values[0]})
    return call.cloud.store.find(kind)


def _selected(call: Call, row: Row) -> bool:
    body: Body | None = None
    for key in call.request.args:
        values = call.request.args.getlist(key)
        if key == "fixed_ips" and not _has_fixed_ips(row, values):
            return False
        if key in _NOT_FILTERS:
            continue
        body = body or view(row)
        if not any(_equal(body.get(key), value) for value in values):
            return False
    return _tagged(call, row["tags"])


def _equal(stored: Any, asked: str) -> bool:
    if isinstance(stored, bool):
        return stored is (asked.lower() in {"true", "1"})
    if stored is None:
        return asked in {"", "None", "null"}
    return str(stored) == asked


def _has_fixed_ips(row: Row, wanted: Iterable[str]) -> bool:
    pairs = [entry.partition("=") for entry in wanted]
    return all(any(str(ip.get(key)) == value for ip in row["fixed_ips"]) for key, _, value in pairs)


def _tagged(call: Call, tags: list[str]) -> bool:
    def asked(name: str) -> set[str]:
        return set((call.query(name) or "").split(",")) - {""}

    has = set(tags)
    any_of, not_all, none_of = asked("tags-any"), asked("not-tags"), asked("not-tags-any")
    return (
        asked("tags") <= has
        and (not any_of or bool(any_of & has))
        and not (not_all and not_all <= has)
        and not none_of & has
    )


def settable(asked: Body, *names: str) -> Body:
    """The named attributes of a request, as far as it has them."""
    return {name: asked[name] for name in names if name in asked}


def required(asked: Body, name: str) -> Any:
    """An attribute that must be given.

    Raises:
        ApiError: 400 without it.

    """
    if asked.get(name) in (None, ""):
        raise bad_request(
            f"Failed to parse request. Required attribute '{name}' not specified", kind="HTTPBadRequest"
        )
    return asked[name]
