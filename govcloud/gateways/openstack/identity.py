"""Projects, roles and users (Keystone v3)."""

from typing import Any
from urllib.parse import quote

from govcloud.gateways.openstack.errors import NotFound
from govcloud.gateways.openstack.models import Project, User
from govcloud.gateways.openstack.transport import Transport

_SERVICE = "identity"


class Identity:
    """Each method is one request; each raises ``CloudError`` kinds as ``errors`` tells."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_project(self, project_id: str) -> Project:
        """A project by its id, which may be anything that somebody has typed. Raises ``NotFound``."""
        body = self._transport.get(_SERVICE, f"/projects/{quote(project_id, safe='')}").get("project")
        if body is None:  # nothing at all was typed: it was the list
            raise NotFound(f"no project has the id {project_id!r}", service=_SERVICE)
        return _project(body)

    def find_project(self, *, name: str, domain_id: str = "default") -> Project | None:
        """The project of this name (unique within its domain), or ``None``."""
        query = {"name": name, "domain_id": domain_id}
        found = self._transport.pages(_SERVICE, "/projects", key="projects", params=query)
        return next((_project(body) for body in found), None)

    def create_project(self, *, name: str, description: str = "", domain_id: str = "default") -> Project:
        """A new project. Raises ``Conflict`` when the name is taken."""
        body = {"name": name, "description": description, "domain_id": domain_id, "enabled": True}
        return _project(
            self._transport.send(_SERVICE, "POST", "/projects", json={"project": body}).body["project"]
        )

    def set_project_enabled(self, project_id: str, *, enabled: bool) -> Project:
        """Close a project to every token, or open it again. What runs in it goes on running."""
        change = {"project": {"enabled": enabled}}
        return _project(
            self._transport.send(_SERVICE, "PATCH", f"/projects/{project_id}", json=change).body["project"]
        )

    def delete_project(self, project_id: str) -> None:
        """Delete a project. The other services do not notice: what it held must be gone before."""
        self._transport.send(_SERVICE, "DELETE", f"/projects/{project_id}")

    def find_role(self, *, name: str) -> str | None:
        """The id of a role, or ``None``."""
        found = self._transport.pages(_SERVICE, "/roles", key="roles", params={"name": name})
        return next((str(body["id"]) for body in found), None)

    def grant_role(self, *, project_id: str, role_id: str, user_id: str) -> None:
        """Give a user a role on a project. Granting twice is granting once."""
        self._transport.send(_SERVICE, "PUT", f"/projects/{project_id}/users/{user_id}/roles/{role_id}")

    def revoke_role(self, *, project_id: str, role_id: str, user_id: str) -> None:
        """Take a role away again. Raises ``NotFound`` when it was not granted."""
        self._transport.send(_SERVICE, "DELETE", f"/projects/{project_id}/users/{user_id}/roles/{role_id}")

    def has_role(self, *, project_id: str, role_id: str, user_id: str) -> bool:
        """Whether the user has this role on the project itself (not by inheritance or group)."""
        query = {"user.id": user_id, "role.id": role_id, "scope.project.id": project_id}
        found = self._transport.pages(_SERVICE, "/role_assignments", key="role_assignments", params=query)
        return any(True for _ in found)

    def find_user(self, *, name: str, domain_id: str = "default") -> User | None:
        """The user of this name (unique within its domain), or ``None``."""
        query = {"name": name, "domain_id": domain_id}
        found = self._transport.pages(_SERVICE, "/users", key="users", params=query)
        return next((User(body["id"], body["name"]) for body in found), None)

    def get_user(self, user_id: str) -> User:
        """A user by its id. Raises ``NotFound``."""
        body = self._transport.get(_SERVICE, f"/users/{user_id}")["user"]
        return User(body["id"], body["name"])

    def create_user(
        self, *, name: str, password: str, description: str = "", domain_id: str = "default"
    ) -> User:
        """A new user, who is no person: nobody makes it change its password first. Raises ``Conflict`` when the name is taken."""
        body = {
            "name": name,
            "password": password,
            "description": description,
            "domain_id": domain_id,
            "enabled": True,
            "options": {"ignore_change_password_upon_first_use": True},
        }
        made = self._transport.send(_SERVICE, "POST", "/users", json={"user": body}).body["user"]
        return User(made["id"], made["name"])

    def set_password(self, user_id: str, password: str) -> None:
        """Give a user another password, which ends the one before.

        Services go on taking tokens got with that one for as long as they keep what Keystone said of them (five minutes). One
        got in the very second of the change is refused.
        """
        self._transport.send(_SERVICE, "PATCH", f"/users/{user_id}", json={"user": {"password": password}})

    def delete_user(self, user_id: str) -> None:
        """Delete a user with all its roles and tokens."""
        self._transport.send(_SERVICE, "DELETE", f"/users/{user_id}")


def _project(body: dict[str, Any]) -> Project:
    return Project(
        id=body["id"],
        name=body["name"],
        description=body.get("description") or "",
        enabled=body["enabled"],
        domain_id=body["domain_id"],
    )
