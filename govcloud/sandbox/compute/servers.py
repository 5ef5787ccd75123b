"""Servers: listed, shown, changed, deleted. Their making is in `building`."""

import re
from datetime import UTC, datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.compute import history, views
from govcloud.sandbox.compute.building import build
from govcloud.sandbox.compute.states import status_of
from govcloud.sandbox.errors import ApiError, bad_request, conflict, not_found
from govcloud.sandbox.network import ports
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.volume import attachments
from govcloud.sandbox.web import Answer, Body, Call, Routes, matches_name, newest_first, page

routes = Routes("compute", "/compute/v2.1")


def missing(server_id: str) -> ApiError:
    """Nova's 404 for a server."""
    return not_found(f"Instance {server_id} could not be found.")


def found(call: Call, server_id: str) -> Row:
    """A server the caller may see; deleted ones are gone.

    Raises:
        ApiError: 404 otherwise.

    """
    row = call.cloud.store.get("server", server_id)
    if row is None or row["deleted"] or not call.sees(row):
        raise missing(server_id)
    return row


@routes("GET", "/servers")
def list_servers(call: Call) -> Body:
    return _list(call, detail=False)


@routes("GET", "/servers/detail")
def list_servers_detail(call: Call) -> Body:
    return _list(call, detail=True)


def _list(call: Call, *, detail: bool) -> Body:
    rows = newest_first([row for row in _candidates(call) if _selected(call, row)])
    chosen, links = page(
        call, rows, path=call.request.path, missing=lambda marker: bad_request(f"marker [{marker}] not found")
    )
    show = views.detail if detail else views.summary
    body: Body = {"servers": [show(call, row) for row in chosen]}
    return body | ({"servers_links": links} if links else {})


def _candidates(call: Call) -> list[Row]:
    if call.caller.is_admin and call.flag("all_tenants", "all_projects"):
        project = call.query("project_id") or call.query("tenant_id")
        return call.cloud.store.find("server", **({"project_id": project} if project else {}))
    return call.cloud.store.find("server", project_id=call.project)


def _selected(call: Call, row: Row) -> bool:
    return _alive_or_changed(call, row) and _has_attributes(call, row) and _is_tagged(call, row)


