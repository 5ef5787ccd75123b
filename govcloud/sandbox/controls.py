"""What tests and demos ask of the sandbox itself: health, delays, faults, the log of calls."""

from dataclasses import asdict

from govcloud.sandbox.compute import consoles
from govcloud.sandbox.errors import bad_request, forbidden
from govcloud.sandbox.web import Answer, Body, Call, Routes

routes = Routes("sandbox", "/sandbox")


@routes("GET", "/health", public=True)
def health(call: Call) -> Body:
    """That the sandbox works, and what its guests can do here."""
    servers = [row for row in call.cloud.store.find("server") if not row["deleted"]]
    return {
        "status": "ok",
        "guests": call.cloud.guests.mode,
        "guests_reason": call.cloud.guests.reason,
        "servers": len(servers),
    }


@routes("GET", "/timing", public=True)
def show_timing(call: Call) -> Body:
    return asdict(call.cloud.timing)


@routes("PUT", "/timing", public=True)
def set_timing(call: Call) -> Body:
    """Change the delays named; the others stay."""
    call.cloud.timing.change(call.json)
    return asdict(call.cloud.timing)


@routes("GET", "/faults", public=True)
def list_faults(call: Call) -> Body:
    return {"faults": call.cloud.faults.listed()}


@routes("POST", "/faults", public=True, status=201)
def add_fault(call: Call) -> Body:
    return {"id": call.cloud.faults.add(call.json).id}


@routes("DELETE", "/faults", public=True, status=204)
def clear_faults(call: Call) -> None:
    call.cloud.faults.clear()


@routes("DELETE", "/faults/<id>", public=True, status=204)
def clear_fault(call: Call) -> None:
    call.cloud.faults.clear(call.args["id"])


@routes("GET", "/calls", public=True)
def show_calls(call: Call) -> Body:
    return call.cloud.calls.report()


@routes("DELETE", "/calls", public=True, status=204)
def clear_calls(call: Call) -> None:
    call.cloud.calls.clear()


@routes("DELETE", "/tokens", public=True, status=204)
def revoke_tokens(call: Call) -> None:
    """End every token now: the next call with one answers 401."""
    for row in call.cloud.store.find("token"):
        call.cloud.store.delete("token", row["id"])


@routes("POST", "/rows/<kind>/<id>", public=True)
def patch_row(call: Call) -> Body:
    """Change a resource behind the cloud's back: what an operator's hand or a failing machine would do."""
    row = call.cloud.store.get(call.args["kind"], call.args["id"])
    if row is None:
        raise bad_request(f"no {call.args['kind']} {call.args['id']}")
    return call.cloud.change(call.args["kind"], row, at=call.now, **call.json)


@routes("DELETE", "/rows/<kind>/<id>", public=True, status=204)
def drop_row(call: Call) -> None:
    """Make a resource vanish."""
    call.cloud.store.delete(call.args["kind"], call.args["id"])


@routes("GET", "/console/<id>", public=True)
def console(call: Call) -> Answer:
    """A page that shows what the guest printed, to whoever has a link that is still good."""
    if not consoles.admits(call.cloud, call.args["id"], call.query("token"), at=call.now):
        raise forbidden("The token of this console is invalid or has expired.")
    row = call.cloud.store.get("server", call.args["id"])
    text = call.cloud.guests.console(row) if row else ""
    return Answer(200, text.encode(), content_type="text/plain; charset=utf-8")
