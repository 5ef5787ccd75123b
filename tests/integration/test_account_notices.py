"""What people hear of when others change how they sign in, and security administrators of what waits for them."""

from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings

from govcloud.audit.services import SystemActor
from govcloud.notifications import dispatch
from govcloud.notifications.kinds import KINDS, SENT_OUTSIDE, Kind
from govcloud.notifications.models import Delivery, Message, Notice
from govcloud.notifications.texts import told
from govcloud.organisation import identity
from govcloud.organisation.tasks import sweep
from tenants.access import confirmations, second_factor
from tenants.models import Role, User
from tests.at_once import at_once
from tests.factories.second_factors import code_of, enrolled
from tests.factories.tenants import DepartmentFactory, UserFactory, grant, member

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
OURS = [kind for kind in Kind if kind.value.startswith("account.")]


@pytest.fixture(autouse=True)
def _required(settings: LazySettings) -> None:
    settings.SECOND_FACTOR = "required"


def heard(person: User, *, at: datetime) -> list[str]:
    dispatch.dispatch(at=at)
    return list(Message.objects.visible_to(person).order_by("pk").values_list("notice__kind", flat=True))


def enrol(user: User, *, at: datetime) -> None:
    secret = second_factor.new_secret()
    identity.enrol(user=user, secret=secret, code=code_of(secret), at=at)


def test_security_administrators_hear_that_somebody_obliged_waits(at: datetime) -> None:
    officer, other = member(Role.SECURITY_ADMIN), member(Role.SYSTEM_ADMIN)
    user = member(Role.CLOUD_ADMIN, display_name="李娜")
    enrol(user, at=at)
    assert [heard(person, at=at) for person in (officer, other, user)] == [["account.factor_waiting"], [], []]
    said = told(Notice.objects.get(), language="en")
    assert "李娜" in said.title
    code = confirmations.code_of(user)
    assert not any(spelt in str(vars(Notice.objects.get())) for spelt in (code, code.replace("-", "")))


def test_nobody_is_told_of_their_own(at: datetime) -> None:
    officer, second = member(Role.SECURITY_ADMIN), member(Role.SECURITY_ADMIN)
    enrol(officer, at=at)
    assert [heard(person, at=at) for person in (officer, second)] == [[], ["account.factor_waiting"]]


def test_one_that_is_set_up_before_the_role_is_told_of_when_it_is_held(at: datetime) -> None:
    officer, user = member(Role.SECURITY_ADMIN), UserFactory()
    enrol(user, at=at)
    grant(user, Role.CLOUD_ADMIN, valid_from=at + DAY)
    assert [identity.tell_waiting(at=at + days * DAY) for days in (0, 1, 1, 2)] == [0, 1, 0, 0]
    assert heard(officer, at=at + DAY) == ["account.factor_waiting"]


def test_the_sweep_tells_of_it(at: datetime) -> None:
    member(Role.SECURITY_ADMIN)
    enrolled(member(Role.CLOUD_ADMIN), at=at)
    sweep()
    assert Notice.objects.filter(kind="account.factor_waiting").count() == 1


def test_where_second_factors_are_only_offered_nobody_hears(at: datetime, settings: LazySettings) -> None:
    settings.SECOND_FACTOR = "offered"
    member(Role.SECURITY_ADMIN)
    enrol(member(Role.CLOUD_ADMIN), at=at)
    assert not Notice.objects.exists()


def test_whose_it_is_hears_of_the_confirmation_and_by_whom(at: datetime) -> None:
    officer, user = member(Role.SECURITY_ADMIN, display_name="赵敏"), member(Role.CLOUD_ADMIN)
    enrolled(user, at=at)
    identity.confirm(user=user, code=confirmations.code_of(user), actor=officer, at=at)
    assert (heard(user, at=at), heard(officer, at=at)) == (["account.factor_confirmed"], [])
    assert "赵敏 has confirmed your second factor" in told(Notice.objects.get(), language="en").text


def test_whose_it_is_hears_that_it_was_confirmed_on_the_machine(at: datetime) -> None:
    user = member(Role.SECURITY_ADMIN)
    enrolled(user, at=at)
    identity.confirm_on_the_machine(
        user=user, code=confirmations.code_of(user), actor=SystemActor("installation"), at=at
    )
    assert heard(user, at=at) == ["account.factor_confirmed"]
    assert "confirmed on the machine" in told(Notice.objects.get(), language="en").text


def test_a_refused_confirmation_tells_nobody(at: datetime) -> None:
    officer, user = member(Role.SECURITY_ADMIN), member(Role.CLOUD_ADMIN)
    enrolled(user, at=at)
    with pytest.raises(confirmations.WrongConfirmationCode):
        identity.confirm(user=user, code="AAAA-AAAA", actor=officer, at=at)
    assert not Notice.objects.exists()


def test_people_hear_by_inbox_and_mail_that_somebody_has_reset_their_password(at: datetime) -> None:
    admin, user = member(Role.SYSTEM_ADMIN, display_name="赵敏"), member(Role.APPLICANT, DepartmentFactory())
    opened = identity.reset_password(user=user, actor=admin, at=at)
    assert heard(user, at=at) == ["account.password_reset"]
    assert Delivery.objects.filter(person=user).count() == 1
    said = told(Notice.objects.get(), language="en")
    assert "赵敏 has set a first password" in said.text
    assert opened.password not in str(vars(Notice.objects.get()))


def test_people_hear_that_somebody_has_reset_their_second_factor_and_why(at: datetime) -> None:
    officer, user = member(Role.SECURITY_ADMIN, display_name="赵敏"), member(Role.CLOUD_ADMIN)
    enrolled(user, at=at)
    identity.reset_second_factor(user=user, actor=officer, at=at, reason="手机丢失")
    assert heard(user, at=at) == ["account.factor_reset"]
    assert "手机丢失" in told(Notice.objects.get(), language="zh-hans").text


def test_who_resets_their_own_password_is_told_nothing(at: datetime) -> None:
    admin = member(Role.SYSTEM_ADMIN)
    identity.reset_password(user=admin, actor=admin, at=at)
    assert not Notice.objects.exists()


@pytest.mark.parametrize("kind", OURS)
def test_it_must_arrive_and_goes_to_no_outside_system(kind: Kind) -> None:
    assert len(OURS) == 4
    assert KINDS[kind].must
    assert kind not in SENT_OUTSIDE


@pytest.mark.django_db(transaction=True)
def test_of_many_who_sweep_at_once_one_tells(at: datetime) -> None:
    enrolled(member(Role.CLOUD_ADMIN), at=at)
    at_once([lambda: identity.tell_waiting(at=at)] * 5)
    assert Notice.objects.count() == 1
