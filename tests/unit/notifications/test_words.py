from datetime import datetime

import pytest
from django.utils import translation

from govcloud.notifications.kinds import KINDS, Kind
from govcloud.notifications.models import Notice
from govcloud.notifications.texts import told
from tests.factories.notifications import every_kind, facts_of


def notice(kind: Kind, **facts: object) -> Notice:
    return Notice(kind=kind, facts=facts_of(kind, **facts))


def test_every_kind_has_its_words() -> None:
    assert set(KINDS) == set(Kind)


@pytest.mark.parametrize("kind", every_kind())
def test_every_kind_is_told_in_both_languages(kind: Kind) -> None:
    chinese, english = (told(notice(kind), language=language) for language in ("zh-hans", "en"))
    assert english.title.replace("«", "").replace("»", "").isascii()
    assert chinese.title != english.title
    assert chinese.text != english.text
    assert "%(" not in chinese.text + english.text


@pytest.mark.parametrize("kind", every_kind())
def test_both_languages_name_the_same_facts(kind: Kind) -> None:
    words = KINDS[kind]
    for words_of_it in (words.title, *words.texts):
        named = []
        for language in ("zh-hans", "en"):
            with translation.override(language):
                named.append({part.split(")")[0] for part in str(words_of_it).split("%(")[1:]})
        assert named[0] == named[1]


@pytest.mark.parametrize("kind", [kind for kind, words in KINDS.items() if words.by_action])
def test_each_action_has_its_own_words_in_both_languages(kind: Kind) -> None:
    for language in ("zh-hans", "en"):
        said = {
            told(notice(kind, action=action), language=language).text
            for action in (*KINDS[kind].by_action, "")
        }
        assert len(said) == len(KINDS[kind].by_action) + 1


def test_a_notice_from_before_orders_told_what_they_do_is_still_told() -> None:
    old = Notice(kind=Kind.ORDER_FULFILLED, facts={"label": "GC-1"})
    assert told(old, language="en").text == "All that “GC-1” asked for is done."


def test_names_are_in_the_readers_language_and_moments_by_the_wall_clock() -> None:
    waiting = notice(
        Kind.CASE_WAITING, stage="受理", stage_en="Intake", due_at=datetime.fromisoformat("2026-11-19T10:00Z")
    )
    english = told(waiting, language="en").text
    assert ("Intake" in english, "2026-11-19 18:00" in english) == (True, True)
    assert "“受理”" in told(waiting, language="zh-hans").text


def test_what_somebody_typed_cannot_begin_a_line_of_its_own() -> None:
    returned = notice(Kind.CASE_RETURNED, label="GC-1\r\nBcc: everybody@example.org")
    assert told(returned, language="en").title == "Returned for correction: GC-1 Bcc: everybody@example.org"
