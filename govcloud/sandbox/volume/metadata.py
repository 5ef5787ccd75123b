"""A volume's own metadata, key by key."""

from govcloud.sandbox.errors import not_found
from govcloud.sandbox.volume.volumes import found
from govcloud.sandbox.web import Answer, Body, Call, Routes

routes = Routes("volume", "/volume/v3/<project_id>", "/volume/v3")


@routes("GET", "/volumes/<id>/metadata")
def show_metadata(call: Call) -> Body:
    return {"metadata": found(call, call.args["id"])["metadata"]}


@routes("POST", "/volumes/<id>/metadata")
def add_metadata(call: Call) -> Body:
    row = found(call, call.args["id"])
    merged = row["metadata"] | {key: str(value) for key, value in call.part("metadata").items()}
    return {"metadata": call.cloud.amend("volume", row, metadata=merged)["metadata"]}


@routes("PUT", "/volumes/<id>/metadata")
def replace_metadata(call: Call) -> Body:
    row = found(call, call.args["id"])
    fresh = {key: str(value) for key, value in call.part("metadata").items()}
    return {"metadata": call.cloud.amend("volume", row, metadata=fresh)["metadata"]}


@routes("DELETE", "/volumes/<id>/metadata/<key>")
def delete_metadata(call: Call) -> Answer:
    row = found(call, call.args["id"])
    if call.args["key"] not in row["metadata"]:
        raise not_found(f"Volume {row['id']} has no metadata with key {call.args['key']}.")
    rest = {key: value for key, value in row["metadata"].items() if key != call.args["key"]}
    call.cloud.amend("volume", row, metadata=rest)
    return Answer(200)
