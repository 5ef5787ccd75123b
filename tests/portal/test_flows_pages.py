"""The approval flow on pages: versions, drafts edited stage by stage, tried on the past, published."""

from datetime import datetime

import pytest
from django.test import Client

from govcloud.approvals import flows as services
from govcloud.approvals.models import FlowVersion
from tenants.models import Role, User
from tests.factories.approvals import INSTANT, Chain, case_of, chain
from tests.factories.tenants import member
from tests.portal.conftest import Signed
from tests.portal.reading import text


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def people(db: None) -> Chain:
    """With the default flow in force."""
    return chain()


@pytest.fixture
def admin(people: Chain) -> User:
    return member(Role.SYSTEM_ADMIN)


@pytest.fixture
def browser(admin: User, signed_in: Signed) -> Client:
    return signed_in(admin)


@pytest.fixture
def draft(browser: Client) -> FlowVersion:
    browser.post(f"/flows/{FlowVersion.objects.get().uuid}/draft/")
    return FlowVersion.objects.drafts().get()


@pytest.fixture
def publisher(draft: FlowVersion, signed_in: Signed) -> Client:
    """The browser after another administrator than who drafted has signed in."""
    return signed_in(member(Role.SYSTEM_ADMIN))


def typed(draft: FlowVersion, **changes: object) -> dict[str, object]:
    draft.refresh_from_db()
    stage = {
        "code": "level_3",
        "name": "三级评审",
        "name_en": "Level 3 review",
        "role": "technical_reviewer",
        "working_days": "2",
        "quorum": "one",
        "min_mlps_level": "3",
    }
    return {**stage, "version": draft.version, **changes}


def codes(draft: FlowVersion) -> list[str]:
    return list(draft.stages.values_list("code", flat=True))


def test_the_list_names_every_version_and_who_may_drafts_from_one(
    browser: Client, draft: FlowVersion, people: Chain, signed_in: Signed
) -> None:
    page = text(browser.get("/flows/"))
    for words in ("标准审批流程", "in force", "draft", "Draft from it"):
        assert words.lower() in page.lower()
    assert "Draft from it" not in text(signed_in(people.service_desk).get("/flows/"))
    assert signed_in(people.applicant).get("/flows/").status_code == 403


def test_a_stage_is_added_changed_moved_and_taken_out(browser: Client, draft: FlowVersion) -> None:
    url = f"/flows/{draft.uuid}/"
    assert browser.post(f"{url}new-stage/", typed(draft)).status_code == 302
    assert codes(draft)[-1] == "level_3"
    changed = typed(draft, quorum="some", quorum_count="2", also_roles=["cloud_admin"])
    assert browser.post(f"{url}stages/level_3/", changed).status_code == 302
    stage = draft.stages.get(code="level_3")
    assert (stage.quorum_count, stage.also_roles, stage.min_mlps_level) == (2, ["cloud_admin"], 3)
    form = browser.get(f"{url}stages/level_3/").content.decode()
    assert 'value="cloud_admin" checked' in " ".join(form.split()).replace('name="also_roles" ', "")
    for to, place in (("up", -2), ("down", -1)):
        draft.refresh_from_db()
        browser.post(f"{url}stages/level_3/place/", {"to": to, "version": draft.version})
        assert codes(draft)[place] == "level_3"
    draft.refresh_from_db()
    browser.post(f"{url}stages/level_3/place/", {"to": "out", "version": draft.version})
    assert "level_3" not in codes(draft)


