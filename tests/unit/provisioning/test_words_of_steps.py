"""What a step does and what it does it to, as people read it."""

from types import SimpleNamespace

import pytest
from django.utils import translation

from govcloud.provisioning.kinds.base import Kind, about, deed_of, kinds, title_of
from govcloud.provisioning.lifecycle import Desired
from tests.api.house import AT
from tests.unit.provisioning.scripted import operation


@pytest.mark.parametrize(
    ("kind", "present", "absent"),
    [
        ("server", "Building the server", "Deleting the server"),
        ("attachment", "Connecting storage to the server", "Disconnecting storage from the server"),
        ("detachment", "Disconnecting storage from the server", "Connecting storage to the server"),
        ("reboot", "Restarting the server", "Taking back: Restarting the server"),
        ("of-a-former-release", "work in the cloud", "Taking back: work in the cloud"),
    ],
)
def test_a_step_that_takes_something_down_does_not_say_that_it_builds_it(
    kind: str, present: str, absent: str
) -> None:
    with translation.override("en"):
        assert deed_of(SimpleNamespace(kind=kind, desired=Desired.PRESENT)) == present
        assert deed_of(SimpleNamespace(kind=kind, desired=Desired.ABSENT)) == absent


@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_no_step_reads_the_same_both_ways(kind: Kind) -> None:
    for language in ("en", "zh-hans"):
        with translation.override(language):
            assert deed_of(SimpleNamespace(kind=kind.name, desired=Desired.ABSENT)) != title_of(kind.name)


@pytest.mark.django_db
def test_what_all_of_a_system_needs_is_about_the_system_in_the_readers_language() -> None:
    found = operation(AT, "web-1", "project")
    system = found.system
    system.name, system.name_en = "门户网站", "Portal"
    own, shared = found.steps.order_by("position")
    shared.unit = system.uuid
    assert about(own) == "web-1"
    for language, name in (("en", "Portal"), ("zh-hans", "门户网站")):
        with translation.override(language):
            assert about(shared) == name
