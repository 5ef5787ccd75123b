"""Faults on demand, as a client sees them. The clients here never try again by themselves."""

import pytest
import requests

from tests.integration.sandbox.process import (
    Sandbox,
    boot_volume,
    eventually,
    from_volume,
    ready_volume,
    refused,
    running_server,
)


@pytest.fixture
def post(sandbox: Sandbox, cloud):
    """POST a volume, with a short patience and no second try."""
    url = f"{sandbox.url}/volume/v3/volumes"
    headers = {"X-Auth-Token": cloud.auth_token}

    def send(patience: float = 1.0) -> requests.Response:
        return requests.post(url, json={"volume": {"size": 1}}, headers=headers, timeout=patience)

    return send


def volumes(cloud):
    return len(list(cloud.block_storage.volumes()))


def test_a_status_before_the_effect(sandbox: Sandbox, cloud, post):
    sandbox.fault(action="status", status=503, service="volume", method="POST", path="/volumes$", times=1)
    assert refused(post())[:2] == (503, "serviceUnavailable")
    assert volumes(cloud) == 0
    assert post().status_code == 202


def test_a_status_after_the_effect(sandbox: Sandbox, cloud, post):
    sandbox.fault(action="status", status=500, when="after", method="POST", path="/volumes$", times=1)
    assert post().status_code == 500
    assert volumes(cloud) == 1


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_a_reset_connection(sandbox: Sandbox, cloud, post, when, made):
    sandbox.fault(action="reset", when=when, method="POST", path="/volumes$", times=1)
    with pytest.raises(requests.ConnectionError) as error:
        post()
    assert "reset by peer" in str(error.value)
    assert volumes(cloud) == made


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_silence(sandbox: Sandbox, cloud, post, when, made):
    sandbox.fault(action="timeout", when=when, method="POST", path="/volumes$", times=1)
    with pytest.raises(requests.ReadTimeout):
        post(patience=0.3)
    assert volumes(cloud) == made


def test_an_effect_that_lands_later_than_the_first_look(sandbox: Sandbox, cloud, post):
    sandbox.fault(action="timeout", when="late", seconds=2, method="POST", path="/volumes$", times=1)
    with pytest.raises(requests.ReadTimeout):
        post(patience=0.2)
    assert volumes(cloud) == 0
    eventually(lambda: volumes(cloud) == 1)


def test_half_a_body(sandbox: Sandbox, cloud, post):
    sandbox.fault(action="truncate", method="POST", path="/volumes$", times=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        post()
    assert volumes(cloud) == 1


def test_the_connection_is_used_again_after_a_fault(sandbox: Sandbox, cloud):
    with requests.Session() as session:
        session.headers["X-Auth-Token"] = cloud.auth_token
        sandbox.fault(action="status", status=429, headers={"Retry-After": "7"}, path="/servers", times=1)
        answer = session.get(f"{sandbox.url}/compute/v2.1/servers", timeout=5)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert session.get(f"{sandbox.url}/compute/v2.1/servers", timeout=5).status_code == 200


def test_a_list_that_lags(sandbox: Sandbox, cloud):
    server = running_server(cloud)
    sandbox.fault(action="lag", seconds=60, service="compute", method="GET", path="/servers/detail", times=1)
    assert list(cloud.compute.servers()) == []
    assert [each.id for each in cloud.compute.servers()] == [server.id]


def test_a_build_that_fails_keeps_the_volume_reserved_until_the_server_goes(sandbox: Sandbox, cloud):
    volume = boot_volume(cloud)
    sandbox.fault(
        action="build_error", service="compute", method="POST", path="/servers$", times=1, message="No luck."
    )
    flavor = cloud.compute.find_flavor("g.2c4g")
    server = cloud.compute.create_server(
        name="web", flavor_id=flavor.id, networks="none", block_device_mapping=from_volume(volume)
    )
    failed = cloud.compute.get_server(server.id)
    assert (failed.status, failed.fault["message"]) == ("ERROR", "No luck.")
    assert cloud.block_storage.get_volume(volume.id).status == "reserved"
    cloud.compute.delete_server(server)
    assert cloud.compute.find_server(server.id) is None
    assert cloud.block_storage.get_volume(volume.id).status == "available"


def test_what_is_stuck_stays_so(sandbox: Sandbox, cloud):
    sandbox.fault(action="stuck", method="DELETE", path="/volumes/", times=1)
    volume = ready_volume(cloud)
    cloud.block_storage.delete_volume(volume)
    assert [cloud.block_storage.get_volume(volume.id).status for _ in range(3)] == ["deleting"] * 3


def test_a_fault_for_one_project_leaves_the_others_alone(sandbox: Sandbox, cloud):
    other = sandbox.project()
    sandbox.fault(action="status", status=403, service="compute", project=cloud.current_project_id)
    assert cloud.compute.get("/servers").status_code == 403
    assert other.compute.get("/servers").status_code == 200
    other.close()


def test_a_seeded_fault_strikes_the_same_calls_again(sandbox: Sandbox, cloud):
    def strikes() -> list[int]:
        sandbox.control("DELETE", "/faults")
        sandbox.fault(
            action="status", status=503, service="compute", path="/servers", probability=0.5, seed=7
        )
        return [cloud.compute.get("/servers", raise_exc=False).status_code for _ in range(12)]

    first = strikes()
    assert set(first) == {200, 503}
    assert strikes() == first


def test_identity_can_be_down(sandbox: Sandbox):
    sandbox.fault(action="status", status=503, service="identity")
    assert requests.get(f"{sandbox.url}/identity/v3", timeout=5).status_code == 503
    sandbox.control("DELETE", "/faults")
    assert requests.get(f"{sandbox.url}/identity/v3", timeout=5).status_code == 200


def test_a_bad_rule_is_refused(sandbox: Sandbox):
    for rule in (
        {"action": "explode"},
        {"action": "reset", "colour": "red"},
        {"action": "reset", "path": "("},
    ):
        answer = requests.post(f"{sandbox.url}/sandbox/faults", json=rule, timeout=5)
        assert answer.status_code == 400


def test_calls_are_counted(sandbox: Sandbox, cloud):
    sandbox.control("DELETE", "/calls")
    ready_volume(cloud)
    assert sandbox.calls("volume", "POST", "/volumes") == 1


def test_a_thing_can_vanish_or_change_behind_the_clouds_back(sandbox: Sandbox, cloud):
    volume, server = ready_volume(cloud), running_server(cloud)
    sandbox.control("DELETE", f"/rows/volume/{volume.id}")
    assert cloud.block_storage.find_volume(volume.id) is None
    sandbox.control("POST", f"/rows/server/{server.id}", tags=["by-hand"])
    assert cloud.compute.get_server(server.id).tags == ["by-hand"]
