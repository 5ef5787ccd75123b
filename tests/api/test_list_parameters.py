"""What a list is asked by is read, or refused: a typing error must not list everything."""

from collections.abc import Callable, Iterator

import django_filters
import pytest
import yaml
from rest_framework.test import APIClient

from api.urls import router
from govcloud.catalog.models import Flavor
from tenants.models import Role, User
from tests.api.house import AT
from tests.api.test_documentation import COMMITTED
from tests.factories.catalog import catalogue
from tests.factories.orders import Scene, scene, submitted
from tests.factories.tenants import DepartmentFactory, grant, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]

OF_SECURITY = {"accounts", "memberships", "role-requests", "second-factors"}
"""Lists of security administrators, who do no other work."""


@pytest.fixture
def client(signed_in: SignedIn) -> Callable[[str], APIClient]:
    """Somebody who may read the list that is named."""
    department = DepartmentFactory()
    reader = member(Role.APPLICANT, department)
    for role in (Role.CLOUD_ADMIN, Role.AUDIT_ADMIN, Role.FINANCE, Role.UNIT_APPROVER):
        grant(reader, role, department)
    anybody, officer = signed_in(reader), signed_in(member(Role.SECURITY_ADMIN))
    return lambda prefix: officer if prefix in OF_SECURITY else anybody


def filters() -> Iterator[tuple[str, str, django_filters.Filter]]:
    """Every filter of every list: the list, the parameter and the filter."""
    for prefix, viewset, _name in router.registry:
        filterset = getattr(viewset, "filterset_class", None)
        for parameter, one in (filterset.base_filters if filterset else {}).items():
            yield prefix, parameter, one


def bad(answer: object) -> str:
    """The parameter that was refused."""
    assert answer.status_code == 400, answer.content
    problem = answer.json()
    assert problem["code"] == "bad-parameter"
    return problem["params"]["parameter"]


@pytest.mark.parametrize("value", ["1", "0", "2", "3", "yes", "banana", "truee", "unknown"])
def test_what_is_neither_true_nor_false_is_refused(client: Callable[[str], APIClient], value: str) -> None:
    for prefix, parameter in (("flavors", "orderable"), ("messages", "unread"), ("expiries", "waits")):
        answer = client(prefix).get(f"/api/v1/{prefix}?{parameter}={value}")
        assert bad(answer) == parameter
        assert "true, false" in answer.json()["params"]["reason"]


def test_every_filter_that_is_true_or_false_refuses_the_rest(client: Callable[[str], APIClient]) -> None:
    asked = [(p, name) for p, name, one in filters() if isinstance(one, django_filters.BooleanFilter)]
    assert len(asked) >= 25
    for prefix, parameter in asked:
        assert bad(client(prefix).get(f"/api/v1/{prefix}?{parameter}=1")) == parameter, prefix
        for value in ("true", "false"):
            assert client(prefix).get(f"/api/v1/{prefix}?{parameter}={value}").status_code == 200, prefix


@pytest.mark.parametrize(
    ("value", "retired"), [("true", False), ("True", False), ("false", True), ("FALSE", True)]
)
def test_true_and_false_are_read_in_capitals_as_well(
    client: Callable[[str], APIClient],
    value: str,
    retired: bool,  # noqa: FBT001
) -> None:
    catalogue()
    Flavor.objects.filter(code="g.4c16g").update(retired_at=AT)
    found = client("flavors").get(f"/api/v1/flavors?orderable={value}").json()["results"]
    assert found
    assert {flavor["code"] == "g.4c16g" for flavor in found} == {retired}


def test_every_filter_is_refused_without_a_value(client: Callable[[str], APIClient]) -> None:
    for prefix, parameter, _filter in filters():
        assert bad(client(prefix).get(f"/api/v1/{prefix}?{parameter}=")) == parameter, prefix


