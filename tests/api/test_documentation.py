"""The API describes itself, offline, and the description that is committed is the one that is served."""

import io
import re
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from api import description

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
    answer = client.get("/api/v1/schema/", headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/vnd.oai.openapi")
    assert yaml.safe_load(answer.content)["info"]["title"] == "govcloud"
    as_json = client.get("/api/v1/schema/?lang=en", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert as_json.json() == yaml.safe_load(answer.content)
    assert 'filename="govcloud.json"' in as_json["Content-Disposition"]


def test_the_schema_is_made_once_for_each_language_and_format(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    plain = SchemaGenerator.get_schema
    monkeypatch.setattr(
        SchemaGenerator, "get_schema", lambda self, **options: made.append(1) or plain(self, **options)
    )
    description._rendered.cache_clear()
    english, again, chinese = (client.get(f"/api/v1/schema/?lang={lang}") for lang in ("en", "en", "zh-hans"))
    assert (english.content, len(made)) == (again.content, 2)
    assert chinese.content != english.content
    assert client.get("/api/v1/schema/?lang=de", headers={"Accept-Language": "en"}).content == english.content
    assert len(made) == 2


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
