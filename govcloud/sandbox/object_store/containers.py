"""Accounts and containers."""

import json
from urllib.parse import unquote

from govcloud.sandbox.errors import bad_request, conflict, not_found
from govcloud.sandbox.object_store.access import container_of, opened, owned
from govcloud.sandbox.object_store.objects import forget
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Body, Call, Routes

routes = Routes("object-store", "/object-store/v1/AUTH_<project>")
POLICIES = ("object",)
_PAGE = 10_000
_META = "x-container-meta-"
_MOST_AT_ONCE = 10_000


@routes("HEAD", "", status=204)
def head_account(call: Call) -> Answer:
    """Accounts come into being by themselves."""
    owned(call)
    rows = call.cloud.store.find("container", project_id=call.args["project"])
    headers = {
        "X-Account-Container-Count": str(len(rows)),
        "X-Account-Object-Count": str(sum(row["objects"] for row in rows)),
        "X-Account-Bytes-Used": str(sum(row["bytes_used"] for row in rows)),
    }
    return Answer(204, None, headers)


@routes("GET", "")
def list_containers(call: Call) -> Answer:
    owned(call)
    rows = call.cloud.store.find("container", project_id=call.args["project"])
    shown = [{"name": row["name"], "count": row["objects"], "bytes": row["bytes_used"]} for row in rows]
    return listing(call, shown)


@routes("POST", "")
def bulk_delete(call: Call) -> Answer:
    """With ``?bulk-delete``: a list of ``container/object``, one a line, each judged by itself."""
    if "bulk-delete" not in call.request.args:
        owned(call)
        return Answer(204)
    lines = call.request.get_data().decode().split()
    if len(lines) > _MOST_AT_ONCE:
        raise bad_request(f"Maximum Bulk Deletes: {_MOST_AT_ONCE} per request")
    deleted = 0
    for line in lines:
        container, _slash, name = unquote(line).strip("/").partition("/")
        row = opened(call, container, to_write=True)
        deleted += forget(call, row, name)
    report = {"Number Deleted": deleted, "Number Not Found": len(lines) - deleted, "Response Body": ""}
    status = "200 OK" if deleted or not lines else "404 Not Found"
    return Answer(200, {**report, "Response Status": status, "Errors": []})


@routes("PUT", "/<container>", status=201)
def put_container(call: Call) -> Answer:
    """Make one, or change the headers of one that is there."""
    owned(call)
    row = container_of(call, call.args["container"])
    policy = call.request.headers.get("X-Storage-Policy")
    if policy is not None and policy not in POLICIES:
        raise bad_request(f"Invalid X-Storage-Policy '{policy}'")
    status = 202
    if row is None:
        columns: Body = {
            "project_id": call.args["project"],
            "name": call.args["container"],
            "policy": policy or POLICIES[0],
            "meta": {},
            "read": "",
            "write": "",
            "objects": 0,
            "bytes_used": 0,
        }
        row, status = call.cloud.new("container", columns, at=call.now), 201
    _take_headers(call, row)
    page = b"<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>"
    return Answer(status, page if status == 202 else None, content_type="text/html; charset=UTF-8")


@routes("POST", "/<container>", status=204)
def post_container(call: Call) -> None:
    owned(call)
    row = container_of(call, call.args["container"])
    if row is None:
        raise not_found("The resource could not be found.")
    _take_headers(call, row)


def _take_headers(call: Call, row: Row) -> None:
    """Metadata and access lists; an empty value takes an entry away."""
    meta = dict(row["meta"])
    for name, value in call.request.headers.items():
        key = name.lower().removeprefix(_META)
        if key == name.lower():
            continue
        if key == "quota-bytes" and value and not value.isdigit():
            raise bad_request("Invalid bytes quota.")
        meta.pop(key, None)
        if value:
            meta[key] = value
    headers = call.request.headers
    lists = {
        column: headers[header].replace(" ", "")
        for column, header in (("read", "X-Container-Read"), ("write", "X-Container-Write"))
        if header in headers
    }
    call.cloud.change("container", row, at=call.now, meta=meta, **lists)


@routes("HEAD", "/<container>", status=204)
def head_container(call: Call) -> Answer:
    row = opened(call, call.args["container"])
    return Answer(204, None, _headers(call, row))


@routes("GET", "/<container>")
def list_objects(call: Call) -> Answer:
    row = opened(call, call.args["container"])
    prefix = call.query("prefix") or ""
    rows = call.cloud.store.find("object", container_id=row["id"])
    shown = [
        {"name": each["name"], "bytes": each["size"], "hash": each["etag"], "content_type": each["type"]}
        for each in rows
        if each["name"].startswith(prefix)
    ]
    answer = listing(call, shown)
    answer.headers |= _headers(call, row)
    return answer


def _headers(call: Call, row: Row) -> dict[str, str]:
    """Who is let in is told to operators only."""
    headers = {f"X-Container-Meta-{key.title()}": value for key, value in row["meta"].items()}
    headers |= {
        "X-Container-Object-Count": str(row["objects"]),
        "X-Container-Bytes-Used": str(row["bytes_used"]),
        "X-Storage-Policy": row["policy"],
    }
    if call.caller.project_id == row["project_id"]:
        lists = {"X-Container-Read": row["read"], "X-Container-Write": row["write"]}
        headers |= {name: value for name, value in lists.items() if value}
    return headers


@routes("DELETE", "/<container>", status=204)
def delete_container(call: Call) -> None:
    owned(call)
    row = container_of(call, call.args["container"])
    if row is None:
        raise not_found("The resource could not be found.")
    if row["objects"]:
        raise conflict("There was a conflict when trying to complete your request.")
    call.cloud.store.delete("container", row["id"])


def listing(call: Call, rows: list[Body]) -> Answer:
    """By name, cut by ``marker`` and ``limit``; plain text unless JSON is asked for."""
    limit, marker = call.query("limit") or str(_PAGE), call.query("marker") or ""
    if not limit.isdigit() or int(limit) > _PAGE:
        raise bad_request(f"Maximum limit is {_PAGE}") if limit.isdigit() else bad_request("Invalid limit")
    rows = sorted((row for row in rows if row["name"] > marker), key=lambda row: row["name"])[: int(limit)]
    accepts = call.request.headers.get("Accept", "")
    if call.query("format") == "json" or (call.query("format") is None and "json" in accepts):
        return Answer(200, json.dumps(rows).encode(), content_type="application/json; charset=utf-8")
    text = "".join(f"{row['name']}\n" for row in rows).encode()
    return Answer(200, text, content_type="text/plain; charset=utf-8") if text else Answer(204)
