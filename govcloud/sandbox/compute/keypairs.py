"""Key pairs, which belong to users."""

import base64
import binascii
import hashlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from govcloud.sandbox.errors import ApiError, bad_request, conflict, forbidden, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Body, Call, Routes, stamp

routes = Routes("compute", "/compute/v2.1")
_PUBLIC_KEY_REQUIRED = (2, 92)
_LIMIT = 100


def find_keypair(call: Call, name: str) -> Row | None:
    """The caller's key pair of that name, or None."""
    return call.cloud.store.get("keypair", f"{_owner(call)}:{name}")


def _owner(call: Call) -> str:
    return (call.query("user_id") if call.caller.is_admin else None) or call.caller.user_id


def _fingerprint(public_key: str) -> str:
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise bad_request("Keypair data is invalid: failed to generate fingerprint") from error
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def _short(call: Call, row: Row) -> Body:
    shown = {key: row[key] for key in ("name", "public_key", "fingerprint")}
    return shown | ({"type": row["type"]} if call.version >= (2, 2) else {})


def _full(call: Call, row: Row) -> Body:
    return _short(call, row) | {
        "user_id": row["user_id"],
        "id": row["number"],
        "created_at": stamp(row["created_at"], form="micro"),
        "updated_at": None,
        "deleted": False,
        "deleted_at": None,
    }


def _found(call: Call) -> Row:
    row = find_keypair(call, call.args["name"])
    if row is None:
        raise not_found(f"Keypair {call.args['name']} not found for user {_owner(call)}")
    return row


@routes("GET", "/os-keypairs")
def list_keypairs(call: Call) -> Body:
    rows = sorted(call.cloud.store.find("keypair", user_id=_owner(call)), key=lambda row: str(row["name"]))
    if marker := call.query("marker"):
        rows = [row for row in rows if row["name"] > marker]
    return {"keypairs": [{"keypair": _short(call, row)} for row in rows[: int(call.query("limit") or 1000)]]}


@routes("POST", "/os-keypairs")
def create_keypair(call: Call) -> Answer:
    """Import a public key, or (before 2.92) make a pair and show the private part once."""
    asked = call.part("keypair")
    name, owner = str(asked.get("name", "")), asked.get("user_id") or call.caller.user_id
    if owner != call.caller.user_id and not call.caller.is_admin:
        raise forbidden("Policy doesn't allow os_compute_api:os-keypairs:create to be performed.")
    if not 1 <= len(name) <= 255:
        raise bad_request(
            "Keypair data is invalid: Keypair name must be string and between 1 and 255 characters long"
        )
    if call.cloud.store.get("keypair", f"{owner}:{name}"):
        raise conflict(f"Key pair '{name}' already exists.")
    if len(call.cloud.store.find("keypair", user_id=owner)) >= _LIMIT:
        raise ApiError(403, "Quota exceeded, too many key pairs.")
    private: Body = {}
    public_key = asked.get("public_key")
    if public_key is None:
        if call.version >= _PUBLIC_KEY_REQUIRED:
            raise bad_request(
                "Invalid input for field/attribute keypair. 'public_key' is a required property"
            )
        public_key, private["private_key"] = _generated()
    row = call.cloud.new(
        "keypair",
        {
            "id": f"{owner}:{name}",
            "name": name,
            "user_id": owner,
            "public_key": public_key.strip(),
            "fingerprint": _fingerprint(public_key),
            "type": asked.get("type", "ssh"),
            "number": len(call.cloud.store.find("keypair")) + 1,
        },
        at=call.now,
    )
    shown = _short(call, row) | {"user_id": owner} | private
    return Answer(201 if call.version >= (2, 2) else 200, {"keypair": shown})


def _generated() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode() + " Generated-by-Nova", private.decode()


@routes("GET", "/os-keypairs/<name>")
def show_keypair(call: Call) -> Body:
    return {"keypair": _full(call, _found(call))}


@routes("DELETE", "/os-keypairs/<name>")
def delete_keypair(call: Call) -> Answer:
    call.cloud.store.delete("keypair", _found(call)["id"])
    return Answer(204 if call.version >= (2, 2) else 202)
