"""Object containers (Swift v1).

A container is made by PUT: on one that is there already the same request changes its headers, so look before making one.
Ids are names, unique within a project. Requests go to the account of the project that we are scoped to.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.transport import Transport

_SERVICE = "object-store"
_META = "x-container-meta-"


class ObjectStore:
    """Making and changing containers needs a role that Swift's operators named (``operator_roles``)."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def containers_held(self) -> int:
        """How many containers the project has."""
        headers = self._transport.head(_SERVICE, "")
        return int(headers.get("x-account-container-count", 0))

    def url(self, name: str) -> str:
        """The address of a container, for whoever is let in."""
        return f"{self._transport.endpoint(_SERVICE)}/{quote(name)}"

    def get_container(self, name: str) -> models.Container:
        """A container by its name, with what it holds. Raises ``NotFound``."""
        return _container(name, self._transport.head(_SERVICE, _path(name)))

    def create_container(
        self, name: str, *, quota_bytes: int, policy: str, metadata: Mapping[str, str]
    ) -> None:
        """Make one that only its project can reach. Raises ``Refused`` for a policy that the cloud does not have."""
        headers = {f"{_META}{key}": value for key, value in metadata.items()}
        headers |= {f"{_META}quota-bytes": str(quota_bytes), "x-storage-policy": policy}
        self._transport.send(_SERVICE, "PUT", _path(name), headers=headers)

    def set_quota(self, name: str, *, quota_bytes: int) -> None:
        """What it may hold; less than it holds is accepted, and refuses what is written from then on."""
        headers = {f"{_META}quota-bytes": str(quota_bytes)}
        self._transport.send(_SERVICE, "POST", _path(name), headers=headers)

    def set_access(self, name: str, *, read: Sequence[str], write: Sequence[str]) -> None:
        """Let in exactly these users, each as ``<project>:<user>`` by ids: whoever signs in to that project as that user."""
        headers = {"x-container-read": ",".join(read), "x-container-write": ",".join(write)}
        self._transport.send(_SERVICE, "POST", _path(name), headers=headers)

    def delete_container(self, name: str) -> None:
        """Delete an empty container. Raises ``Conflict`` while it holds objects."""
        self._transport.send(_SERVICE, "DELETE", _path(name))

    def object_names(self, name: str, *, most: int) -> list[str]:
        """The first objects of a container, by name. The list may lag behind what was written or deleted a moment ago."""
        body = self._transport.get(_SERVICE, _path(name), params={"format": "json", "limit": most})
        return [row["name"] for row in body["rows"]]

    def delete_objects(self, name: str, objects: Sequence[str]) -> int:
        """Delete so many at once (Swift's bulk deletion, 10,000 at most); gives how many there were.

        Raises ``Refused`` where the cloud cannot do it, or refused one of them, and ``OutcomeUnknown`` where it failed.
        """
        lines = "\n".join(_line(f"{name}/{each}") for each in objects)
        answer = self._transport.send(
            _SERVICE, "POST", "?bulk-delete", data=lines.encode(), headers={"Content-Type": "text/plain"}
        )
        body = answer.body
        if "Number Deleted" not in body:
            raise errors.Refused("the cloud has no bulk deletion of objects", service=_SERVICE)
        left = [said for _name, said in body.get("Errors", ())]
        said = next(iter(left), str(body.get("Response Status", "")))
        if left or not said.startswith(("200", "404")):  # 404: none of them was there
            failure = errors.OutcomeUnknown if said.startswith("5") else errors.Refused
            raise failure(f"{len(left)} of {len(objects)} objects were not deleted: {said}", service=_SERVICE)
        return int(body["Number Deleted"])


def _line(name: str) -> str:
    """Of a bulk deletion: only what the list itself means something by is escaped, since Swift bounds a line by its bytes."""
    return "".join(
        quote(each) if each == "%" or each.isspace() or not each.isprintable() else each for each in name
    )


def _path(name: str) -> str:
    return f"/{quote(name)}"


def _container(name: str, headers: Mapping[str, str]) -> models.Container:
    metadata = {key.removeprefix(_META): value for key, value in headers.items() if key.startswith(_META)}
    quota = metadata.pop("quota-bytes", "")
    return models.Container(
        name=name,
        quota_bytes=int(quota) if quota.isdigit() else None,
        bytes_used=int(headers.get("x-container-bytes-used", 0)),
        objects=int(headers.get("x-container-object-count", 0)),
        policy=headers.get("x-storage-policy", ""),
        metadata=metadata,
        read=_users(headers.get("x-container-read", "")),
        write=_users(headers.get("x-container-write", "")),
    )


def _users(acl: str) -> frozenset[str]:
    return frozenset(filter(None, acl.split(",")))
