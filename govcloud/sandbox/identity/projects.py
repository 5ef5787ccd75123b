"""Projects, users, roles, assignments and application credentials."""

import secrets
import uuid
from typing import Any

from govcloud.sandbox.errors import ApiError, bad_request, conflict, forbidden, not_found
from govcloud.sandbox.identity.tokens import DOMAIN, hashed
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Body, Call, Routes

routes = Routes("identity", "/identity/v3")


def _admin(call: Call) -> None:
    if not call.caller.is_admin:
        raise forbidden("You are not authorized to perform the requested action.")


def _found(call: Call, kind: str, row_id: str) -> Row:
    row = call.cloud.store.get(kind, row_id)
    if row is None:
        raise not_found(f"Could not find {kind}: {row_id}.")
    return row


def _listed(call: Call, kind: str, view: Any = None) -> list[Body]:
    wanted: Body = {k: v for k in ("name", "domain_id", "parent_id") if (v := call.query(k)) is not None}
    if (enabled := call.query("enabled")) is not None:
        wanted["enabled"] = enabled.lower() not in {"0", "false"}
    rows = call.cloud.store.find(kind, **wanted)
    if tags := call.query("tags"):
        rows = [row for row in rows if set(tags.split(",")) <= set(row.get("tags", []))]
    return [(view or _project_view)(row) for row in rows]


def _project_view(row: Row) -> Body:
    return {k: v for k, v in row.items() if k not in {"created_at", "updated_at"}} | {"links": {}}


def _user_view(row: Row) -> Body:
    return {k: v for k, v in row.items() if k not in {"secret", "created_at", "updated_at"}} | {"links": {}}


def _same_name(call: Call, kind: str, name: str) -> None:
    if call.cloud.store.find(kind, name=name):
        raise conflict(
            f"Conflict occurred attempting to store {kind} - it is not permitted to have two {kind}s with the same "
            f"name in the same domain: {name}."
        )


@routes("GET", "/projects")
def list_projects(call: Call) -> Body:
    _admin(call)
    return {"projects": _listed(call, "project"), "links": {"next": None, "previous": None}}


@routes("POST", "/projects", status=201)
def create_project(call: Call) -> Body:
    _admin(call)
    asked = call.part("project")
    name = asked.get("name")
    if not isinstance(name, str) or not name.strip():
        raise bad_request("'name' is a required property")
    _same_name(call, "project", name)
    row = call.cloud.new(
        "project",
        {
            "id": uuid.uuid4().hex,
            "name": name,
            "description": asked.get("description", ""),
            "domain_id": asked.get("domain_id") or DOMAIN["id"],
            "parent_id": asked.get("parent_id") or DOMAIN["id"],
            "enabled": asked.get("enabled", True),
            "is_domain": False,
            "tags": asked.get("tags", []),
            "options": {},
        },
        at=call.now,
    )
    return {"project": _project_view(row)}


@routes("GET", "/projects/<id>")
def show_project(call: Call) -> Body:
    row = _found(call, "project", call.args["id"])
    if not call.caller.is_admin and call.caller.project_id != row["id"]:
        raise forbidden("You are not authorized to perform the requested action: identity:get_project.")
    return {"project": _project_view(row)}


@routes("PATCH", "/projects/<id>")
def update_project(call: Call) -> Body:
    _admin(call)
    row, asked = _found(call, "project", call.args["id"]), call.part("project")
    if asked.get("name", row["name"]) != row["name"]:
        _same_name(call, "project", asked["name"])
    known = {k: v for k, v in asked.items() if k in {"name", "description", "enabled", "tags"}}
    return {"project": _project_view(call.cloud.change("project", row, at=call.now, **known))}


@routes("DELETE", "/projects/<id>", status=204)
def delete_project(call: Call) -> None:
    """Forget the project and its assignments; what it owns elsewhere stays, as in the real cloud."""
    _admin(call)
    row = _found(call, "project", call.args["id"])
    for assignment in call.cloud.store.find("assignment", project_id=row["id"]):
        call.cloud.store.delete("assignment", assignment["id"])
    call.cloud.store.delete("project", row["id"])


@routes("GET", "/users")
def list_users(call: Call) -> Body:
    _admin(call)
    return {"users": _listed(call, "user", _user_view), "links": {}}


@routes("POST", "/users", status=201)
def create_user(call: Call) -> Body:
    _admin(call)
    asked = call.part("user")
    _same_name(call, "user", asked["name"])
    row = {
        "id": uuid.uuid4().hex,
        "name": asked["name"],
        "secret": hashed(asked.get("password") or secrets.token_hex()),
        "domain_id": DOMAIN["id"],
        "enabled": asked.get("enabled", True),
        "description": asked.get("description", ""),
        "options": asked.get("options", {}),
        "password_expires_at": None,
    }
    return {"user": _user_view(call.cloud.new("user", row, at=call.now))}


@routes("GET", "/users/<id>")
def show_user(call: Call) -> Body:
    row = _found(call, "user", call.args["id"])
    if not call.caller.is_admin and call.caller.user_id != row["id"]:
        raise forbidden("You are not authorized to perform the requested action: identity:get_user.")
    return {"user": _user_view(row)}


@routes("PATCH", "/users/<id>")
def update_user(call: Call) -> Body:
    """Another password ends the tokens that were got with the one before."""
    _admin(call)
    row, asked = _found(call, "user", call.args["id"]), call.part("user")
    known = {k: v for k, v in asked.items() if k in {"name", "enabled", "description", "options"}}
    if "password" in asked:
        known["secret"] = hashed(asked["password"])
        _end_tokens(call, row["id"])
    return {"user": _user_view(call.cloud.change("user", row, at=call.now, **known))}