def _alive_or_changed(call: Call, row: Row) -> bool:
    changed = _moment(row["updated_at"] or row["created_at"])
    if since := call.query("changes-since"):
        return changed >= _moment(since)
    if (before := call.query("changes-before")) and changed > _moment(before):
        return False
    if call.caller.is_admin and call.query("deleted") is not None:
        return bool(row["deleted"]) is call.flag("deleted")
    return not row["deleted"]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_request(f"Invalid input for query parameters changes-since. Value: {text}.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _has_attributes(call: Call, row: Row) -> bool:
    if (status := call.query("status")) is not None and status_of(row) != status.upper():
        return False
    if not matches_name(row, call.query("name")):
        return False
    for key, value in (
        ("flavor", row["flavor"]["id"]),
        ("image", row["image_id"]),
        ("uuid", row["id"]),
        ("key_name", row["key_name"]),
        ("availability_zone", row["availability_zone"]),
        ("host", row["host"]),
        ("user_id", row["user_id"]),
    ):
        if (wanted := call.query(key)) is not None and wanted != value:
            return False
    if (pattern := call.query("ip")) is None:
        return True
    addresses = [
        ip["ip_address"] for p in call.cloud.store.find("port", device_id=row["id"]) for ip in p["fixed_ips"]
    ]
    return any(re.search(pattern, address) for address in addresses)


def _is_tagged(call: Call, row: Row) -> bool:
    def asked(name: str) -> set[str]:
        return set((call.query(name) or "").split(",")) - {""}

    has = set(row["tags"])
    any_of, not_all, none_of = asked("tags-any"), asked("not-tags"), asked("not-tags-any")
    return (
        asked("tags") <= has
        and (not any_of or bool(any_of & has))
        and not (not_all and not_all <= has)
        and not none_of & has
    )


@routes("POST", "/servers", status=202)
def create_server(call: Call) -> Answer:
    """Accept a server. The answer carries the administrator's password, as Nova's does."""
    row = build(call, call.part("server"))
    shown: Body = {
        "id": row["id"],
        "links": views.links(call, "servers", row["id"]),
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": [{"name": "default"}],
        "adminPass": row["id"].replace("-", "")[:12],
    }
    return Answer(202, {"server": shown}, {"Location": shown["links"][0]["href"]})


@routes("GET", "/servers/<id>")
def show_server(call: Call) -> Body:
    return {"server": views.detail(call, found(call, call.args["id"]))}


@routes("PUT", "/servers/<id>")
def update_server(call: Call) -> Body:
    row, asked = found(call, call.args["id"]), call.part("server")
    columns = {key: asked[key] for key in ("name", "description") if key in asked}
    if columns.get("name") == "":
        raise bad_request("Invalid input for field/attribute name. Value: . '' should be non-empty")
    return {"server": views.detail(call, call.cloud.change("server", row, at=call.now, **columns))}


@routes("DELETE", "/servers/<id>", status=204)
def delete_server(call: Call) -> None:
    """Start the deletion; the server is gone after a while."""
    row = found(call, call.args["id"])
    if row["locked"]:
        raise conflict(f"Instance {row['id']} is locked")
    start_deletion(call, row)


def start_deletion(call: Call, row: Row) -> None:
    """Put a server into task `deleting`."""
    call.cloud.change("server", row, at=call.now, task_state="deleting")
    action_id = history.record(call, row, "delete")
    if call.outcome != "stuck":
        seconds = call.cloud.timing.delete_seconds
        call.cloud.timeline.schedule(
            "server.gone", call.now, seconds=seconds, server_id=row["id"], action_id=action_id
        )


@transition("server.gone")
def _gone(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = cloud.store.get("server", args["server_id"])
    if row is None or row["deleted"]:
        return
    cloud.guests.stop(row["id"])
    for attachment in cloud.store.find("attachment", server_id=row["id"]):
        attachments.release(cloud, attachment, at=at)
        volume = cloud.store.get("volume", attachment["volume_id"])
        if attachment["delete_on_termination"] and volume is not None:
            cloud.change("volume", volume, at=at, status="deleting")
            cloud.timeline.schedule(
                "volume.gone", at, seconds=cloud.timing.volume_seconds, volume_id=volume["id"]
            )
    for port in cloud.store.find("port", device_id=row["id"]):
        if port["id"] in row["own_ports"]:
            ports.remove(cloud, port, at=at)
        else:
            ports.unbind(cloud, port, at=at)
    cloud.guests.disks.remove(("server", row["id"]))
    moment = at.isoformat(timespec="microseconds")
    cloud.change(
        "server",
        row,
        at=at,
        vm_state="deleted",
        task_state=None,
        deleted=True,
        terminated_at=moment,
        power_state=0,
    )
    history.finish(cloud, args["action_id"], at=at)


@routes("GET", "/servers/<id>/ips")
def list_addresses(call: Call) -> Body:
    return {"addresses": views.detail(call, found(call, call.args["id"]))["addresses"]}


@routes("GET", "/servers/<id>/metadata")
def show_metadata(call: Call) -> Body:
    return {"metadata": found(call, call.args["id"])["metadata"]}


@routes("POST", "/servers/<id>/metadata")
def add_metadata(call: Call) -> Body:
    row = found(call, call.args["id"])
    merged = row["metadata"] | call.part("metadata")
    return {"metadata": call.cloud.change("server", row, at=call.now, metadata=merged)["metadata"]}


@routes("PUT", "/servers/<id>/metadata")
def replace_metadata(call: Call) -> Body:
    row = found(call, call.args["id"])
    return {
        "metadata": call.cloud.change("server", row, at=call.now, metadata=call.part("metadata"))["metadata"]
    }


@routes("DELETE", "/servers/<id>/metadata/<key>", status=204)
def delete_metadata(call: Call) -> None:
    row = found(call, call.args["id"])
    if call.args["key"] not in row["metadata"]:
        raise not_found("Metadata item was not found")
    rest = {key: value for key, value in row["metadata"].items() if key != call.args["key"]}
    call.cloud.change("server", row, at=call.now, metadata=rest)


@routes("GET", "/servers/<id>/tags")
def show_tags(call: Call) -> Body:
    return {"tags": found(call, call.args["id"])["tags"]}


@routes("PUT", "/servers/<id>/tags")
def replace_tags(call: Call) -> Body:
    row = found(call, call.args["id"])
    tags = sorted(set(call.json.get("tags", [])))
    return {"tags": call.cloud.amend("server", row, tags=tags)["tags"]}


@routes("DELETE", "/servers/<id>/tags", status=204)
def clear_tags(call: Call) -> None:
    call.cloud.amend("server", found(call, call.args["id"]), tags=[])


@routes("PUT", "/servers/<id>/tags/<tag>")
def add_tag(call: Call) -> Answer:
    row = found(call, call.args["id"])
    is_new = call.args["tag"] not in row["tags"]
    call.cloud.amend("server", row, tags=sorted({*row["tags"], call.args["tag"]}))
    return Answer(201 if is_new else 204)


@routes("GET", "/servers/<id>/tags/<tag>", status=204)
def has_tag(call: Call) -> None:
    row = found(call, call.args["id"])
    if call.args["tag"] not in row["tags"]:
        raise not_found(f"Server {row['id']} has no tag '{call.args['tag']}'")


@routes("DELETE", "/servers/<id>/tags/<tag>", status=204)
def remove_tag(call: Call) -> None:
    has_tag(call)
    row = found(call, call.args["id"])
    rest = [tag for tag in row["tags"] if tag != call.args["tag"]]
    call.cloud.amend("server", row, tags=rest)
