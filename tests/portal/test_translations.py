"""Every text people read is in Chinese as well, by the words of the glossary."""

import io
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from django.core.management import CommandError, call_command
from django.utils import translation

from govcloud.approvals.lifecycle import ConsultationStatus
from govcloud.approvals.models import Verb
from govcloud.chargeback import exports
from govcloud.notifications.lifecycle import DeliveryState
from govcloud.orders.lifecycle import Status
from govcloud.organisation.lifecycle import ReviewStatus, Verdict
from govcloud.portal.audit.words import WORDS
from govcloud.portal.management.commands import translations
from govcloud.portal.people import reviews, rows
from tenants.models import Role


def test_catalogue_is_complete_and_up_to_date() -> None:
    complaints = io.StringIO()
    try:
        call_command("translations", check=True, stdout=io.StringIO(), stderr=complaints)
    except CommandError:
        pytest.fail(complaints.getvalue())


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """A catalogue of one text, saved where the command looks for it."""
    monkeypatch.setattr(translations, "po_file", lambda: tmp_path / "django.po")
    catalogue = Catalog(locale="zh_Hans")
    catalogue.add("%(days)s days left", "还剩 %(days)s 天")
    translations.save(catalogue)
    return catalogue


def test_nothing_to_complain_of(catalogue: Catalog) -> None:
    assert list(translations.faults(catalogue)) == []


def test_a_text_without_its_translation_is_found(catalogue: Catalog) -> None:
    catalogue.add("a new text")
    assert "not translated: 'a new text'" in list(translations.faults(catalogue))


def test_a_lost_placeholder_is_found(catalogue: Catalog) -> None:
    catalogue["%(days)s days left"].string = "还剩几天"
    assert any(fault.startswith("placeholders differ") for fault in translations.faults(catalogue))


def test_a_guess_is_found(catalogue: Catalog) -> None:
    catalogue["%(days)s days left"].flags.add("fuzzy")
    assert any(fault.startswith("only guessed") for fault in translations.faults(catalogue))


def test_files_that_were_not_made_anew_are_found(catalogue: Catalog) -> None:
    catalogue["%(days)s days left"].string = "剩 %(days)s 天"
    assert sum(fault.startswith("out of date") for fault in translations.faults(catalogue)) == 2


def test_texts_of_templates_and_of_code_are_extracted(tmp_path: Path) -> None:
    template = tmp_path / "page.html"
    template.write_text(
        "<p title=\"{% translate 'A title' %}\">\n  {% blocktranslate %}{{ n }} left{% endblocktranslate %}</p>"
    )
    module = tmp_path / "module.py"
    module.write_text('label = ngettext("%(n)s day", "%(n)s days", n)\n')
    found = [
        message
        for path in (template, module)
        for _line, message, _comments, _context in translations.messages(path)
    ]
    assert found == ["A title", "%(n)s left", ("%(n)s day", "%(n)s days")]


@pytest.mark.parametrize(
    ("term", "words"),
    [
        (Status.RETURNED.label, "退回补正"),
        (Verb.REJECT.label, "驳回"),
        (Role.SERVICE_DESK.label, "服务台"),
        (Role.AUTHORITY_APPROVER.label, "主管审批人"),
        (DeliveryState.DELIVERED.label, "已送达"),
        (ConsultationStatus.ANSWERED.label, "已答复"),
        (ReviewStatus.OPEN.label, "进行中"),
        (Verdict.CONFIRMED.label, "确认保留"),
        (rows.HEADINGS[0], "姓名"),
        (rows.HEADINGS[3], "单位"),
        (reviews.HEADINGS[3], "单位"),
        (reviews.HEADINGS[-1], "理由"),
        (exports.HEADINGS[10][0], "计量单位"),
        (WORDS["accessreview.decided"], "权限复核：已作出结论"),
        (WORDS["department.closed"], "单位已撤销"),
        (WORDS["system.retired"], "业务系统已下线"),
    ],
)
def test_fixed_terms(term: object, words: str) -> None:
    with translation.override("zh-hans"):
        assert str(term) == words


def test_words_that_the_glossary_rules_out_are_not_used() -> None:
    glossary = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
    table = glossary.split("## One word each")[1]
    ruled_out = [
        word
        for row in re.findall(r"^\| [^|]+ \| ([^|]+) \|", table, re.MULTILINE)[1:]
        for word in row.split("、")
    ]
    assert len(ruled_out) > 10
    forms = [form for message in translations.kept() for form in translations.translations(message)]
    assert [(word, form) for word in ruled_out for form in forms if word in form] == []


def test_glossary_lists_every_role_in_both_languages() -> None:
    glossary = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
    for role in Role:
        with translation.override("zh-hans"):
            chinese = str(role.label)
        assert re.search(
            rf"\| {re.escape(chinese)} \| {re.escape(str(role.label))} \| `{role.value}`", glossary
        ), role


def test_chinese_texts_use_chinese_punctuation() -> None:
    """A comma or bracket of the other script between Chinese characters is a slip of the keyboard."""
    forms = [form for message in translations.kept() for form in translations.translations(message)]
    slip = re.compile(r"[\u4e00-\u9fff][,;:()?!]|[,;:()?!][\u4e00-\u9fff]")
    assert [form for form in forms if slip.search(re.sub(r"%\(\w+\)s", "〇", form))] == []


def test_no_preposition_runs_into_a_word_that_begins_as_it_does() -> None:
    """“对” before “对象存储桶” is read as a slip, and so is what reads as two words that are not meant."""
    forms = [form for message in translations.kept() for form in translations.translations(message)]
    assert [form for form in forms if re.search("(?<!核)对对|在在|的的|为为|和和|项目录", form)] == []
