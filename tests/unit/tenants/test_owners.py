"""Who answers for a system: kept encrypted, shown masked."""

from datetime import datetime
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.errors import Invalids
from govcloud.organisation import systems
from tenants import owners, services
from tenants.models import SystemOwner
from tenants.owners import Owner, OwnerUnreadable
from tests.factories.tenants import DepartmentFactory, SystemFactory

pytestmark = pytest.mark.django_db

BY = SystemActor("test")
SOMEBODY = Owner(name="张三丰", phone="13812345678", email="zhang@example.org")


def registered(at: datetime, owner: Owner) -> object:
    return services.register_system(
        department=DepartmentFactory(), code="tax", name="税务", mlps_level=1, owner=owner, actor=BY, at=at
    )


def test_the_database_holds_nothing_of_an_owner_in_plain(at: datetime) -> None:
    system = registered(at, SOMEBODY)
    with connection.cursor() as cursor:
        cursor.execute("SELECT s.*, encode(sealed, 'escape') FROM tenants_systemowner s")
        stored = str(cursor.fetchall())
    assert "张三丰" not in stored
    assert "13812345678" not in stored
    system.refresh_from_db()
    assert owners.owner_of(system) == SOMEBODY


def test_the_audit_trail_holds_nothing_of_an_owner(at: datetime) -> None:
    system = registered(at, SOMEBODY)
    systems.change(system=system, changes={}, owner=Owner(name="李四"), expected_version=1, actor=BY, at=at)
    told = str([(event.before, event.after, event.subject_label) for event in Event.objects.all()])
    assert "'owner': 'replaced'" in told
    assert not any(word in told for word in ("张三丰", "13812345678", "李四"))


def test_the_same_owner_again_changes_nothing(at: datetime) -> None:
    system = registered(at, SOMEBODY)
    systems.change(system=system, changes={}, owner=SOMEBODY, expected_version=1, actor=BY, at=at)
    system.refresh_from_db()
    assert system.version == 1


@pytest.mark.parametrize(
    ("owner", "masked"),
    [
        (SOMEBODY, Owner(name="张**", phone="138****5678", email="z***@example.org")),
        (Owner(name="王"), Owner(name="王*")),
        (Owner(name="王五", phone="5550100"), Owner(name="王*", phone="****0100")),
        (Owner(), Owner()),
    ],
)
def test_masks_leave_enough_to_recognise_somebody_one_knows(owner: Owner, masked: Owner) -> None:
    assert owner.masked == masked


@pytest.mark.parametrize(
    ("owner", "codes"),
    [
        (Owner(phone="13812345678"), {"owner-name-missing"}),
        (Owner(name="张*"), {"bad-owner-name"}),
        (Owner(name="张三", phone="138****5678"), {"bad-telephone"}),
        (Owner(name="张三", email="z***@example.org"), {"bad-mail-address"}),
        (Owner(name="张三", email="nobody"), {"bad-mail-address"}),
    ],
)
def test_what_is_no_owner_is_refused_and_a_mask_above_all(
    owner: Owner, codes: set[str], at: datetime
) -> None:
    with pytest.raises(Invalids) as refusal:
        registered(at, owner)
    assert {error.code for error in refusal.value.errors} == codes


def test_a_row_copied_to_another_system_does_not_open(at: datetime) -> None:
    system, other = registered(at, SOMEBODY), SystemFactory()
    row = SystemOwner.objects.get(system=system)
    SystemOwner.objects.create(system=other, algorithm=row.algorithm, key=row.key, sealed=row.sealed)
    with pytest.raises(OwnerUnreadable):
        owners.owner_of(other)
    assert owners.masked_owner_of(other) == Owner(name="****")


def test_owners_are_sealed_anew_under_a_new_key(at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    system = registered(at, SOMEBODY)
    old = list(settings.CREDENTIAL_KEYS)
    monkeypatch.setattr(settings, "CREDENTIAL_KEYS", ["another key of at least 32 characters", *old])
    call_command("rotate_credentials", stdout=StringIO())
    monkeypatch.setattr(settings, "CREDENTIAL_KEYS", ["another key of at least 32 characters"])
    system.refresh_from_db()
    assert owners.owner_of(system) == SOMEBODY
