import pytest
import requests
from openstack.exceptions import ConflictException, SDKException

from tests.integration.sandbox.process import Sandbox


def test_the_catalogue_leads_to_every_service(admin):
    for service in ("identity", "compute", "network", "block-storage", "volumev3", "image", "placement"):
        assert admin.session.get_endpoint(service_type=service).startswith("http://127.0.0.1:")


def test_a_wrong_password_is_refused(sandbox: Sandbox):
    with pytest.raises(SDKException, match="HTTP 401"):
        sandbox.connect(password="wrong").authorize()


def test_a_second_project_of_the_same_name_is_a_conflict(admin):
    admin.identity.create_project(name="twice")
    with pytest.raises(ConflictException):
        admin.identity.create_project(name="twice")
    assert [project.name for project in admin.identity.projects(name="twice")] == ["twice"]


def test_a_user_scopes_only_to_projects_it_has_a_role_in(sandbox: Sandbox, admin):
    project = admin.identity.create_project(name="closed")
    scope = {"project_name": None, "project_domain_name": None, "project_id": project.id}
    with pytest.raises(SDKException, match="HTTP 401"):
        sandbox.connect(**scope).authorize()
    role = admin.identity.find_role("member")
    admin.identity.assign_project_role_to_user(project, admin.current_user_id, role)
    assert admin.identity.validate_user_has_project_role(project, admin.current_user_id, role)
    scoped = sandbox.connect(**scope)
    assert scoped.current_project_id == project.id
    token = {"X-Auth-Token": scoped.auth_token}
    admin.identity.unassign_project_role_from_user(project, admin.current_user_id, role)
    assert requests.get(f"{sandbox.url}/compute/v2.1/servers", headers=token, timeout=10).status_code == 401
    scoped.close()


def test_a_member_is_no_administrator(cloud):
    assert cloud.identity.get("/projects").status_code == 403
    assert cloud.compute.get("/os-hypervisors").status_code == 403
    assert cloud.block_storage.get("/scheduler-stats/get_pools").status_code == 403


def test_a_revoked_token_is_refused_and_the_client_comes_back_with_a_new_one(sandbox: Sandbox, cloud):
    token = cloud.auth_token
    sandbox.control("DELETE", "/tokens")
    answer = requests.get(f"{sandbox.url}/compute/v2.1/servers", headers={"X-Auth-Token": token}, timeout=10)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")
    assert list(cloud.compute.servers()) == []


def test_a_token_expires(sandbox: Sandbox, cloud):
    sandbox.control("PUT", "/timing", token_seconds=0)
    token = sandbox.connect().auth_token
    answer = requests.get(f"{sandbox.url}/compute/v2.1/servers", headers={"X-Auth-Token": token}, timeout=10)
    assert answer.status_code == 401


def test_an_application_credential_opens_its_project(sandbox: Sandbox, cloud):
    made = cloud.identity.create_application_credential(cloud.current_user_id, name="portal")
    claim = {"id": made.id, "secret": made.secret}
    body = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": claim}}}
    answer = requests.post(f"{sandbox.url}/identity/v3/auth/tokens", json=body, timeout=10)
    assert answer.json()["token"]["project"]["id"] == cloud.current_project_id
    claim["secret"] = "wrong"
    assert requests.post(f"{sandbox.url}/identity/v3/auth/tokens", json=body, timeout=10).status_code == 401


def test_every_answer_carries_a_request_id(sandbox: Sandbox, cloud):
    for answer in (
        cloud.compute.get("/servers"),
        cloud.network.get("/ports"),
        cloud.block_storage.get("/volumes/none"),
        cloud.image.get("/images/none"),
        requests.get(f"{sandbox.url}/nowhere", timeout=10),
    ):
        assert answer.headers["x-openstack-request-id"].startswith("req-")
