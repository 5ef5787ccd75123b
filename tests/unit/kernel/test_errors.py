"""What a refusal says, and to whom."""

import pytest
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Absent, Conflict, DomainError, Forbidden, Invalid, Invalids, Unavailable
from govcloud.orders.rules.of_targets import NetworkHasServers, NotEmpty, SnapshotsInTheWay
from govcloud.provisioning.actions.rules import OpenToEverybody


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


def test_what_holds_of_several_fields_alike_is_told_once():
    assert Invalids([Yes(pointers=("/a",)), Yes(pointers=("/b",))]).detail == "Yes"


@pytest.mark.parametrize("kind", [Invalid, Forbidden, Absent, Conflict, Unavailable])
def test_every_kind_of_refusal_is_a_domain_error_with_a_code_of_its_own(kind):
    assert issubclass(kind, DomainError)
    assert kind.code != DomainError.code


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (SnapshotsInTheWay(name="vol", snapshots=1), "“vol” has 1 snapshot: delete it first"),
        (SnapshotsInTheWay(name="vol", snapshots=2), "“vol” has 2 snapshots: delete them first"),
        (NetworkHasServers(name="net", servers=1), "“net” still has, or is to get, 1 server: release it"),
        (NotEmpty(name="files", objects=1), "“files” holds 1 object: "),
        (OpenToEverybody(ports="SSH (22)", count=1, remote="::/0"), "SSH (22) is for managing servers"),
        (
            OpenToEverybody(ports="SSH (22), Telnet (23)", count=2, remote="::/0"),
            "SSH (22), Telnet (23) are for managing servers and are never",
        ),
    ],
)
def test_a_refusal_counts_in_the_number_of_what_it_tells(refusal: DomainError, told: str) -> None:
    with translation.override("en"):
        assert refusal.detail.startswith(told)