def test_a_limit_of_no_days_is_the_same_day(browser: Client, draft: FlowVersion) -> None:
    url = f"/flows/{draft.uuid}/"
    assert browser.post(f"{url}new-stage/", typed(draft, working_days="0")).status_code == 302
    assert draft.stages.get(code="level_3").working_days == 0
    page = text(browser.get(url))
    assert (
        page.count("the same day") == 5
    )  # this one, two of the default flow, and the hints about building and confirming
    form = browser.get(f"{url}stages/level_3/").content.decode()
    assert 'min="0"' in form
    assert "0 is the same day" in form
    browser.post("/language/", {"language": "zh-hans", "next": url})
    assert text(browser.get(url)).count("当日") == 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"code": "Level 3"}, "cannot be a stage"),
        ({"min_amount": "many"}, "is no value for this condition"),
        ({"auto_below_amount": "1.234"}, "is no value for this condition"),
        ({"working_days": ""}, "working days"),
        ({"working_days": "-1"}, "0 (the same day) to 60 working days"),
        ({"quorum": "some"}, "Say how many"),
        ({"min_amount": "9" * 19}, "is no value for this condition"),
        ({"min_quantity": "NaN"}, "is no value for this condition"),
    ],
)
def test_a_refused_stage_comes_back_as_it_was_filled_in(
    browser: Client, draft: FlowVersion, changes: dict[str, str], words: str
) -> None:
    answer = browser.post(f"/flows/{draft.uuid}/new-stage/", typed(draft, name="三级专审", **changes))
    assert answer.status_code == 422
    assert words in text(answer)
    assert 'value="三级专审"' in answer.content.decode()
    assert "level_3" not in codes(draft)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "fulfilment_days",
            {
                "3": "What was approved is built within 3 working days.",
                "5": "within 5 working days",
                "0": "built on the same day",
                "": "built without a limit",
            },
        ),
        (
            "confirmation_days",
            {
                "3": "The department confirms what was delivered within 3 working days.",
                "1": "confirms what was delivered within 1 working day.",
                "0": "confirms what was delivered on the same day",
                "": "is not asked to confirm",
            },
        ),
    ],
)
def test_what_comes_after_the_stages_is_given_a_limit_and_rid_of_it(
    browser: Client, draft: FlowVersion, name: str, told: dict[str, str]
) -> None:
    url = f"/flows/{draft.uuid}/"
    assert told["3"] in text(browser.get(url))
    for given, words in told.items():
        draft.refresh_from_db()
        values = {"name": "2027", name: given, "version": draft.version}
        assert browser.post(f"{url}name/", values).status_code == 302
        draft.refresh_from_db()
        kept = int(given) if given else None
        assert (getattr(draft, name), words in text(browser.get(url))) == (kept, True)


@pytest.mark.parametrize("name", ["fulfilment_days", "confirmation_days"])
@pytest.mark.parametrize("given", ["soon", "61", "-1", "9" * 30, "٣"])
def test_such_a_limit_that_makes_no_sense_comes_back_as_it_was_typed(
    browser: Client, draft: FlowVersion, given: str, name: str
) -> None:
    values = {"name": "草稿二", name: given, "version": draft.version}
    answer = browser.post(f"/flows/{draft.uuid}/name/", values)
    assert (answer.status_code, "0 (the same day) to 60 working days" in text(answer)) == (422, True)
    assert f'value="{given}"' in answer.content.decode()
    assert 'value="草稿二"' in answer.content.decode()
    draft.refresh_from_db()
    assert getattr(draft, name) == 3


def test_who_edited_an_older_state_is_told(browser: Client, draft: FlowVersion) -> None:
    older = typed(draft)
    browser.post(
        f"/flows/{draft.uuid}/name/", {"name": "2027", "fulfilment_days": "", "version": draft.version}
    )
    assert browser.post(f"/flows/{draft.uuid}/new-stage/", older).status_code == 409


def test_it_is_tried_on_the_past(browser: Client, draft: FlowVersion, people: Chain, at: datetime) -> None:
    for _one in range(2):
        case_of(people, at=at)
    case_of(people, at=at, matter=INSTANT)
    browser.post(f"/flows/{draft.uuid}/new-stage/", typed(draft))
    page = text(browser.get(f"/flows/{draft.uuid}/?tried"))
    assert "2 of the last 3 matters would have gone by other people" in page
    assert "Level 3 review" in page
    assert "GC-2026-000001" not in page  # a system administrator as such reads no department's orders


