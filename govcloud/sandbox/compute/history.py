"""Instance actions: how each request to a server went on, by its request id."""

from datetime import datetime

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import bad_request, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes, newest_first, page, stamp

routes = Routes("compute", "/compute/v2.1")
_UPDATED_AT = _PAGED = (2, 58)


def record(call: Call, server: Row, action: str) -> str:
    """Note that a request began; the answer is what `finish` is to be told."""
    columns = {
        "id": f"{server['id']}:{call.request_id}",
        "server_id": server["id"],
        "action": action,
        "request_id": call.request_id,
        "user_id": call.caller.user_id,
        "project_id": server["project_id"],
        "message": None,
        "finished_at": None,
    }
    return str(call.cloud.new("server_action", columns, at=call.now)["id"])


def finish(cloud: Cloud, action_id: str | None, *, at: datetime, failed: bool = False) -> None:
    """Note that it ended."""
    row = cloud.store.get("server_action", action_id) if action_id else None
    if row is not None:
        moment = at.isoformat(timespec="microseconds")
        cloud.change("server_action", row, at=at, finished_at=moment, message="Error" if failed else None)


def _summary(call: Call, row: Row) -> Body:
    shown = {key: row[key] for key in ("action", "request_id", "user_id", "project_id", "message")}
    shown |= {"instance_uuid": row["server_id"], "start_time": stamp(row["created_at"], form="micro")}
    if call.version >= _UPDATED_AT:
        shown["updated_at"] = stamp(row["updated_at"] or row["created_at"], form="micro")
    return shown


def _server(call: Call) -> Row:
    """The server, a deleted one included: its history outlives it (2.21)."""
    row = call.cloud.store.get("server", call.args["id"])
    if row is None or not call.sees(row):
        raise not_found(f"Instance {call.args['id']} could not be found.")
    return row


@routes("GET", "/servers/<id>/os-instance-actions")
def list_actions(call: Call) -> Body:
    """In pages since 2.58, which are marked by the ids of requests; their links are under a name of their own."""
    rows = newest_first(call.cloud.store.find("server_action", server_id=_server(call)["id"]))
    links: list[Body] = []
    if call.version >= _PAGED:
        rows, links = page(
            call, rows, path=call.request.path, marked_by="request_id",
            missing=lambda marker: bad_request(f"Marker {marker} could not be found."),
        )  # fmt: skip
    body: Body = {"instanceActions": [_summary(call, row) for row in rows]}
    return body | ({"links": links} if links else {})


@routes("GET", "/servers/<id>/os-instance-actions/<request>")
def show_action(call: Call) -> Body:
    row = call.cloud.store.get("server_action", f"{_server(call)['id']}:{call.args['request']}")
    if row is None:
        raise not_found(f"Action {call.args['request']} not found")
    ended = row["finished_at"]
    event = {
        "event": f"compute_{row['action']}",
        "start_time": stamp(row["created_at"], form="micro"),
        "finish_time": stamp(ended, form="micro"),
        "result": ("Error" if row["message"] else "Success") if ended else None,
    }
    return {"instanceAction": _summary(call, row) | {"events": [event]}}
