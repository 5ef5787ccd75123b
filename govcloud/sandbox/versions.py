"""Microversions and the version documents that clients discover the services by."""

from werkzeug.datastructures import Headers

from govcloud.sandbox.errors import ApiError
from govcloud.sandbox.web import Answer, Body, Call, Routes

_RANGES = {
    "compute": ("compute", (2, 1), (2, 100)),
    "volume": ("volume", (3, 0), (3, 71)),
    "placement": ("placement", (1, 0), (1, 39)),
}
_identity, _compute, _volume, _network, _image, _placement = (
    Routes(name, f"/{name}") for name in ("identity", "compute", "volume", "network", "image", "placement")
)
all_routes = (_identity, _compute, _volume, _network, _image, _placement)


def negotiate(service: str, headers: Headers) -> tuple[int, int]:
    """The microversion a request asked for, the service's lowest when it did not.

    Raises:
        ApiError: 406 for one out of range, 400 for one that is no version.

    """
    if service not in _RANGES:
        return (0, 0)
    name, lowest, highest = _RANGES[service]
    asked = _asked(name, headers)
    if asked is None:
        return lowest
    if asked == "latest":
        return highest
    major, _, minor = asked.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise ApiError(
            400, f"API Version String {asked} is of invalid format. Must be of format MajorNum.MinorNum."
        )
    version = (int(major), int(minor))
    if not lowest <= version <= highest:
        raise ApiError(
            406,
            f"Version {asked} is not supported by the API. "
            f"Minimum is {_text(lowest)} and maximum is {_text(highest)}.",
        )
    return version


def version_headers(service: str, version: tuple[int, int]) -> dict[str, str]:
    """The headers that say which microversion an answer follows."""
    if service not in _RANGES or version == (0, 0):
        return {}
    headers = {"OpenStack-API-Version": f"{_RANGES[service][0]} {_text(version)}"}
    if service == "compute":
        headers["X-OpenStack-Nova-API-Version"] = _text(version)
    return headers


def _asked(name: str, headers: Headers) -> str | None:
    for header in headers.getlist("OpenStack-API-Version"):
        for entry in header.split(","):
            words = entry.split()
            if len(words) == 2 and words[0] == name:
                return words[1]
    return headers.get("X-OpenStack-Nova-API-Version") if name == "compute" else None


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _entry(call: Call, service: str, version_id: str, path: str) -> Body:
    entry: Body = {
        "id": version_id,
        "status": "CURRENT",
        "updated": "2026-01-01T00:00:00Z",
        "links": [{"rel": "self", "href": call.link(path)}],
    }
    if service in _RANGES:
        _, lowest, highest = _RANGES[service]
        entry |= {"min_version": _text(lowest), "version": _text(highest), "max_version": _text(highest)}
    if service == "identity":
        entry["media-types"] = [
            {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
        ]
    return entry


@_identity("GET", "/v3", public=True)
def identity_version(call: Call) -> Body:
    return {"version": _entry(call, "identity", "v3.14", "/identity/v3/")}


@_identity("GET", "", public=True)
def identity_versions(call: Call) -> Answer:
    return Answer(300, {"versions": {"values": [_entry(call, "identity", "v3.14", "/identity/v3/")]}})


@_compute("GET", "/v2.1", public=True)
def compute_version(call: Call) -> Body:
    return {"version": _entry(call, "compute", "v2.1", "/compute/v2.1/")}


@_compute("GET", "", public=True)
def compute_versions(call: Call) -> Body:
    return {"versions": [_entry(call, "compute", "v2.1", "/compute/v2.1/")]}


@_volume("GET", "/v3", public=True)
@_volume("GET", "", public=True)
def volume_versions(call: Call) -> Body:
    return {"versions": [_entry(call, "volume", "v3.0", "/volume/v3/")]}


@_network("GET", "", public=True)
def network_versions(call: Call) -> Body:
    return {"versions": [_entry(call, "network", "v2.0", "/network/v2.0/")]}


@_network("GET", "/v2.0", public=True)
def network_resources(call: Call) -> Body:
    names = (
        "networks",
        "subnets",
        "ports",
        "routers",
        "floatingips",
        "security-groups",
        "security-group-rules",
    )
    links = [
        {
            "name": name,
            "collection": name,
            "links": [{"rel": "self", "href": call.link(f"/network/v2.0/{name}")}],
        }
        for name in names
    ]
    return {"resources": links}


@_image("GET", "", public=True)
@_image("GET", "/versions", public=True)
def image_versions(call: Call) -> Answer:
    older = [
        _entry(call, "image", f"v2.{minor}", "/image/v2/") | {"status": "SUPPORTED"}
        for minor in (15, 9, 7, 2)
    ]
    return Answer(300, {"versions": [_entry(call, "image", "v2.16", "/image/v2/"), *older]})


@_placement("GET", "", public=True)
def placement_versions(call: Call) -> Body:
    return {"versions": [_entry(call, "placement", "v1.0", "/placement/")]}
