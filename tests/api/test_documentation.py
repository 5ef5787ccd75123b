"""The API describes itself, offline, and the description that is committed is the one that is served."""

import io
import re
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

COMMITTED = Path(__file__).parents[2] / "api" / "openapi.yaml"

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def generated() -> str:
    out = io.StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    return out.getvalue()


def test_the_committed_description_is_the_present_one(generated: str) -> None:
    assert generated == COMMITTED.read_text(), "run: manage.py spectacular --file api/openapi.yaml"


def test_it_is_openapi_31_and_every_operation_names_its_problems(generated: str) -> None:
    schema = yaml.safe_load(generated)
    assert schema["openapi"].startswith("3.1")
    operations = [(path, verb, op) for path, item in schema["paths"].items() for verb, op in item.items()]
    for path, verb, operation in operations:
        refusals = [status for status in operation["responses"] if status >= "400"]
        assert refusals, (verb, path)
        for status in refusals:
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"]


def test_posts_take_an_idempotency_key_and_edits_demand_if_match(generated: str) -> None:
    paths = yaml.safe_load(generated)["paths"]
    post = {p["name"] for p in paths["/api/v1/orders"]["post"]["parameters"]}
    put = {p["name"]: p["required"] for p in paths["/api/v1/orders/{uuid}"]["put"]["parameters"]}
    assert "Idempotency-Key" in post
    assert put["If-Match"] is True


def test_the_schema_is_served(client: Client) -> None:
    answer = client.get("/api/v1/schema/")
    assert answer.status_code == 200
    assert yaml.safe_load(answer.content)["info"]["title"] == "govcloud"


def test_the_documentation_loads_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/v1/docs/").content.decode()
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(links) >= 4
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    for link in links:
        answer = client.get(link)
        answer.close()
        assert answer.status_code == 200, link


@pytest.mark.parametrize("path", ["/api/v1/docs/", "/api/v1/problems/", "/api/v1/me", "/api/v1/nowhere"])
def test_whatever_the_api_answers_has_a_policy_that_lets_nothing_foreign_run(
    client: Client, path: str
) -> None:
    policy = client.get(path)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'unsafe-inline'" not in policy
    assert "http" not in policy
