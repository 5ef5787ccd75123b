"""People on their pages: their roles, handing over, and the review of access."""

import re
from datetime import datetime, timedelta

import pytest
from django.http import HttpResponse
from django.test import Client

from govcloud.notifications import webhooks
from govcloud.notifications.webhooks import WebhookDraft
from govcloud.orders.models import Order
from govcloud.organisation.models import AccessReview, ReviewLine
from tenants.models import Role, User
from tests.factories.orders import Scene, drafted, scene
from tests.factories.organisation import review_of
from tests.factories.tenants import DepartmentFactory, UserFactory, member
from tests.portal.conftest import Signed
from tests.portal.reading import forms_of, text

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def keeper(signed_in: Signed) -> Client:
    return signed_in(member(Role.SECURITY_ADMIN, display_name="安全员"))


def test_people_are_listed_with_their_roles(keeper: Client, on: Scene) -> None:
    UserFactory(display_name="闲人")
    UserFactory(display_name="旧人", is_active=False)
    page = text(keeper.get("/people/"))
    assert f"{on.applicant} {on.applicant.username} applicant" in page
    assert "闲人" not in page
    assert "闲人" in text(keeper.get("/people/?view=idle"))
    assert "旧人" in text(keeper.get("/people/?view=left"))
    assert "applicant" in text(keeper.get(f"/people/?unit={on.department.uuid}&page=9"))
    assert keeper.get("/people/?unit=nonsense").status_code == 200


def test_a_unit_approver_sees_the_people_of_the_unit_alone(on: Scene, signed_in: Signed) -> None:
    stranger = member(Role.APPLICANT, DepartmentFactory())
    browser = signed_in(on.chain[Role.UNIT_APPROVER])
    assert str(stranger) not in text(browser.get("/people/"))
    assert browser.get(f"/people/{stranger.uuid}/").status_code == 404
    assert signed_in(on.applicant).get("/people/").status_code == 403


def test_a_list_of_people_is_taken_out_with_a_line_for_each_role(keeper: Client, on: Scene) -> None:
    rows = keeper.get("/people/export.csv").content.decode("utf-8-sig").splitlines()
    assert sum(on.applicant.username in row for row in rows) == 1
    assert any("service desk" in row for row in rows)


def seen(page: HttpResponse) -> str:
    """What the look shows, as the confirming form sends it back."""
    return re.search(r'name="seen" value="(\w+)"', page.content.decode())[1]  # type: ignore[index]


def test_somebody_leaves_after_a_look_at_what_moves(keeper: Client, on: Scene, at: datetime) -> None:
    order, successor = drafted(on, at=at), member(Role.APPLICANT, on.department, display_name="接手人")
    url = f"/people/{on.applicant.uuid}/"
    first = text(keeper.get(url))
    assert ("接手人" in first, "Hand over and shut out" in first) == (True, False)
    typed = {"successor": str(successor.uuid), "reason": "retired"}
    look = keeper.post(f"{url}departure/", {**typed, "look": "1"})
    assert f"{order.number} {order.title} draft 接手人" in text(look)
    assert "Nothing has been changed yet" in text(look)
    done = keeper.post(f"{url}departure/", {**typed, "leave": "1", "seen": seen(look)})
    assert done.status_code == 302
    assert Order.objects.get().applicant == successor
    assert not User.objects.get(pk=on.applicant.pk).is_active
    assert "Left; work handed over" in text(keeper.get(url))


def test_what_was_not_looked_at_is_not_confirmed(keeper: Client, on: Scene, at: datetime) -> None:
    drafted(on, at=at)
    successor = member(Role.APPLICANT, on.department)
    url = f"/people/{on.applicant.uuid}/departure/"
    typed = {"successor": str(successor.uuid), "reason": "retired"}
    look = keeper.post(url, {**typed, "look": "1"})
    drafted(on, at=at)  # meanwhile
    for stale in ({"seen": seen(look)}, {}):
        answer = keeper.post(url, {**typed, **stale, "leave": "1"})
        assert (answer.status_code, "look again" in text(answer)) == (409, True)
    assert User.objects.get(pk=on.applicant.pk).is_active
    assert keeper.post(url, {**typed, "seen": seen(answer), "leave": "1"}).status_code == 302


def test_an_order_that_nobody_takes_over_stands_in_the_way(keeper: Client, on: Scene, at: datetime) -> None:
    drafted(on, at=at)
    member(Role.APPLICANT, on.department)
    url = f"/people/{on.applicant.uuid}/departure/"
    look = keeper.post(url, {"look": "1"})
    answer = keeper.post(url, {"reason": "retired", "leave": "1", "seen": seen(look)})
    assert (answer.status_code, "None of the successors" in text(answer)) == (409, True)