@pytest.mark.parametrize(
    "query",
    ["search=", "search=%20", "search=,", "page=", "page_size=", "ordering=", "ordering=,", "fields=", "fields=,",
     "format=", "status=draft&status=", "department", "number=%20%09"],
)  # fmt: skip
def test_no_parameter_goes_without_a_value(client: Callable[[str], APIClient], query: str) -> None:
    answer = client("orders").get(f"/api/v1/orders?{query}")
    assert bad(answer) == query.partition("=")[0]


def test_one_of_them_answers_no_fields_neither(client: Callable[[str], APIClient]) -> None:
    assert bad(client("me").get("/api/v1/me?fields=")) == "fields"


def test_a_list_that_is_not_searched_in_says_so(client: Callable[[str], APIClient]) -> None:
    listed = yaml.safe_load(COMMITTED.read_text())["paths"]
    for prefix, _viewset, _name in router.registry:
        described = "search" in _query(listed[f"/api/v1/{prefix}"]["get"])
        answer = client(prefix).get(f"/api/v1/{prefix}?search=x")
        assert answer.status_code == (200 if described else 400), prefix
        assert described == (prefix not in {"messages", "webhook-deliveries"})


def _query(operation: dict) -> list[str]:
    return [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]


# lists below a resource

BELOW = ["trail", "operations"]


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def order(on: Scene) -> str:
    return f"/api/v1/orders/{submitted(on, at=AT).uuid}"


@pytest.mark.parametrize("below", BELOW)
@pytest.mark.parametrize(
    "query", ["ordering=-at", "search=decided", "verbb=x", "status=draft", "fields=", "page="]
)
def test_a_list_below_a_resource_refuses_what_it_does_not_read(
    signed_in: SignedIn, on: Scene, order: str, below: str, query: str
) -> None:
    answer = signed_in(on.applicant).get(f"{order}/{below}?{query}")
    assert bad(answer) == query.partition("=")[0]


def test_a_list_below_a_resource_answers_the_fields_asked_for(
    signed_in: SignedIn, on: Scene, order: str
) -> None:
    client = signed_in(on.applicant)
    events = client.get(f"{order}/trail?fields=verb,outcome&page_size=2").json()["results"]
    assert len(events) == 2
    assert {frozenset(event) for event in events} == {frozenset({"verb", "outcome"})}
    assert client.get(f"{order}/operations").json()["count"] == 0
    assert bad(client.get(f"{order}/operations?fields=verb")) == "fields"  # on an empty page as well


def test_a_list_without_pages_refuses_what_it_does_not_read(signed_in: SignedIn, on: Scene) -> None:
    client = signed_in(on.applicant)
    assert client.get("/api/v1/absences/substitutes").status_code == 200
    for query in ("search=a", "ordering=name", "page_size=1"):
        assert bad(client.get(f"/api/v1/absences/substitutes?{query}")) == query.partition("=")[0]


def test_lists_below_a_resource_are_described_as_they_are() -> None:
    found = 0
    for path, item in yaml.safe_load(COMMITTED.read_text())["paths"].items():
        operation = item.get("get")
        if operation is None or "{" not in path:
            continue
        schema = operation["responses"]["200"]["content"].get("application/json", {}).get("schema", {})
        if "Paginated" in schema.get("$ref", ""):
            found += 1
            assert sorted(_query(operation)) == ["fields", "page", "page_size"], path
        elif schema.get("type") == "array":
            assert _query(operation) == [], path
    assert found >= 5


def test_what_every_list_takes_is_described_in_english() -> None:
    described = {
        (each["name"], each["description"])
        for item in yaml.safe_load(COMMITTED.read_text())["paths"].values()
        for operation in item.values()
        for each in operation.get("parameters", ())
        if each["name"] in {"page", "page_size", "ordering", "search", "fields"}
    }
    assert {name for name, _text in described} == {"page", "page_size", "ordering", "search", "fields"}
    assert all(text.isascii() for _name, text in described)
