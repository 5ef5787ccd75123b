"""What becomes of a finding on the pages that follow it: those of the resource, and of the operation that puts it right."""

import re
from collections.abc import Callable
from datetime import datetime

import pytest

from govcloud.inventory.models import ResourceKind
from govcloud.provisioning.models import Operation
from govcloud.reconciliation import comparison, remarks, services
from govcloud.reconciliation.models import Finding
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind
from tests.factories.inventory import whole_server
from tests.factories.reconciliation import DifferenceFactory, FindingFactory
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

TOLD = {
    "set_back": {"en": "set the cloud back to the record", "zh-hans": "把云上恢复为台账记录"},
    "mark_lost": {"en": "record it as lost and give its quota back", "zh-hans": "登记为丢失并归还配额"},
    "clear_away": {"en": "delete it from the cloud", "zh-hans": "从云上删除"},
}
Situation = Callable[[scenes.Cast], Finding]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture(autouse=True)
def _still_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cloud is asked, and is as the finding says."""

    def observed(finding: Finding) -> list[comparison.Observation]:
        differences = [
            comparison.Difference(Field(row.field), row.expected, row.found)
            for row in finding.differences.all()
        ]
        return [
            comparison.Observation(
                kind=FindingKind(finding.kind),
                subject=SubjectKind(finding.subject),
                external_id=finding.external_id,
                remedy=Remedy(finding.remedy),
                resource=finding.resource_id,
                differences=tuple(differences),
            )
        ]

    monkeypatch.setattr(services, "_look", lambda _finding, *, at: observed)  # noqa: ARG005


def about(people: scenes.Cast, **values: str) -> Finding:
    """A finding about a server of theirs."""
    server = whole_server(system=people.system, cloud=people.catalogue.cloud).resource
    return FindingFactory(
        system=people.system, cloud=people.catalogue.cloud, resource=server, external_id=server.external_id,
        unit=server.unit, **values,
    )  # fmt: skip


def stopped(people: scenes.Cast) -> Finding:
    """A server that somebody stopped: it is proposed to record that."""
    found = about(people, kind=FindingKind.DRIFTED, subject=SubjectKind.SERVER, remedy=Remedy.ADOPT)
    DifferenceFactory(finding=found, field=Field.POWER, expected="running", found="stopped")
    return found


def lost(people: scenes.Cast) -> Finding:
    return about(people, kind=FindingKind.MISSING, subject=SubjectKind.SERVER, remedy=Remedy.MARK_LOST)


def opened(people: scenes.Cast) -> Finding:
    found = FindingFactory(
        opened=True, system=people.system, cloud=people.catalogue.cloud,
        resource__cloud=people.catalogue.cloud,
    )  # fmt: skip
    assert found.resource.kind == ResourceKind.NETWORK
    return found


@pytest.mark.parametrize(
    ("situation", "chosen"), [(stopped, "set_back"), (lost, "mark_lost"), (opened, "clear_away")]
)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_pages_tell_of_what_puts_a_finding_right(
    people: scenes.Cast, signed_in: Signed, situation: Situation, chosen: str, language: str
) -> None:
    """Also where another remedy was chosen than the one that was proposed."""
    found = situation(people)
    admin = signed_in(people.admin, language=language)
    assert admin.post(f"/findings/{found.uuid}/application/", {"remedy": chosen}).status_code == 302
    operation = Operation.objects.get(resource=found.resource)
    assert operation.action == chosen
    pages = (f"/resources/{found.resource.uuid}/", f"/operations/{operation.uuid}/")
    finding = admin.get(f"/findings/{found.uuid}/").content.decode()
    (link,) = re.findall(rf'<a href="{pages[1]}">(.*?)</a>', finding)
    assert link == TOLD[chosen][language]
    for url in pages:
        page = admin.get(url)
        assert page.status_code == 200
        assert TOLD[chosen][language] in text(page).lower()


@pytest.mark.parametrize("deed", ["application", "dismissal"])
def test_what_a_pass_has_changed_since_the_page_was_read_is_shown_first(
    people: scenes.Cast, signed_in: Signed, deed: str
) -> None:
    found = stopped(people)
    admin = signed_in(people.admin)
    page = admin.get(f"/findings/{found.uuid}/").content.decode()
    (mark,) = set(re.findall(r'name="mark"\s+value="(\w+)"', page))
    found.differences.update(found="paused")
    sent = {"remedy": "adopt", "reason": "it is known", "mark": mark}
    answer = admin.post(f"/findings/{found.uuid}/{deed}/", sent)
    assert answer.status_code == 409
    assert "since you read it" in text(answer)
    found.refresh_from_db()
    assert found.status == "open"


@pytest.mark.parametrize(
    ("language", "warning", "what"),
    [
        ("en", "It has been under a legal hold since 2026-11-02 09:00", "recovery point"),
        ("zh-hans", "自 2026-11-02 09:00 起处于法律保全之下", "恢复点"),
    ],
)
def test_a_lost_recovery_point_under_a_legal_hold_warns_of_it(
    people: scenes.Cast, signed_in: Signed, language: str, warning: str, what: str
) -> None:
    found = about(
        people,
        kind=FindingKind.MISSING,
        subject=SubjectKind.RECOVERY_POINT,
        remedy=Remedy.MARK_LOST,
    )
    admin = signed_in(people.admin, language=language)
    assert warning not in text(admin.get(f"/findings/{found.uuid}/"))
    DifferenceFactory(finding=found, field=Field.LEGAL_HOLD, expected="2026-11-02 09:00", found="")
    page = text(admin.get(f"/findings/{found.uuid}/"))
    assert warning in page
    assert what in page.lower()
    assert TOLD["mark_lost"][language] in page.lower()


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "It was recorded as lost, and is in the cloud again."),
        ("zh-hans", "该恢复点曾登记为丢失，现又出现在云平台中。"),
    ],
)
def test_a_recovery_point_that_was_thought_lost_says_so(
    people: scenes.Cast, signed_in: Signed, language: str, told: str
) -> None:
    found = about(
        people,
        kind=FindingKind.DRIFTED,
        subject=SubjectKind.RECOVERY_POINT,
        remedy=Remedy.ADOPT,
    )
    DifferenceFactory(finding=found, field=Field.STATE, expected="lost", found="usable")
    assert told in text(signed_in(people.admin, language=language).get(f"/findings/{found.uuid}/"))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_why_it_was_not_put_right_is_told_in_the_readers_language(
    people: scenes.Cast, signed_in: Signed, language: str
) -> None:
    told = {"en": "Something holds it.", "zh-hans": "仍被占用。"}
    found = stopped(people)
    Finding.objects.filter(pk=found.pk).update(remark=remarks.HELD)
    page = text(signed_in(people.admin, language=language).get(f"/findings/{found.uuid}/"))
    assert (told[language] in page, remarks.HELD in page) == (True, False)
    Finding.objects.filter(pk=found.pk).update(remark="与机房约定")
    assert "与机房约定" in text(signed_in(people.admin, language=language).get(f"/findings/{found.uuid}/"))


def test_a_finding_whose_operation_was_called_off_says_so_in_each_language(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    found = stopped(people)
    admin = signed_in(people.admin)
    admin.post(f"/findings/{found.uuid}/application/", {"remedy": "set_back"})
    Operation.objects.filter(resource=found.resource).update(status="undone", finished_at=at)
    assert services.settle(at=at) == 1
    assert "Putting it right was called off before it was done." in text(
        admin.get(f"/findings/{found.uuid}/")
    )
    page = text(signed_in(people.admin, language="zh-hans").get(f"/findings/{found.uuid}/"))
    assert "处理未完成即已取消。" in page


def test_states_that_differ_are_told_in_the_readers_language(people: scenes.Cast, signed_in: Signed) -> None:
    """On the page, in the list and in its file; what only the cloud has a word for stays."""
    found = stopped(people)
    DifferenceFactory(finding=found, field=Field.STATE, expected="usable", found="SHELVED")
    admin = signed_in(people.admin, language="zh-hans")
    for url in (f"/findings/{found.uuid}/", "/findings/"):
        page = text(admin.get(url))
        for words in ("运行中", "已停机", "可用", "SHELVED"):
            assert words in page
        for code in ("running", "stopped", "usable"):
            assert code not in page
    exported = admin.get("/findings/export.csv").content.decode("utf-8-sig")
    assert "：运行中 → 已停机" in exported
    headings = exported.splitlines()[0].split(",")
    assert len(headings) == len(set(headings)), "two columns are called alike"
    assert "usable" in text(signed_in(people.admin).get(f"/findings/{found.uuid}/"))


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Record brought into line with the cloud: power running → stopped"),
        ("zh-hans", "台账已按云上实际值更新：电源状态 运行中 → 已停机"),
    ],
)
def test_a_department_reads_what_was_taken_into_the_record(
    people: scenes.Cast, signed_in: Signed, language: str, words: str
) -> None:
    found = stopped(people)
    taken = signed_in(people.admin).post(f"/findings/{found.uuid}/application/", {"remedy": "adopt"})
    assert taken.status_code == 302
    page = signed_in(people.applicant, language=language).get(f"/resources/{found.resource.uuid}/")
    assert words in text(page)