def test_a_handover_is_forced_where_nobody_else_is(keeper: Client, on: Scene) -> None:
    url = f"/people/{on.applicant.uuid}/departure/"
    look = keeper.post(url, {"look": "1"})
    assert "Nobody else would be" in text(look)
    typed = {"reason": "retired", "leave": "1", "seen": seen(look)}
    assert keeper.post(url, typed).status_code == 409
    assert keeper.post(url, {**typed, "force": "yes"}).status_code == 302


def test_the_webhooks_of_who_leaves_are_named_before(keeper: Client, on: Scene, at: datetime) -> None:
    approver = on.chain[Role.UNIT_APPROVER]
    draft = WebhookDraft(name="政务总线", url="https://bus.example/")
    webhooks.register(draft=draft, department=on.department, actor=approver, at=at)
    look = text(keeper.post(f"/people/{approver.uuid}/departure/", {"look": "1"}))
    assert "Webhook that gets nothing any more until somebody else switches it on: 政务总线" in look


def test_nobody_lets_themselves_go(keeper: Client) -> None:
    own = User.objects.get(display_name="安全员")
    assert "Look what would move" not in text(keeper.get(f"/people/{own.uuid}/"))
    assert keeper.post(f"/people/{own.uuid}/departure/", {"reason": "x", "leave": "1"}).status_code == 403


def test_the_security_administrator_opens_a_review(keeper: Client, on: Scene) -> None:
    form = {"title": "年度复核", "due": "2026-12-31", "unit": on.department.credit_code}
    opened = keeper.post("/access-reviews/", form)
    review = AccessReview.objects.get()
    assert opened.headers["Location"] == f"/access-reviews/{review.uuid}/"
    assert review.lines.count() == 2
    assert review.due_at.isoformat() == "2026-12-31T15:59:59+00:00"
    assert "2 of 2" in text(keeper.get("/access-reviews/"))


@pytest.mark.parametrize(
    "changes", [{"due": "soon"}, {"due": "2026-02-31"}, {"due": "2020-01-01"}, {"title": ""}]
)
def test_a_review_that_makes_no_sense_is_not_opened(
    keeper: Client, on: Scene, changes: dict[str, str]
) -> None:
    form = {"title": "年度复核", "due": "2026-12-31", "unit": on.department.credit_code, **changes}
    page = keeper.post("/access-reviews/", form)
    assert page.status_code == 422
    assert f'value="{on.department.credit_code}" selected' in page.content.decode()
    assert not AccessReview.objects.exists()


def test_an_approver_confirms_and_ends_but_not_their_own(on: Scene, signed_in: Signed, at: datetime) -> None:
    approver, other = on.chain[Role.UNIT_APPROVER], member(Role.APPLICANT, on.department)
    review = review_of(on.department, at=at - DAY)
    browser, page = signed_in(approver), f"/access-reviews/{review.uuid}/"
    assert "somebody else decides on your own" in text(browser.get(page))

    def decide(person: User, **form: str) -> int:
        line = ReviewLine.objects.get(membership__user=person)
        return browser.post(f"{page}lines/{line.uuid}/decision/", form).status_code

    assert decide(on.applicant, verdict="confirmed") == 302
    assert decide(other, verdict="ended") == 422
    assert decide(other, verdict="ended", reason="moved on") == 302
    assert decide(approver, verdict="confirmed") == 403
    own = ReviewLine.objects.get(membership__user=approver)
    refused = browser.post(f"{page}lines/{own.uuid}/decision/", {"verdict": "ended", "reason": "已调离岗位"})
    assert "What you had written 已调离岗位" in text(refused)
    decided = text(browser.get(f"{page}?view=decided"))
    assert "moved on" in decided
    assert "1 of 3 to be reviewed" in decided


def test_the_reason_why_a_role_ends_belongs_to_the_form_that_ends_it(
    on: Scene, signed_in: Signed, at: datetime
) -> None:
    """Enter in a field presses the first button of its form, and no verdict can be taken back."""
    review = review_of(on.department, at=at - DAY)
    line = ReviewLine.objects.get(membership__user=on.applicant)
    page = signed_in(on.chain[Role.UNIT_APPROVER]).get(f"/access-reviews/{review.uuid}/")
    offered = forms_of(page, to=f"/access-reviews/{review.uuid}/lines/{line.uuid}/decision/")
    assert [(form.presses, form.texts) for form in offered] == [
        (["verdict=confirmed"], []),
        (["verdict=ended"], ["reason"]),
    ]


def test_what_is_late_is_shown_as_such_and_the_evidence_is_taken_out(
    keeper: Client, on: Scene, at: datetime
) -> None:
    review = review_of(on.department, at=at - 11 * DAY)
    page = f"/access-reviews/{review.uuid}/"
    assert "overdue" in text(keeper.get("/access-reviews/"))
    assert str(on.applicant) in text(keeper.get(f"{page}?view=overdue"))
    rows = keeper.get(f"{page}export.csv").content.decode("utf-8-sig").splitlines()
    assert len(rows) == 3
    assert keeper.post(f"{page}closing/", {"reason": "unit did not answer"}).status_code == 302
    assert "Close the review" not in text(keeper.get(page))
