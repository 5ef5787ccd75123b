"""What a refusal says, and to whom."""

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Absent, Conflict, DomainError, Forbidden, Invalid, Invalids, Unavailable


class TooMany(Invalid):
    code = "too-many"
    message = _("%(count)s of %(thing)s are too many.")


class Yes(Invalid):
    code = "yes"
    message = _("Yes")


def test_a_refusal_says_its_figures():
    refused = TooMany(count=3, thing="servers", pointers=("/items/0/quantity",))

    assert refused.detail == "3 of servers are too many."
    assert refused.pointers == ("/items/0/quantity",)
    assert str(refused) == "too-many: 3 of servers are too many."


def test_a_refusal_speaks_the_language_active_when_it_is_read():
    refused = Yes()

    with translation.override("zh-hans"):
        chinese = refused.detail

    assert (refused.detail, chinese) == ("Yes", "是")


def test_several_refusals_are_told_in_one_with_every_field_they_are_about():
    both = Invalids([TooMany(count=3, thing="servers", pointers=("/a",)), Yes(pointers=("/b", "/c"))])

    assert both.pointers == ("/a", "/b", "/c")
    assert both.detail == "3 of servers are too many. Yes"


@pytest.mark.parametrize("kind", [Invalid, Forbidden, Absent, Conflict, Unavailable])
def test_every_kind_of_refusal_is_a_domain_error_with_a_code_of_its_own(kind):
    assert issubclass(kind, DomainError)
    assert kind.code != DomainError.code