def _end_tokens(call: Call, user_id: str) -> None:
    for token in call.cloud.store.find("token"):
        if token["user_id"] == user_id:
            call.cloud.store.delete("token", token["id"])


@routes("DELETE", "/users/<id>", status=204)
def delete_user(call: Call) -> None:
    _admin(call)
    row = _found(call, "user", call.args["id"])
    for assignment in call.cloud.store.find("assignment", user_id=row["id"]):
        call.cloud.store.delete("assignment", assignment["id"])
    _end_tokens(call, row["id"])
    call.cloud.store.delete("user", row["id"])


@routes("GET", "/users/<id>/projects")
def projects_of_user(call: Call) -> Body:
    ids = {row["project_id"] for row in call.cloud.store.find("assignment", user_id=call.args["id"])}
    return {"projects": [_project_view(row) for row in call.cloud.store.find("project") if row["id"] in ids]}


@routes("POST", "/users/<id>/application_credentials", status=201)
def create_application_credential(call: Call) -> Body:
    """A secret bound to the caller's own project."""
    if call.caller.user_id != call.args["id"]:
        raise forbidden("You are not authorized to perform the requested action.")
    asked = call.part("application_credential")
    secret = asked.get("secret") or secrets.token_urlsafe(48)
    row = {
        "id": uuid.uuid4().hex,
        "name": asked["name"],
        "secret": hashed(secret),
        "user_id": call.caller.user_id,
        "project_id": call.project,
    }
    call.cloud.new("application_credential", row, at=call.now)
    shown = {k: row[k] for k in ("id", "name", "project_id")} | {
        "secret": secret,
        "unrestricted": False,
        "roles": [],
    }
    return {"application_credential": shown}


@routes("GET", "/domains")
def list_domains(_call: Call) -> Body:
    return {"domains": [DOMAIN | {"enabled": True, "description": "The default domain"}], "links": {}}


@routes("GET", "/domains/<id>")
def show_domain(call: Call) -> Body:
    if call.args["id"] != DOMAIN["id"]:
        raise not_found(f"Could not find domain: {call.args['id']}.")
    return {"domain": DOMAIN | {"enabled": True, "description": "The default domain"}}


@routes("GET", "/regions")
def list_regions(_call: Call) -> Body:
    return {"regions": [{"id": "RegionOne", "description": "", "parent_region_id": None}], "links": {}}


@routes("GET", "/roles")
def list_roles(call: Call) -> Body:
    _admin(call)
    return {"roles": _listed(call, "role"), "links": {}}


@routes("GET", "/roles/<id>")
def show_role(call: Call) -> Body:
    return {"role": _project_view(_found(call, "role", call.args["id"]))}


@routes("POST", "/roles", status=201)
def create_role(call: Call) -> Body:
    _admin(call)
    name = call.part("role")["name"]
    _same_name(call, "role", name)
    row = {"id": uuid.uuid4().hex, "name": name, "domain_id": None, "description": None, "options": {}}
    return {"role": _project_view(call.cloud.new("role", row, at=call.now))}


def _assignment(call: Call) -> str:
    _found(call, "project", call.args["project"])
    _found(call, "user", call.args["user"])
    _found(call, "role", call.args["role"])
    return ":".join((call.args["project"], call.args["user"], call.args["role"]))


@routes("PUT", "/projects/<project>/users/<user>/roles/<role>", status=204)
def assign(call: Call) -> None:
    _admin(call)
    row_id = _assignment(call)
    row = {
        "id": row_id,
        "project_id": call.args["project"],
        "user_id": call.args["user"],
        "role_id": call.args["role"],
    }
    call.cloud.store.save("assignment", row)


@routes("HEAD", "/projects/<project>/users/<user>/roles/<role>", status=204)
def is_assigned(call: Call) -> Answer:
    _admin(call)
    if call.cloud.store.get("assignment", _assignment(call)) is None:
        raise ApiError(404, f"Could not find role assignment with role: {call.args['role']}.")
    return Answer(204)


@routes("DELETE", "/projects/<project>/users/<user>/roles/<role>", status=204)
def unassign(call: Call) -> None:
    _admin(call)
    row_id = _assignment(call)
    if call.cloud.store.get("assignment", row_id) is None:
        raise not_found(f"Could not find role assignment with role: {call.args['role']}.")
    call.cloud.store.delete("assignment", row_id)


@routes("GET", "/projects/<project>/users/<user>/roles")
def roles_in_project(call: Call) -> Body:
    rows = call.cloud.store.find("assignment", project_id=call.args["project"], user_id=call.args["user"])
    return {"roles": [_project_view(_found(call, "role", row["role_id"])) for row in rows], "links": {}}


@routes("GET", "/role_assignments")
def list_assignments(call: Call) -> Body:
    _admin(call)
    columns = {"user.id": "user_id", "scope.project.id": "project_id", "role.id": "role_id"}
    wanted = {column: v for name, column in columns.items() if (v := call.query(name)) is not None}
    shown = [
        {
            "role": {"id": row["role_id"]},
            "user": {"id": row["user_id"]},
            "scope": {"project": {"id": row["project_id"]}},
            "links": {},
        }
        for row in call.cloud.store.find("assignment", **wanted)
    ]
    return {"role_assignments": shown, "links": {}}