def test_it_is_published_from_a_date_and_shown_as_to_come(publisher: Client, draft: FlowVersion) -> None:
    begun = {"begins": "2027-01-01T00:00", "version": draft.version}
    assert publisher.post(f"/flows/{draft.uuid}/publication/", begun).status_code == 302
    draft.refresh_from_db()
    assert (draft.number, draft.in_force_from.isoformat()) == (2, "2026-12-31T16:00:00+00:00")
    page = text(publisher.get("/flows/"))
    assert "To come".lower() in page.lower()
    assert "What to do with the draft" not in text(publisher.get(f"/flows/{draft.uuid}/"))
    assert publisher.get(f"/flows/{draft.uuid}/stages/intake/").status_code == 404


def test_a_version_that_would_be_superseded_is_named_before_publishing_and_shown_as_such_after(
    publisher: Client, draft: FlowVersion, admin: User, at: datetime
) -> None:
    further = services.draft(name="更正", based_on=draft, actor=admin, at=at)
    begun = {"begins": "2027-01-01T00:00", "version": draft.version}
    publisher.post(f"/flows/{draft.uuid}/publication/", begun)
    page = text(publisher.get(f"/flows/{further.uuid}/"))
    draft.refresh_from_db()
    assert f"{draft} is to come into force on" in page
    assert (
        publisher.post(f"/flows/{further.uuid}/publication/", {"begins": "", "version": 1}).status_code == 302
    )
    page = text(publisher.get("/flows/"))
    assert "superseded" in page.lower()
    assert "to come" not in page.lower()


def test_who_has_worked_on_it_reads_who_publishes_it(
    browser: Client, admin: User, draft: FlowVersion, signed_in: Signed
) -> None:
    url = f"/flows/{draft.uuid}/"
    told = f"another system administrator than those who have worked on this draft ({admin})"
    page = browser.get(url)
    assert told in " ".join(text(page).split())
    assert "publication/" not in page.content.decode()
    refused = browser.post(f"{url}publication/", {"begins": "", "version": draft.version})
    assert (refused.status_code, "another system administrator publishes it" in text(refused)) == (403, True)
    other = signed_in(member(Role.SYSTEM_ADMIN))
    assert "publication/" in other.get(url).content.decode()


@pytest.mark.parametrize("begins", ["2026-01-01T00:00", "soon"])
def test_not_from_a_date_that_is_over_or_none(publisher: Client, draft: FlowVersion, begins: str) -> None:
    given = {"begins": begins, "version": draft.version}
    answer = publisher.post(f"/flows/{draft.uuid}/publication/", given)
    assert (answer.status_code, f'value="{begins}"' in answer.content.decode()) == (422, True)


def test_what_keeps_it_from_being_published_is_named(browser: Client, draft: FlowVersion) -> None:
    for code in codes(draft):
        draft.refresh_from_db()
        browser.post(f"/flows/{draft.uuid}/stages/{code}/place/", {"to": "out", "version": draft.version})
    assert "Each matter must go through at least one stage" in text(browser.get(f"/flows/{draft.uuid}/"))


def test_it_is_thrown_away(browser: Client, draft: FlowVersion) -> None:
    assert browser.post(f"/flows/{draft.uuid}/discarding/", {"version": draft.version}).status_code == 302
    assert not FlowVersion.objects.drafts().exists()


@pytest.mark.parametrize("path", ["draft/", "name/", "new-stage/", "publication/", "discarding/"])
def test_others_do_not_edit(draft: FlowVersion, people: Chain, signed_in: Signed, path: str) -> None:
    other = signed_in(people.cloud_admin)
    assert other.post(f"/flows/{draft.uuid}/{path}", typed(draft)).status_code == 403


def test_in_chinese(admin: User, draft: FlowVersion, signed_in: Signed) -> None:
    page = text(signed_in(admin, language="zh-hans").get(f"/flows/{draft.uuid}/"))
    for words in ("环节（按顺序）", "单位审批", "历史试算", "需要两人"):
        assert words in page
