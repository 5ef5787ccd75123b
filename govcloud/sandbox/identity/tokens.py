"""Tokens: issued for a password, another token or an application credential; scoped to a project the user has a role in."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, bad_request, not_found, unauthorized
from govcloud.sandbox.identity.catalog import catalog
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Body, Call, Caller, Routes, stamp

routes = Routes("identity", "/identity/v3")
DOMAIN = {"id": "default", "name": "Default"}


def hashed(secret: str) -> str:
    """What is kept of a password."""
    return hashlib.sha256(secret.encode()).hexdigest()


def roles_of(cloud: Cloud, user_id: str, project_id: str | None) -> list[Row]:
    """The roles a user has in a project; in the whole system (None) those of any project, if admin is among them."""
    where = {"user_id": user_id} if project_id is None else {"project_id": project_id, "user_id": user_id}
    ids = {row["role_id"] for row in cloud.store.find("assignment", **where)}
    roles = [role for role_id in sorted(ids) if (role := cloud.store.get("role", role_id))]
    return [role for role in roles if project_id is not None or role["name"] == "admin"]


def caller_of(cloud: Cloud, token_id: str | None, *, at: datetime) -> Caller:
    """Who the token speaks for.

    Raises:
        ApiError: 401 when it is missing, unknown, revoked, expired, or its scope is gone.

    """
    row = cloud.store.get("token", token_id) if token_id else None
    if row is None or row["expires_at"] <= at.isoformat(timespec="microseconds"):
        raise unauthorized(cloud.base_url + "/identity")
    project_id = row["project_id"]
    roles = roles_of(cloud, row["user_id"], project_id) if row["scope"] != "none" else []
    if row["scope"] == "project" and not (roles and cloud.store.get("project", project_id)):
        raise unauthorized(cloud.base_url + "/identity")
    return Caller(row["user_id"], project_id, frozenset(role["name"] for role in roles))


def project_of(cloud: Cloud, token_id: str | None) -> str | None:
    """The project a token is scoped to, if it is one of ours; never raises."""
    with cloud.lock:
        row = cloud.store.get("token", token_id) if token_id else None
    return row["project_id"] if row else None


@routes("POST", "/auth/tokens", status=201, public=True)
def issue(call: Call) -> Answer:
    """Authenticate and scope."""
    auth = call.part("auth")
    identity = auth.get("identity")
    if not isinstance(identity, dict) or not identity.get("methods"):
        raise bad_request("Expecting to find identity in auth.")
    user, methods, bound = _identified(call, identity)
    scope, project = _scope(call, auth.get("scope"), user, bound)
    issued = call.now
    expires = issued + timedelta(seconds=call.cloud.timing.token_seconds)
    row = call.cloud.store.save(
        "token",
        {
            "id": "gAAAAA" + secrets.token_urlsafe(60),
            "user_id": user["id"],
            "project_id": project["id"] if project else None,
            "scope": scope,
            "methods": methods,
            "audit_id": secrets.token_urlsafe(16),
            "issued_at": issued.isoformat(timespec="microseconds"),
            "expires_at": expires.isoformat(timespec="microseconds"),
        },
    )
    _forget_expired(call)
    return Answer(201, _view(call, row), {"X-Subject-Token": row["id"], "Vary": "X-Auth-Token"})


@routes("GET", "/auth/tokens")
@routes("HEAD", "/auth/tokens")
def validate(call: Call) -> Answer:
    """Tell what a token is good for."""
    row = _subject(call)
    return Answer(200, _view(call, row), {"X-Subject-Token": row["id"]})


@routes("DELETE", "/auth/tokens", status=204)
def revoke(call: Call) -> None:
    """End a token before its time."""
    call.cloud.store.delete("token", _subject(call)["id"])


@routes("GET", "/auth/catalog")
def show_catalog(call: Call) -> Body:
    """The catalogue for the caller's scope."""
    return {"catalog": catalog(call.cloud, call.caller.project_id), "links": {}}


@routes("GET", "/auth/projects")
def scopable(call: Call) -> Body:
    """Projects the caller could scope to."""
    ids = {row["project_id"] for row in call.cloud.store.find("assignment", user_id=call.caller.user_id)}
    projects = [row for row in call.cloud.store.find("project") if row["id"] in ids]
    return {"projects": projects, "links": {"self": call.link("/identity/v3/auth/projects")}}


