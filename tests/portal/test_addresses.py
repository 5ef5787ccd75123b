"""Every address that a page leads to answers GET, also of a page that was answered to a form."""

import re
from datetime import datetime
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import resolve

from govcloud.portal.urls import urlpatterns
from tests.factories.approvals import absence
from tests.portal import scenes
from tests.portal.conftest import Signed

WITHOUT_A_PAGE = {"/sign-out/", "/language/"}
FILLED = {"uuid": str(UUID(int=1)), "int": "1", "slug": "x", "str": "x"}


def addresses() -> list[str]:
    """Of every view of the portal, about something that there is not."""
    return sorted(
        "/" + re.sub(r"<(\w+):\w+>", lambda found: FILLED[found[1]], str(pattern.pattern))
        for pattern in urlpatterns
    )


def takes_forms_alone(path: str) -> bool:
    request = RequestFactory().get(path)
    request.user = AnonymousUser()
    found = resolve(path)
    return found.func(request, *found.args, **found.kwargs).status_code == 405


def test_every_view_that_takes_forms_alone_is_below_the_page_that_has_the_form(
    people: scenes.Cast, signed_in: Signed
) -> None:
    browser = signed_in(people.admin)
    deeds = [path for path in addresses() if path != "/sign-in/" and takes_forms_alone(path)]
    assert len(deeds) > 40
    for path in deeds:
        answer = browser.get(f"{path}?page=2")
        page, _mark, query = answer.headers["Location"].partition("?")
        assert (answer.status_code, query) == (302, "page=2"), path
        assert path.startswith(page), path
        assert (page == "/") == (path in WITHOUT_A_PAGE), path
        assert browser.get(answer.headers["Location"], follow=True).status_code in {200, 403, 404}, path


def test_other_methods_are_refused_as_before(people: scenes.Cast, signed_in: Signed) -> None:
    browser = signed_in(people.admin)
    assert browser.put("/inbox/reading/").status_code == 405
    assert browser.get("/api/v1/messages/reading").status_code == 405


def led_on(browser: Client, answer: HttpResponse) -> str:
    """The address after the language has been switched on the page."""
    (form,) = re.findall(r'name="next" value="([^"]+)"', answer.content.decode())
    switched = browser.post("/language/", {"language": "zh-hans", "next": form}, follow=True)
    assert switched.status_code == 200
    return switched.request["PATH_INFO"]


def test_the_language_is_switched_on_a_page_that_refused_a_form(
    people: scenes.Cast, signed_in: Signed, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    order = scenes.submitted(people, at=at)
    browser = signed_in(people.approver)
    refused = browser.post(f"/orders/{order.number}/decision/delegation/", {"stage": "unit"})
    assert refused.status_code == 422
    assert led_on(browser, refused) == f"/orders/{order.number}/decision/"


def test_and_on_that_of_what_is_over(
    people: scenes.Cast, signed_in: Signed, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    over = absence(people.approver, people.desk, begins=at.replace(year=2025))
    browser = signed_in(people.approver)
    refused = browser.post(f"/absences/{over.uuid}/end/")
    assert refused.status_code == 409
    assert led_on(browser, refused) == "/absences/"
