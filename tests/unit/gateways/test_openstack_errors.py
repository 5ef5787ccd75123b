"""What an answer of a cloud means: the bodies are those that the services of 2026.2 send."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from govcloud.gateways.openstack import errors

COMPUTE, VOLUME, NETWORK, IMAGE, IDENTITY = "compute", "block-storage", "network", "image", "identity"


def nova(key: str, message: str, code: int = 400) -> dict[str, object]:
    return {key: {"code": code, "message": message}}


def neutron(kind: str, message: str) -> dict[str, object]:
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


RESERVED = (
    "Invalid input received: Invalid volume: Volume 3f status must be available or downloading to reserve, but the "
    "current status is attaching. (HTTP 400) (Request-ID: req-1)"
)
TOO_FULL = "Quota exceeded for cores: Requested 2, but already used 0 of 1 cores"
TOO_LARGE = "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota."
SHRINK = "Invalid input received: New size for extend must be greater than current size. (current: 2, extended: 1)."


@pytest.mark.parametrize(
    ("service", "method", "status", "body", "kind"),
    [
        # over quota, each service in its own way
        (COMPUTE, "POST", 403, nova("forbidden", TOO_FULL, 403), errors.OverQuota),
        (COMPUTE, "POST", 403, nova("forbidden", "Maximum number of ports exceeded", 403), errors.OverQuota),
        (VOLUME, "POST", 413, nova("overLimit", TOO_LARGE, 413), errors.OverQuota),
        (
            NETWORK,
            "POST",
            409,
            neutron("OverQuota", "Quota exceeded for resources: ['port']."),
            errors.OverQuota,
        ),
        (IMAGE, "PUT", 413, "<html><body>Denying attempt to upload image</body></html>", errors.OverQuota),
        # somebody was faster, or the state forbids it
        (COMPUTE, "POST", 400, nova("badRequest", RESERVED), errors.Conflict),
        (COMPUTE, "POST", 400, nova("badRequest", "Instance has not been resized."), errors.Conflict),
        (COMPUTE, "POST", 409, nova("conflictingRequest", "Cannot 'stop' instance", 409), errors.Conflict),
        (NETWORK, "POST", 409, neutron("IpAddressAlreadyAllocated", "already allocated"), errors.Conflict),
        (
            VOLUME,
            "DELETE",
            400,
            nova("badRequest", "Invalid volume: Volume status must be available"),
            errors.Conflict,
        ),
        (
            VOLUME,
            "POST",
            400,
            nova("badRequest", "Invalid volume: Backing up an in-use volume"),
            errors.Conflict,
        ),
        (IDENTITY, "POST", 409, {"error": {"code": 409, "message": "Duplicate entry"}}, errors.Conflict),
        # no, and it will stay no
        (
            COMPUTE,
            "POST",
            403,
            nova("forbidden", "Policy doesn't allow it to be performed.", 403),
            errors.Refused,
        ),
        (VOLUME, "POST", 400, nova("badRequest", SHRINK), errors.Refused),
        (NETWORK, "POST", 400, neutron("InvalidInput", "Invalid input"), errors.Refused),
        (COMPUTE, "POST", 501, nova("notImplemented", "not here", 501), errors.Refused),
        (COMPUTE, "POST", 307, "", errors.Refused),
        # not there
        (COMPUTE, "GET", 404, nova("itemNotFound", "Instance 1 could not be found.", 404), errors.NotFound),
        (IMAGE, "GET", 404, "<html><body>No image found with ID 1</body></html>", errors.NotFound),
        # the cloud's own trouble
        (COMPUTE, "GET", 500, nova("computeFault", "Unexpected API Error", 500), errors.Unavailable),
        (COMPUTE, "POST", 500, nova("computeFault", "Unexpected API Error", 500), errors.OutcomeUnknown),
        (
            NETWORK,
            "DELETE",
            503,
            "<html><title>503 Service Unavailable</title></html>",
            errors.OutcomeUnknown,
        ),
        (VOLUME, "POST", 504, "", errors.OutcomeUnknown),
        (VOLUME, "POST", 408, "", errors.OutcomeUnknown),
        # credentials and haste
        (COMPUTE, "GET", 401, {"error": {"code": 401, "title": "Unauthorized"}}, errors.Unauthorized),
        (COMPUTE, "GET", 429, nova("overLimit", "slow down", 429), errors.RateLimited),
    ],
)
def test_an_answer_is_told_by_service_status_and_body(
    service: str, method: str, status: int, body: object, kind: type[errors.CloudError]
) -> None:
    error = errors.classify(service=service, method=method, status=status, body=body)
    assert type(error) is kind
    assert (error.service, error.status) == (service, status)


@pytest.mark.parametrize(
    ("method", "status", "unknown"),
    [
        ("POST", 500, True),
        ("DELETE", 502, True),
        ("POST", 401, True),  # a service may learn half-way that our token is refused by the next
        ("GET", 401, False),
        ("GET", 500, False),
        ("POST", 400, False),
        ("POST", 404, False),
        ("POST", 409, False),
        ("POST", 413, False),
        ("POST", 429, False),
    ],
)
def test_only_an_answer_that_proves_nothing_leaves_the_effect_unknown(
    method: str, status: int, *, unknown: bool
) -> None:
    assert errors.classify(service=COMPUTE, method=method, status=status).effect_unknown is unknown


def test_cinders_full_quota_is_not_a_request_to_slow_down() -> None:
    body, headers = nova("overLimit", TOO_LARGE, 413), {"Retry-After": "0"}
    full = errors.classify(service=VOLUME, method="POST", status=413, body=body, headers=headers)
    assert type(full) is errors.OverQuota


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0),
        ("0", 1.0),
        ("soon", 1.0),
        ("", 1.0),
        ("nan", 1.0),
        ("-5", 1.0),
        ("inf", 600.0),
        ("99999", 600.0),
    ],
)
def test_haste_is_told_how_long_to_wait(header: str, seconds: float) -> None:
    error = errors.classify(service=COMPUTE, method="POST", status=429, headers={"Retry-After": header})
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("ahead", "least", "most"), [(120, 115.0, 120.0), (-3600, 1.0, 1.0), (86_400, 600.0, 600.0)]
)
def test_haste_is_told_until_when_to_wait(ahead: float, least: float, most: float) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    for told in (at, at.replace("GMT", "-0000")):
        error = errors.classify(service=COMPUTE, method="POST", status=429, headers={"Retry-After": told})
        assert isinstance(error, errors.RateLimited)
        assert least <= error.retry_after <= most


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (nova("badRequest", "no   such\nthing"), "badRequest", "no such thing"),
        (neutron("OverQuota", "full"), "OverQuota", "full"),
        ({"error": {"code": 403, "title": "Forbidden"}}, "error", "Forbidden"),
        ({"errors": [{"status": 409, "detail": "changed", "title": "Conflict"}]}, "errors", "changed"),
        ({"message": "The server says so"}, "", "The server says so"),
        (
            "<html><head><title>409 Conflict</title></head><body><h1>Conflict</h1> Image exists.</body></html>",
            "",
            "Conflict Image exists.",
        ),
        ([], "", ""),
        (None, "", ""),
    ],
)
def test_the_clouds_words_are_found_in_every_shape(body: object, code: str, message: str) -> None:
    assert errors.read_fault(body) == (code, message)


def test_an_error_names_the_request_for_the_operators_and_stays_short() -> None:
    error = errors.classify(
        service=COMPUTE,
        method="POST",
        status=500,
        body=nova("computeFault", "x" * 5000),
        headers={"X-Openstack-Request-Id": "req-42"},
    )
    assert error.request_id == "req-42"
    assert str(error).startswith("compute 500: xxx")
    assert str(error).endswith("(req-42)")
    assert len(error.message) == 500


def test_a_null_that_wraps_nothing_is_still_an_error() -> None:
    assert (
        type(errors.classify(service=COMPUTE, method="GET", status=404, body={"itemNotFound": None}))
        is errors.NotFound
    )