def _identified(call: Call, identity: Body) -> tuple[Row, list[str], str | None]:
    """The user, the methods used, and the project an application credential binds to."""
    methods = identity["methods"]
    denied = unauthorized(call.cloud.base_url + "/identity")
    if "password" in methods:
        claim = identity.get("password", {}).get("user", {})
        user = _user(call, claim)
        if user is None or not hmac.compare_digest(user["secret"], hashed(str(claim.get("password", "")))):
            raise denied
        return user, methods, None
    if "token" in methods:
        row = call.cloud.store.get("token", str(identity.get("token", {}).get("id")))
        if row is None or row["expires_at"] <= call.now.isoformat(timespec="microseconds"):
            raise denied
        user = call.cloud.store.get("user", row["user_id"])
        if user is None:
            raise denied
        return user, sorted({*row["methods"], "token"}), None
    if "application_credential" in methods:
        return _by_application_credential(call, identity["application_credential"], denied)
    raise bad_request(f"Attempted to authenticate with an unsupported method: {methods}.")


def _by_application_credential(call: Call, claim: Body, denied: ApiError) -> tuple[Row, list[str], str]:
    owner = _user(call, claim.get("user", {}))
    for row in call.cloud.store.find("application_credential"):
        named = owner is not None and row["user_id"] == owner["id"] and row["name"] == claim.get("name")
        right = hmac.compare_digest(row["secret"], hashed(str(claim.get("secret", ""))))
        user = call.cloud.store.get("user", row["user_id"])
        if (row["id"] == claim.get("id") or named) and right and user is not None:
            return user, ["application_credential"], row["project_id"]
    raise denied


def _user(call: Call, claim: Body) -> Row | None:
    if "id" in claim:
        return call.cloud.store.get("user", claim["id"])
    return next(iter(call.cloud.store.find("user", name=claim.get("name"))), None)


def _scope(call: Call, scope: Any, user: Row, bound: str | None) -> tuple[str, Row | None]:
    if bound is not None:
        return "project", call.cloud.store.get("project", bound)
    if isinstance(scope, dict) and "system" in scope:
        if not roles_of(call.cloud, user["id"], None):
            raise unauthorized(call.cloud.base_url + "/identity")
        return "system", None
    if not isinstance(scope, dict) or "project" not in scope:
        return "none", None
    claim = scope["project"]
    if "id" in claim:
        project = call.cloud.store.get("project", claim["id"])
    else:
        project = next(iter(call.cloud.store.find("project", name=claim.get("name"))), None)
    allowed = project is not None and project["enabled"] and roles_of(call.cloud, user["id"], project["id"])
    if not allowed:
        raise unauthorized(call.cloud.base_url + "/identity")
    return "project", project


def _subject(call: Call) -> Row:
    row = call.cloud.store.get("token", call.request.headers.get("X-Subject-Token", ""))
    if row is None or row["expires_at"] <= call.now.isoformat(timespec="microseconds"):
        raise not_found("Could not find token.")
    return row


def _view(call: Call, row: Row) -> Body:
    user = call.cloud.store.get("user", row["user_id"]) or {"id": row["user_id"], "name": ""}
    token: Body = {
        "methods": row["methods"],
        "user": {"domain": DOMAIN, "id": user["id"], "name": user["name"], "password_expires_at": None},
        "audit_ids": [row["audit_id"]],
        "expires_at": f"{stamp(row['expires_at'], form='micro')}Z",
        "issued_at": f"{stamp(row['issued_at'], form='micro')}Z",
    }
    if row["scope"] == "none":
        return {"token": token}
    if row["scope"] == "system":
        token["system"] = {"all": True}
    elif project := call.cloud.store.get("project", row["project_id"]):
        token["project"] = {"domain": DOMAIN, "id": project["id"], "name": project["name"]}
        token["is_domain"] = False
    roles = roles_of(call.cloud, row["user_id"], row["project_id"])
    token["roles"] = [{"id": role["id"], "name": role["name"]} for role in roles]
    token["catalog"] = catalog(call.cloud, row["project_id"])
    return {"token": token}


def _forget_expired(call: Call) -> None:
    limit = call.now.isoformat(timespec="microseconds")
    for row in call.cloud.store.find("token"):
        if row["expires_at"] > limit:
            return
        call.cloud.store.delete("token", row["id"])
