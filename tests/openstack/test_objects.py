"""Object containers: their quota, what is in them, and who is let in.

Asked only of a cloud that has an object store (``tests/devcloud/swift-up`` puts one behind the real one).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote
from uuid import uuid4

import pytest
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from govcloud.gateways.openstack import Cloud, errors, models
from tests.openstack.laboratory import Laboratory, eventually, gone

KIB = 1024
UNIT = {"govcloud-unit": "5e0bd2ad"}
POLICY = "object"


@pytest.fixture(scope="module")
def store(cloud: Cloud) -> Cloud:
    if not cloud.offers("object-store"):
        pytest.skip("the cloud has no object store")
    return cloud


def emptied(store: Cloud, name: str) -> None:
    def names() -> list[str]:
        found = store.objects.object_names(name, most=1_000)
        if found:
            store.objects.delete_objects(name, found)
        return found

    eventually(names, lambda found: not found)
    store.objects.delete_container(name)


@pytest.fixture
def container(store: Cloud) -> Iterator[str]:
    """A container of 64 KiB."""
    name = f"contract-{uuid4().hex[:8]}"
    store.objects.create_container(name, quota_bytes=64 * KIB, policy=POLICY, metadata=UNIT)
    yield name
    emptied(store, name)


@dataclass(frozen=True, slots=True)
class Outsider:
    """A user of the cloud who signs in to a project that holds nothing."""

    user: models.User
    project_id: str
    password: str
    auth_url: str

    @property
    def entry(self) -> str:
        return f"{self.project_id}:{self.user.id}"

    def session(self, password: str = "") -> Session:
        auth = v3.Password(
            auth_url=self.auth_url, user_id=self.user.id, password=password or self.password,
            project_id=self.project_id,
        )  # fmt: skip
        return Session(auth=auth)

    def asked(self, method: str, url: str, *, session: Session | None = None, **request: object) -> int:
        """The status of one request as this user."""
        return int((session or self.session()).request(url, method, raise_exc=False, **request).status_code)


@pytest.fixture
def outsider(operator: Cloud, store: Cloud) -> Iterator[Outsider]:
    """Made as the product makes them."""
    assert store
    password, role = "Gc1-a-secret-of-the-contract", operator.identity.find_role(name="reader")
    assert role is not None, "the cloud has no role 'reader'"
    user = operator.identity.create_user(name=f"contract-{uuid4().hex[:8]}", password=password)
    project = operator.identity.create_project(name=f"contract-access-{uuid4().hex[:8]}")
    operator.identity.grant_role(project_id=project.id, role_id=role, user_id=user.id)
    yield Outsider(user, project.id, password, operator.auth_url)
    operator.identity.delete_user(user.id)
    operator.identity.delete_project(project.id)


def test_a_container_has_its_quota_its_mark_and_nobody_let_in(store: Cloud, container: str) -> None:
    seen = store.objects.get_container(container)
    assert (seen.quota_bytes, seen.policy, dict(seen.metadata)) == (64 * KIB, POLICY, UNIT)
    assert (seen.objects, seen.bytes_used, seen.read, seen.write) == (0, 0, frozenset(), frozenset())


def test_making_it_again_makes_no_second_one_and_keeps_what_it_does_not_name(
    store: Cloud, container: str
) -> None:
    before = store.objects.containers_held()
    store.objects.create_container(container, quota_bytes=32 * KIB, policy=POLICY, metadata={})
    seen = store.objects.get_container(container)
    assert store.objects.containers_held() == before
    assert (seen.quota_bytes, dict(seen.metadata)) == (32 * KIB, UNIT)


def test_an_unknown_policy_is_refused(store: Cloud) -> None:
    with pytest.raises(errors.Refused):
        store.objects.create_container("unmade", quota_bytes=KIB, policy="no-such-policy", metadata={})
    with pytest.raises(errors.NotFound):
        store.objects.get_container("unmade")


def test_what_would_go_over_the_quota_is_refused(store: Cloud, container: str, outsider: Outsider) -> None:
    store.objects.set_access(container, read=[outsider.entry], write=[outsider.entry])
    url = store.objects.url(container)
    assert outsider.asked("PUT", f"{url}/small", data=b"x" * 40 * KIB) == 201
    assert outsider.asked("PUT", f"{url}/large", data=b"x" * 65 * KIB) == 413
    eventually(lambda: store.objects.get_container(container).objects, lambda held: held == 1)
    assert store.objects.get_container(container).bytes_used == 40 * KIB


def test_a_quota_below_what_is_held_is_accepted_and_refuses_what_comes_after(
    store: Cloud, container: str, outsider: Outsider
) -> None:
    store.objects.set_access(container, read=[], write=[outsider.entry])
    url = store.objects.url(container)
    assert outsider.asked("PUT", f"{url}/first", data=b"x" * 40 * KIB) == 201
    eventually(lambda: store.objects.get_container(container).bytes_used, lambda used: used == 40 * KIB)
    store.objects.set_quota(container, quota_bytes=KIB)
    assert store.objects.get_container(container).quota_bytes == KIB
    assert outsider.asked("PUT", f"{url}/second", data=b"x") == 413


def test_who_is_let_in_to_read_reads_that_container_and_no_more(
    store: Cloud, container: str, outsider: Outsider
) -> None:
    url = store.objects.url(container)
    assert outsider.asked("GET", url) == 403
    store.objects.set_access(container, read=[outsider.entry], write=[])
    session = outsider.session()
    assert eventually(lambda: outsider.asked("GET", url, session=session), lambda status: status < 400)
    assert outsider.asked("PUT", f"{url}/written", session=session, data=b"x") == 403
    account = url.rpartition("/")[0]
    assert outsider.asked("GET", account, session=session) == 403
    assert outsider.asked("GET", f"{account}/another", session=session) == 403
    assert outsider.asked("PUT", f"{account}/another", session=session) == 403


def test_who_may_write_changes_neither_quota_nor_who_is_let_in(
    store: Cloud, container: str, outsider: Outsider
) -> None:
    store.objects.set_access(container, read=[outsider.entry], write=[outsider.entry])
    url, session = store.objects.url(container), outsider.session()
    assert outsider.asked("PUT", f"{url}/written", session=session, data=b"x") == 201
    more = {"X-Container-Meta-Quota-Bytes": "1000000000", "X-Container-Read": ".r:*"}
    assert outsider.asked("POST", url, session=session, headers=more) == 403
    assert outsider.asked("DELETE", url, session=session) == 403
    answer = session.request(url, "HEAD", raise_exc=False)
    assert not [name for name in answer.headers if name.lower() in {"x-container-read", "x-container-write"}]
    assert store.objects.get_container(container).quota_bytes == 64 * KIB


def test_a_user_signs_in_to_nothing_but_its_empty_project(
    laboratory: Laboratory, outsider: Outsider, store: Cloud
) -> None:
    assert store
    inside = v3.Password(
        auth_url=outsider.auth_url, user_id=outsider.user.id, password=outsider.password,
        project_id=laboratory.project.id,
    )  # fmt: skip
    with pytest.raises(keystone_errors.Unauthorized):
        Session(auth=inside).get_token()
    session = outsider.session()
    for service, path, rows in (("compute", "/servers", "servers"), ("block-storage", "/volumes", "volumes")):
        where = {"service_type": service, "interface": "public", "region_name": "RegionOne"}
        base = session.get_endpoint(**where)
        if service == "block-storage" and not base.endswith(outsider.project_id):
            base = f"{base}/{outsider.project_id}"
        assert session.get(base + path).json()[rows] == []


def test_a_new_password_ends_the_one_before_and_its_tokens(
    store: Cloud, operator: Cloud, container: str, outsider: Outsider
) -> None:
    store.objects.set_access(container, read=[outsider.entry], write=[])
    token = outsider.session().get_token()
    operator.identity.set_password(outsider.user.id, "Gc1-another-secret")
    with pytest.raises(keystone_errors.Unauthorized):
        outsider.session().get_token()
    assert outsider.session("Gc1-another-secret").get_token() != token
    assert outsider.asked("GET", outsider.auth_url + "/auth/projects", headers={"X-Auth-Token": token}, session=Session()) == 401  # fmt: skip


def test_a_deleted_user_is_found_no_more(operator: Cloud) -> None:
    name = f"contract-{uuid4().hex[:8]}"
    user = operator.identity.create_user(name=name, password="Gc1-a-secret-of-the-contract")
    with pytest.raises(errors.Conflict):
        operator.identity.create_user(name=name, password="Gc1-a-secret-of-the-contract")
    assert operator.identity.find_user(name=name) == operator.identity.get_user(user.id) == user
    operator.identity.delete_user(user.id)
    assert operator.identity.find_user(name=name) is None
    gone(lambda: operator.identity.get_user(user.id))


def test_a_container_that_holds_something_is_not_deleted_until_it_is_emptied(
    store: Cloud, outsider: Outsider
) -> None:
    name = f"contract-{uuid4().hex[:8]}"
    store.objects.create_container(name, quota_bytes=64 * KIB, policy=POLICY, metadata=UNIT)
    store.objects.set_access(name, read=[], write=[outsider.entry])
    url, session = store.objects.url(name), outsider.session()
    names = ["a", "b c", "d/e", "资料" * 160, "?f=1&g", "50% of it"]
    for each in names:
        assert outsider.asked("PUT", f"{url}/{quote(each)}", session=session, data=b"x") == 201
    found = eventually(
        lambda: store.objects.object_names(name, most=10), lambda seen: len(seen) == len(names)
    )
    assert sorted(found) == sorted(names)
    with pytest.raises(errors.Conflict):
        store.objects.delete_container(name)
    assert len(store.objects.object_names(name, most=2)) == 2
    assert store.objects.delete_objects(name, [*found, "never-there"]) == len(names)
    eventually(lambda: store.objects.get_container(name).objects, lambda held: held == 0)
    store.objects.delete_container(name)
    gone(lambda: store.objects.get_container(name))
