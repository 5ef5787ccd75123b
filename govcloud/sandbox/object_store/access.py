"""Who may do what: operators of a project's account everything, others what a container's lists let them."""

from govcloud.sandbox.errors import ApiError, bad_request, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Call

OPERATORS = frozenset({"admin", "member"})
"""Roles that make an operator of the account of the project that the token is for."""

_DENIED = "Access was denied to this resource."
_MISSING = "The resource could not be found."
_LONGEST_NAME = 256


def is_operator(call: Call) -> bool:
    """Whether the caller owns the account: an administrator of another project does not."""
    return call.caller.project_id == call.args["project"] and bool(call.caller.roles & OPERATORS)


def owned(call: Call) -> None:
    """Refuse everybody but operators."""
    if not is_operator(call):
        raise ApiError(403, _DENIED)


def container_of(call: Call, name: str) -> Row | None:
    """The container's row, whoever asks."""
    if len(name.encode()) > _LONGEST_NAME:
        raise bad_request(f"Container name length of {len(name.encode())} longer than {_LONGEST_NAME}")
    found = call.cloud.store.find("container", project_id=call.args["project"], name=name)
    return found[0] if found else None


def opened(call: Call, name: str, *, to_write: bool = False) -> Row:
    """The container, for whoever may read or write what is in it; others learn nothing of it, not even that it is not there."""
    row = container_of(call, name)
    if not is_operator(call) and not (row and _let_in(call, row["write" if to_write else "read"])):
        raise ApiError(403, _DENIED)
    if row is None:
        raise not_found(_MISSING)
    return row


def _let_in(call: Call, acl: str) -> bool:
    project, user = call.caller.project_id, call.caller.user_id
    return bool({f"{project}:{user}", f"{project}:*", f"*:{user}", "*:*"} & set(acl.split(",")))
