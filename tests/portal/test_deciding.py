"""Deciding on pages: from the to-do list to the signature, alone and with others."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.http import HttpResponse
from django.test import Client

from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Absence, Consultation, Decision, Reminder, Seat
from govcloud.audit.models import Event, Outcome
from govcloud.clouds.models import StoragePool
from govcloud.orders.drafts import LimitDraft
from govcloud.orders.models import Attachment, Order
from govcloud.orders.rules.of_items import LeaseOutOfRange
from govcloud.orders.rules.of_targets import ResourceNotInUse
from govcloud.portal.deciding import objections
from govcloud.quotas.models import Dimension
from tenants.models import Role
from tests.factories.approvals import absence
from tests.factories.clouds import room
from tests.factories.orders import BACKUP, NETWORK, SERVERS, scene, submitted
from tests.factories.tenants import grant, member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def order(people: scenes.Cast, at: datetime) -> Order:
    """With the unit."""
    return scenes.submitted(people, at=at)


@pytest.fixture
def url(order: Order) -> str:
    return f"/orders/{order.number}/"


def sign(browser: Client, url: str, **given: str) -> object:
    typed = {"verb": "approve", "opinion": "", "revision_hash": scenes.DIGEST, "stage": "unit", **given}
    return browser.post(f"{url}decision/", typed)


def current(order: Order) -> str:
    return order.case.stages.get(status=StageStatus.CURRENT).code


class TestTheDecision:
    def test_the_to_do_list_leads_to_it(self, people: scenes.Cast, url: str, signed_in: Signed) -> None:
        browser = signed_in(people.approver)
        assert f'href="{url}decision/"' in browser.get("/orders/?view=todo").content.decode()
        page = text(browser.get(f"{url}decision/"))
        for words in ("Your decision: Unit approval", "approve with conditions", "¥1,812.00", "With others"):
            assert words.lower() in page.lower()

    @pytest.mark.django_db
    def test_a_raise_whose_last_day_is_over_is_told_before_it_is_signed(
        self, signed_in: Signed, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        on = scene(limits={"vcpus": 100})
        last = at.date() + timedelta(days=2)
        draft = LimitDraft(dimension=Dimension.VCPUS, limit=200, until=last)
        order = submitted(on, at=at, items=(draft,))
        path = f"/orders/{order.number}/decision/"
        browser = signed_in(on.chain[Role.UNIT_APPROVER])
        assert "and that is over" not in text(browser.get(path))
        monkeypatch.setattr("govcloud.clock.now", lambda: at + timedelta(days=3))
        browser = signed_in(on.chain[Role.UNIT_APPROVER])
        told = f"It was asked for until {last}, and that is over. It cannot be approved any more, only returned or rejected."
        assert told in text(browser.get(path))

    @pytest.mark.django_db
    def test_what_has_come_up_since_the_submission_is_told_before_it_is_signed(
        self, signed_in: Signed, at: datetime
    ) -> None:
        on = scene()
        path = f"/orders/{submitted(on, at=at).number}/decision/"
        browser = signed_in(on.chain[Role.UNIT_APPROVER])
        assert "has come up since it was submitted" not in text(browser.get(path))
        on.catalogue.flavors["g.4c16g"].retired_at = at
        on.catalogue.flavors["g.4c16g"].save()
        told = text(browser.get(path))
        assert "This has come up since it was submitted." in told
        assert "g.4c16g" in told[told.index("its last approval may be refused") :][:200]

    @pytest.mark.django_db
    def test_what_has_come_up_about_several_items_is_told_once_with_their_names(
        self, signed_in: Signed, at: datetime
    ) -> None:
        on = scene()
        more = (replace(SERVERS, name=name, quantity=1) for name in ("web", "db"))
        order = submitted(on, at=at, items=(NETWORK, *more, BACKUP))
        on.catalogue.flavors["g.4c16g"].retired_at = at
        on.catalogue.flavors["g.4c16g"].save()
        page = signed_in(on.chain[Role.UNIT_APPROVER]).get(f"/orders/{order.number}/decision/")
        told = text(page)
        said = told[told.index("its last approval may be refused") :][:200]
        assert "web, db" in said
        assert said.count("g.4c16g") == 1

    def test_what_has_come_up_does_not_name_its_item_twice(self, order: Order) -> None:
        name = order.items.get(position=0).name
        named = ResourceNotInUse(name=name, status="being changed", pointers=("/items/0/target",))
        unnamed = LeaseOutOfRange(months=13, pointers=("/items/0/lease_months",))
        assert [each.names for each in objections.told([named, unnamed], order)] == [[], [name]]

    def test_the_files_of_the_order_are_at_hand(
        self, people: scenes.Cast, order: Order, url: str, signed_in: Signed, at: datetime
    ) -> None:
        paper = Attachment.objects.create(
            order=order, name="批复.pdf", size=2048, sha256="0" * 64, content_type="application/pdf", scanned=True,
            added_by=people.applicant, added_at=at, first_revision=1,
        )  # fmt: skip
        page = signed_in(people.approver).get(f"{url}decision/")
        assert f'href="{url}files/{paper.uuid}/"' in page.content.decode()
        assert "批复.pdf" in text(page)
        assert "2.0 KB" in text(page).replace("\xa0", " ")

    def test_the_grounds_tell_what_the_clouds_have_left_of_storage_as_well(
        self, people: scenes.Cast, url: str, signed_in: Signed, at: datetime
    ) -> None:
        cloud = people.catalogue.cloud
        room(cloud, at=at, vcpus=160, used=20)
        StoragePool.objects.create(cloud=cloud, name="ssd", total_gb=1000, free_gb=250)
        StoragePool.objects.create(cloud=cloud, name="odd")  # its back end does not say
        page = text(signed_in(people.approver).get(f"{url}decision/"))
        assert "20 / 160" in page
        assert "odd: unknown ssd: 250 / 1,000" in page

    def test_it_is_signed_and_the_order_shows_it(
        self, people: scenes.Cast, order: Order, url: str, signed_in: Signed
    ) -> None:
        browser = signed_in(people.approver)
        answer = sign(browser, url, verb="approve_with_conditions", opinion="三个月后复核")
        assert (answer.status_code, answer.headers["Location"]) == (302, url)
        page = text(browser.get(url))
        assert "approved with conditions" in page.lower()
        assert "三个月后复核" in page
        assert current(order) == "intake"

    def test_a_refusal_keeps_what_was_typed(self, people: scenes.Cast, url: str, signed_in: Signed) -> None:
        answer = sign(signed_in(people.approver), url, verb="return", opinion=" ")
        assert answer.status_code == 422
        assert 'value="return"' in answer.content.decode().split("checked")[0].rsplit("<input", 1)[1]
        answer = sign(signed_in(people.approver), url, opinion="同意，请按三级要求", revision_hash="stale")
        assert answer.status_code == 409
        assert "同意，请按三级要求" in answer.content.decode()
        assert not Decision.objects.exists()

    @pytest.mark.parametrize(
        ("language", "words"), [("en", "Choose what you decide."), ("zh-hans", "请选择办理意见。")]
    )
    def test_without_a_choice_it_is_asked_for_in_plain_words(
        self, people: scenes.Cast, url: str, signed_in: Signed, language: str, words: str
    ) -> None:
        answer = sign(signed_in(people.approver, language=language), url, verb="", opinion="同意扩容")
        page = text(answer)
        assert (answer.status_code, words in page, "approve_with_conditions" in page) == (422, True, False)
        assert "同意扩容" in answer.content.decode().split("<textarea")[1].split("</textarea>")[0]
        assert not Decision.objects.exists()

    @pytest.mark.parametrize(("opinion", "folds"), [("同意", 0), ("请补充" * 100, 1), ("一\n" * 12, 1)])
    def test_a_long_opinion_is_folded_on_the_orders_page(
        self, people: scenes.Cast, url: str, signed_in: Signed, opinion: str, folds: int
    ) -> None:
        browser = signed_in(people.approver)
        sign(browser, url, opinion=opinion)
        page = browser.get(url).content.decode()
        assert page.count('<details class="said">') == folds
        assert opinion.splitlines()[0] in page.split('<blockquote class="opinion">')[1]

    def test_who_is_needed_at_a_later_step_reads_it_before_signing(
        self, people: scenes.Cast, order: Order, url: str, signed_in: Signed
    ) -> None:
        words = "Once you have signed, nobody is left for the step “Intake”"
        assert words not in text(signed_in(people.approver).get(f"{url}decision/"))
        grant(people.desk, Role.UNIT_APPROVER, people.department)
        browser = signed_in(people.desk)
        page = text(browser.get(f"{url}decision/"))
        assert f"{words}: each person signs once. Leave this approval to {people.approver}" in page
        assert sign(browser, url).status_code == 409
        assert current(order) == "unit"

    def test_who_comes_second_is_told_and_keeps_their_words(
        self, people: scenes.Cast, url: str, signed_in: Signed
    ) -> None:
        sign(signed_in(people.approver), url)
        colleague = member(Role.UNIT_APPROVER, people.department)
        answer = sign(signed_in(colleague), url, opinion="我也同意")
        assert answer.status_code == 409
        page = text(answer)
        assert "Somebody else has decided this step a moment ago." in page
        assert "我也同意" in page
        assert Decision.objects.count() == 1

    def test_the_applicant_cannot_and_the_attempt_is_audited(
        self, people: scenes.Cast, order: Order, url: str, signed_in: Signed
    ) -> None:
        browser = signed_in(people.applicant)
        assert browser.get(f"{url}decision/").headers["Location"] == url
        assert sign(browser, url).status_code == 403
        assert Event.objects.filter(outcome=Outcome.REFUSED, reason="self-approval").count() == 1
        assert current(order) == "unit"

    def test_a_stranger_finds_nothing(self, people: scenes.Cast, url: str, signed_in: Signed) -> None:
        browser = signed_in(people.foreigner)
        assert browser.get(f"{url}decision/").status_code == 404
        assert sign(browser, url).status_code == 404

    def test_in_chinese(self, people: scenes.Cast, url: str, signed_in: Signed) -> None:
        page = text(signed_in(people.approver, language="zh-hans").get(f"{url}decision/"))
        for words in ("您的办理意见", "附条件同意", "退回补正", "转办", "加签", "征求意见"):
            assert words in page

    @pytest.mark.parametrize("given", [{"verb": "maybe"}, {"stage": "intake"}, {"opinion": "x" * 2_001}])
    def test_what_no_form_sends_is_refused(
        self, people: scenes.Cast, order: Order, url: str, signed_in: Signed, given: dict[str, str]
    ) -> None:
        assert sign(signed_in(people.approver), url, **given).status_code in {409, 422}
        assert current(order) == "unit"


class TestWithOthers:
    def test_it_is_delegated_and_given_to_another(
        self, people: scenes.Cast, order: Order, url: str, signed_in: Signed
    ) -> None:
        browser = signed_in(people.approver)
        given = {"stage": "unit", "person": str(people.admin.uuid), "reason": "出差"}
        assert browser.post(f"{url}decision/delegation/", given).status_code == 302
        seat = Seat.objects.get(status="open")
        assert (seat.person, seat.given_by) == (people.admin, people.approver)
        page = text(browser.get(f"{url}decision/"))
        assert "You gave it to 蒙立: name another" in page
        assert "Your decision" not in page
        member(Role.TECHNICAL_REVIEWER)  # for the step that is the reviewer's
        again = {**given, "person": str(people.reviewer.uuid), "seat": str(seat.uuid)}
        assert browser.post(f"{url}decision/delegation/", again).status_code == 302
        assert text(signed_in(people.applicant).get(url)).count("陆一帆") > 0
        assert sign(signed_in(people.reviewer), url).status_code == 302
        assert current(order) == "intake"

    def test_the_page_tells_for_good_who_delegated_to_whom_and_why(
        self, people: scenes.Cast, url: str, signed_in: Signed
    ) -> None:
        given = {"stage": "unit", "person": str(people.admin.uuid), "reason": "出差"}
        signed_in(people.approver).post(f"{url}decision/delegation/", given)
        asked = {
            "stage": "unit",
            "person": str(people.reviewer.uuid),
            "question": "容量？",
            "manner": "advisory",
        }
        assert signed_in(people.admin).post(f"{url}decision/consultation/", asked).status_code == 302
        chinese = text(signed_in(people.applicant, language="zh-hans").get(url))
        assert "黄岚转办给蒙立：出差" in chinese
        assert "（尚未答复）" in chinese
        assert "(尚未答复)" not in chinese
        assert sign(signed_in(people.admin), url).status_code == 302
        page = text(signed_in(people.applicant).get(url))
        assert "delegated by 黄岚 to 蒙立: 出差" in page
        assert "Delegated to 蒙立" in page
        assert "Opinion of 陆一帆 asked for" in page

    def test_of_what_a_substitute_gives_both_names_are_told(
        self, people: scenes.Cast, url: str, signed_in: Signed, at: datetime
    ) -> None:
        absence(people.approver, people.admin, begins=at - timedelta(hours=1))
        member(Role.TECHNICAL_REVIEWER)  # for the step that is the reviewer's
        given = {"stage": "unit", "person": str(people.reviewer.uuid), "reason": "涉及容量"}
        assert signed_in(people.admin).post(f"{url}decision/reviewer/", given).status_code == 302
        page = text(signed_in(people.applicant).get(url))
        assert "added reviewer by 蒙立 on behalf of 黄岚, still to sign" in page

    def test_what_a_substitute_has_given_away_is_taken_back(
        self, people: scenes.Cast, order: Order, url: str, signed_in: Signed, at: datetime
    ) -> None:
        absence(people.approver, people.admin, begins=at - timedelta(hours=1))
        member(Role.TECHNICAL_REVIEWER)  # for the step that is the reviewer's
        given = {"stage": "unit", "person": str(people.reviewer.uuid), "reason": "出差"}
        assert signed_in(people.admin).post(f"{url}decision/delegation/", given).status_code == 302
        browser = signed_in(people.approver)
        page = text(browser.get(f"{url}decision/"))
        assert "蒙立 gave it to 陆一帆 on your behalf: name another" in page
        seat = Seat.objects.get(status="open")
        again = {**given, "person": str(people.approver.uuid), "seat": str(seat.uuid)}
        assert browser.post(f"{url}decision/delegation/", again).status_code == 302
        assert sign(browser, url).status_code == 302
        assert current(order) == "intake"

    def test_the_applicant_is_not_among_those_it_can_be_given_to(
        self, people: scenes.Cast, url: str, signed_in: Signed
    ) -> None:
        browser = signed_in(people.approver)
        assert str(people.applicant.uuid) not in browser.get(f"{url}decision/").content.decode()
        given = {"stage": "unit", "person": str(people.applicant.uuid), "reason": "出差"}
        answer = browser.post(f"{url}decision/delegation/", given)
        assert (answer.status_code, "出差" in answer.content.decode()) == (422, True)
        assert not Seat.objects.exclude(person=None).exists()

    def test_a_reviewer_is_added_and_everybody_sees_who_has_yet_to_sign(
        self, people: scenes.Cast, order: Order, url: str, signed_in: Signed
    ) -> None:
        browser = signed_in(people.approver)
        given = {"stage": "unit", "person": str(people.admin.uuid), "reason": "涉及容量"}
        assert browser.post(f"{url}decision/reviewer/", given).status_code == 302
        sign(browser, url, opinion="同意")
        page = text(signed_in(people.applicant).get(url))
        assert "added reviewer by 黄岚, still to sign" in page
        assert current(order) == "unit"

    def test_an_opinion_is_asked_for_answered_and_read_by_the_applicant(
        self, people: scenes.Cast, order: Order, url: str, signed_in: Signed
    ) -> None:
        question = {
            "stage": "unit",
            "person": str(people.reviewer.uuid),
            "question": "够吗？",
            "manner": "awaited",
        }
        assert signed_in(people.approver).post(f"{url}decision/consultation/", question).status_code == 302
        assert sign(signed_in(people.approver), url).status_code == 409
        asked = Consultation.objects.get()
        browser = signed_in(people.reviewer)
        assert order.number in text(browser.get("/orders/?view=todo"))
        assert "asks for your opinion" in text(browser.get(url))
        assert (
            browser.post(f"{url}decision/consultation/{asked.uuid}/answer/", {"answer": "够"}).status_code
            == 302
        )
        assert "Answer: 够" in text(signed_in(people.applicant).get(url))
        assert sign(signed_in(people.approver), url).status_code == 302

    def test_an_opinion_is_done_without(self, people: scenes.Cast, url: str, signed_in: Signed) -> None:
        browser = signed_in(people.approver)
        question = {
            "stage": "unit",
            "person": str(people.reviewer.uuid),
            "question": "够吗？",
            "manner": "awaited",
        }
        browser.post(f"{url}decision/consultation/", question)
        asked = Consultation.objects.get()
        assert browser.post(f"{url}decision/consultation/{asked.uuid}/waiver/").status_code == 302
        assert sign(browser, url).status_code == 302

    def test_it_is_reminded_of_once_a_day(self, people: scenes.Cast, url: str, signed_in: Signed) -> None:
        browser = signed_in(people.applicant)
        assert browser.post(f"{url}reminder/", {"text": "周五上线"}).status_code == 302
        page = browser.get(url)
        assert "Reminded by 韦小禾" in text(page)
        assert "the next reminder is possible from" in text(page)
        assert f"{url}reminder/" not in page.content.decode()
        assert browser.post(f"{url}reminder/", {"text": "再催"}).status_code == 409
        assert Reminder.objects.count() == 1


def said_back(page: HttpResponse, words: str) -> tuple[bool, int]:
    """Whether it is told as what had been written, and how often the words are on the page."""
    return ("What you had written" in text(page), page.content.decode().count(words))


class TestWhatWasWrittenForAFormThatIsGone:
    """The turn is over, or the opinion not wanted any more: what was typed is shown to be taken along."""

    def test_an_answer_that_nobody_waits_for_any_more(
        self, people: scenes.Cast, url: str, signed_in: Signed
    ) -> None:
        question = {"stage": "unit", "person": str(people.reviewer.uuid), "question": "够吗？"}
        signed_in(people.approver).post(f"{url}decision/consultation/", {**question, "manner": "awaited"})
        asked = Consultation.objects.get()
        path = f"{url}decision/consultation/{asked.uuid}/"
        long = signed_in(people.reviewer).post(f"{path}answer/", {"answer": "容量足够" * 600})
        assert (long.status_code, said_back(long, "容量足够" * 600)) == (422, (False, 1))
        signed_in(people.approver).post(f"{path}waiver/")
        late = signed_in(people.reviewer).post(f"{path}answer/", {"answer": "容量足够，但须扩存储"})
        assert (late.status_code, said_back(late, "容量足够，但须扩存储")) == (409, (True, 1))

    @pytest.mark.parametrize(
        ("form", "field"),
        [("delegation", "reason"), ("reviewer", "reason"), ("consultation", "question")],
    )
    def test_a_reason_or_a_question_once_the_turn_is_gone(
        self, people: scenes.Cast, url: str, signed_in: Signed, form: str, field: str
    ) -> None:
        given = {
            "stage": "unit",
            "person": str(people.admin.uuid),
            field: "出差，请代为审核",
            "manner": "awaited",
        }
        wrong = signed_in(people.approver).post(f"{url}decision/{form}/", {**given, "person": ""})
        assert (wrong.status_code, said_back(wrong, "出差，请代为审核")) == (422, (False, 1))
        sign(signed_in(member(Role.UNIT_APPROVER, people.department)), url)
        late = signed_in(people.approver).post(f"{url}decision/{form}/", given)
        assert late.status_code in {403, 409}
        assert said_back(late, "出差，请代为审核") == (True, 1)

    def test_the_reason_to_give_to_another_what_was_signed_meanwhile(
        self, people: scenes.Cast, url: str, signed_in: Signed
    ) -> None:
        given = {"stage": "unit", "person": str(people.admin.uuid), "reason": "出差"}
        signed_in(people.approver).post(f"{url}decision/delegation/", given)
        seat = Seat.objects.get(status="open")
        member(Role.TECHNICAL_REVIEWER)
        sign(signed_in(people.admin), url)
        again = {**given, "person": str(people.reviewer.uuid), "seat": str(seat.uuid), "reason": "他也出差"}
        late = signed_in(people.approver).post(f"{url}decision/delegation/", again)
        assert (late.status_code, said_back(late, "他也出差")) == (409, (True, 1))

    def test_the_text_of_a_reminder_that_comes_too_late(
        self, people: scenes.Cast, url: str, signed_in: Signed
    ) -> None:
        browser = signed_in(people.applicant)
        browser.post(f"{url}reminder/", {"text": "周五上线"})
        again = browser.post(f"{url}reminder/", {"text": "周五一定上线"})
        assert (again.status_code, said_back(again, "周五一定上线")) == (409, (False, 1))
        sign(signed_in(people.approver), url, verb="reject", opinion="不同意")
        late = signed_in(people.applicant).post(f"{url}reminder/", {"text": "周五一定上线"})
        assert (late.status_code, said_back(late, "周五一定上线")) == (409, (True, 1))


class TestSubstitutes:
    def test_one_is_named_for_whole_days_and_ended(self, people: scenes.Cast, signed_in: Signed) -> None:
        browser = signed_in(people.approver)
        given = {
            "substitute": str(people.admin.uuid),
            "first": "2026-11-20",
            "last": "2026-11-24",
            "reason": "休假",
        }
        assert browser.post("/absences/", given).status_code == 302
        named = Absence.objects.get()
        assert (named.starts_at.isoformat(), named.ends_at.isoformat()) == (
            "2026-11-19T16:00:00+00:00",
            "2026-11-24T16:00:00+00:00",
        )
        page = text(browser.get("/absences/"))
        assert "蒙立" in page
        assert "20 Nov 2026" in page
        assert "24 Nov 2026" in page  # the last day, not the midnight after it
        assert "25 Nov 2026" not in page
        assert browser.post(f"/absences/{named.uuid}/end/").status_code == 302
        named.refresh_from_db()
        assert named.ends_at == named.starts_at

    @pytest.mark.parametrize("changed", [{"first": "tomorrow"}, {"last": "2026-11-01"}, {"substitute": ""}])
    def test_what_makes_no_sense_comes_back_with_what_was_typed(
        self, people: scenes.Cast, signed_in: Signed, changed: dict[str, str]
    ) -> None:
        given = {"substitute": str(people.admin.uuid), "first": "2026-11-20", "last": "2026-11-24"}
        answer = signed_in(people.approver).post("/absences/", {**given, "reason": "休假", **changed})
        assert (answer.status_code, "休假" in answer.content.decode()) == (422, True)
        assert not Absence.objects.exists()

    def test_nobody_ends_anothers(self, people: scenes.Cast, at: datetime, signed_in: Signed) -> None:
        other = absence(people.approver, people.admin, begins=at)
        assert signed_in(people.admin).post(f"/absences/{other.uuid}/end/").status_code == 404

    def test_the_page_tells_on_whose_behalf_and_the_order_shows_both(
        self, people: scenes.Cast, order: Order, url: str, at: datetime, signed_in: Signed
    ) -> None:
        absence(people.approver, people.admin, begins=at - timedelta(days=1), days=5)
        browser = signed_in(people.admin)
        assert "on behalf of 黄岚" in text(browser.get(f"{url}decision/"))
        assert sign(browser, url).status_code == 302
        assert "蒙立 on behalf of 黄岚" in text(signed_in(people.applicant).get(url))
        assert Order.objects.get(pk=order.pk).case.status == Status.OPEN
