"""A second factor that is obliged counts once a security administrator has confirmed whose it is."""

import re
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from govcloud.audit.models import Event, Outcome
from tenants.access import accounts, confirmations, entry, second_factor
from tenants.access.models import ApiToken, Enrolment
from tenants.access.second_factor import Standing
from tenants.models import Role, User
from tenants.policies import RoleMissing, scope_of
from tests.factories.second_factors import code_of, confirmed, enrolled
from tests.factories.tenants import DepartmentFactory, UserFactory, grant, member, token_of

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _required(settings: LazySettings) -> None:
    settings.SECOND_FACTOR = "required"


@pytest.fixture
def officer(at: datetime) -> User:
    user = member(Role.SECURITY_ADMIN)
    confirmed(user, at=at)
    return user


@pytest.fixture
def waiting(at: datetime) -> User:
    """A cloud administrator whose second factor nobody has confirmed."""
    user = member(Role.CLOUD_ADMIN)
    enrolled(user, at=at)
    return user


def first_thing(user: User, *, at: datetime) -> str:
    thing = entry.first_thing(user, at=at)
    return thing.code if thing else ""


# -- what it is for


def test_what_is_missing_unconfirmed_and_confirmed_is_told_apart(officer: User, at: datetime) -> None:
    user = member(Role.CLOUD_ADMIN)
    assert first_thing(user, at=at) == "second-factor-missing"
    enrolled(user, at=at)
    assert first_thing(user, at=at) == "second-factor-unconfirmed"
    confirmations.confirm(user=user, code=confirmations.code_of(user), actor=officer, at=at)
    assert first_thing(user, at=at) == ""
    row = Enrolment.objects.get(user=user)
    assert (row.confirmed_by, row.confirmed_at) == (officer, at)
    event = Event.objects.get(verb="second_factor.confirmed")
    assert (event.actor, event.subject_id) == (officer.audit_ref, user.uuid)


def test_who_is_not_obliged_needs_no_confirmation_until_they_are(at: datetime) -> None:
    user = member(Role.APPLICANT, DepartmentFactory())
    enrolled(user, at=at)
    assert first_thing(user, at=at) == ""
    grant(user, Role.LEADER)
    grant(user, Role.SERVICE_DESK)
    assert first_thing(User.objects.get(pk=user.pk), at=at) == "second-factor-unconfirmed"


@pytest.mark.parametrize("standing", Standing)
def test_one_statement_tells_how_far_somebody_is(standing: Standing, at: datetime) -> None:
    user = member(Role.CLOUD_ADMIN)
    if standing is not Standing.MISSING:
        prepare = confirmed if standing is Standing.CONFIRMED else enrolled
        prepare(user, at=at)
    scope_of(user, at=at)  # read once per request, for everything
    with CaptureQueriesContext(connection) as queries:
        thing = entry.lacking(user, at=at)
    assert len(queries) == 1
    assert (thing is None) == (standing is Standing.CONFIRMED)


@pytest.mark.parametrize(("role", "setting"), [(Role.CLOUD_ADMIN, "offered"), (Role.LEADER, "required")])
def test_nothing_is_asked_of_the_database_where_nobody_is_obliged(
    role: Role, setting: str, settings: LazySettings, at: datetime
) -> None:
    settings.SECOND_FACTOR = setting
    user = member(role)
    scope_of(user, at=at)
    with CaptureQueriesContext(connection) as queries:
        assert entry.lacking(user, at=at) is None
    assert len(queries) == 0


# -- the code


def test_the_code_is_derived_from_the_secret_and_survives_a_change_of_keys(
    waiting: User, officer: User, settings: LazySettings, at: datetime
) -> None:
    code = confirmations.code_of(waiting)
    assert re.fullmatch(r"[A-Z2-7]{4}-[A-Z2-7]{4}", code)
    settings.CREDENTIAL_KEYS = ["n" * 32, settings.CREDENTIAL_KEYS[0]]
    call_command("rotate_credentials", verbosity=0)
    settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS[:1]
    assert confirmations.code_of(waiting) == code
    second_factor.reset(user=waiting, actor=officer, at=at, reason="lost")
    enrolled(waiting, at=at)
    assert confirmations.code_of(waiting) != code


@pytest.mark.parametrize("spelt", ["{0}{1}", "{0} {1}", "{0}-{1}"])
def test_the_code_is_taken_however_it_is_typed(
    spelt: str, waiting: User, officer: User, at: datetime
) -> None:
    typed = spelt.format(*confirmations.code_of(waiting).lower().split("-"))
    confirmations.confirm(user=waiting, code=typed, actor=officer, at=at)
    assert second_factor.standing(waiting) is Standing.CONFIRMED


def test_the_code_is_in_nothing_that_is_stored(waiting: User, officer: User, at: datetime) -> None:
    code = confirmations.code_of(waiting)
    confirmations.confirm(user=waiting, code=code, actor=officer, at=at)
    stored = str([vars(row) for row in (*Event.objects.all(), *Enrolment.objects.all())])
    assert code not in stored
    assert code.replace("-", "") not in stored


def test_there_is_no_code_without_a_second_factor() -> None:
    with pytest.raises(second_factor.NotEnrolled):
        confirmations.code_of(UserFactory())


# -- who confirms


def test_a_wrong_code_confirms_nothing_and_is_audited_without_it(
    waiting: User, officer: User, at: datetime
) -> None:
    with pytest.raises(confirmations.WrongConfirmationCode) as refusal:
        confirmations.confirm(user=waiting, code="AAAA-AAAA", actor=officer, at=at)
    assert refusal.value.pointers == ("/code",)
    assert second_factor.standing(waiting) is Standing.UNCONFIRMED
    event = Event.objects.get(verb="second_factor.confirmed")
    assert (event.outcome, event.reason) == (Outcome.REFUSED, "wrong-confirmation-code")
    assert "AAAA" not in str(vars(event))


def test_guessing_locks_whoever_guesses(waiting: User, officer: User, at: datetime) -> None:
    code = confirmations.code_of(waiting)
    for _attempt in range(5):
        with pytest.raises(confirmations.WrongConfirmationCode):
            confirmations.confirm(user=waiting, code="AAAA-AAAA", actor=officer, at=at)
    with pytest.raises(second_factor.TooManyCodes):
        confirmations.confirm(user=waiting, code=code, actor=officer, at=at)
    other = member(Role.SECURITY_ADMIN)
    confirmations.confirm(user=waiting, code=code, actor=other, at=at)
    assert second_factor.standing(waiting) is Standing.CONFIRMED


@pytest.mark.parametrize("code", ["", "ABCD", "ＡＢＣＤ-ＥＦＧＨ", "\ud800", "确认"])
def test_what_is_no_code_is_a_wrong_one(code: str, waiting: User, officer: User, at: datetime) -> None:
    with pytest.raises(confirmations.WrongConfirmationCode):
        confirmations.confirm(user=waiting, code=code, actor=officer, at=at)


def test_one_that_was_set_up_while_the_release_was_installed_is_confirmed_too(
    waiting: User, officer: User, at: datetime
) -> None:
    Enrolment.objects.filter(user=waiting).delete()
    assert first_thing(waiting, at=at) == "second-factor-unconfirmed"
    confirmations.confirm(user=waiting, code=confirmations.code_of(waiting), actor=officer, at=at)
    assert first_thing(waiting, at=at) == ""


def test_nobody_confirms_their_own(at: datetime) -> None:
    user = member(Role.SECURITY_ADMIN)
    enrolled(user, at=at)
    with pytest.raises(confirmations.OwnSecondFactor):
        confirmations.confirm(user=user, code=confirmations.code_of(user), actor=user, at=at)
    assert Event.objects.get(verb="second_factor.confirmed").reason == "own-second-factor"
    with pytest.raises(IntegrityError, match="second_factor_not_confirmed_by_oneself"), transaction.atomic():
        Enrolment.objects.filter(user=user).update(confirmed_at=at, confirmed_by=user)


def test_the_database_keeps_no_confirmation_without_its_time(waiting: User, officer: User) -> None:
    with pytest.raises(IntegrityError, match="second_factor_confirmed_at_a_time"), transaction.atomic():
        Enrolment.objects.filter(user=waiting).update(confirmed_by=officer)


@pytest.mark.parametrize("role", [Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN, Role.SUPERVISOR])
def test_only_security_administrators_confirm(role: Role, waiting: User, at: datetime) -> None:
    code = confirmations.code_of(waiting)
    with pytest.raises(RoleMissing):
        confirmations.confirm(user=waiting, code=code, actor=member(role), at=at)
    assert second_factor.standing(waiting) is Standing.UNCONFIRMED


def test_what_is_not_there_or_is_confirmed_is_not_confirmed(
    waiting: User, officer: User, at: datetime
) -> None:
    with pytest.raises(second_factor.NotEnrolled):
        confirmations.confirm(user=UserFactory(), code="AAAA-AAAA", actor=officer, at=at)
    code = confirmations.code_of(waiting)
    confirmations.confirm(user=waiting, code=code, actor=officer, at=at)
    with pytest.raises(confirmations.ConfirmedAlready):
        confirmations.confirm(user=waiting, code=code, actor=officer, at=at)


# -- what ends it


def test_a_confirmation_goes_with_what_was_confirmed(officer: User, at: datetime) -> None:
    user = member(Role.CLOUD_ADMIN)
    confirmed(user, at=at, by=officer)
    accounts.reset_second_factor(user=user, actor=officer, at=at, reason="lost")
    assert not Enrolment.objects.filter(user=user).exists()
    enrolled(user, at=at)
    assert first_thing(user, at=at) == "second-factor-unconfirmed"


def test_a_confirmation_goes_when_the_second_factor_is_given_up(at: datetime) -> None:
    user = member(Role.LEADER)
    secret, _codes = confirmed(user, at=at)
    second_factor.give_up(user=user, code=code_of(secret, later=1), at=at)
    assert not Enrolment.objects.filter(user=user).exists()


def test_named_tokens_from_before_the_second_factor_end_when_it_is_confirmed(
    officer: User, at: datetime
) -> None:
    user = member(Role.CLOUD_ADMIN)
    token_of(user, name="older")
    enrolled(user, at=at)
    token_of(user, name="newer")
    token_of(officer, name="another's")
    confirmations.confirm(user=user, code=confirmations.code_of(user), actor=officer, at=at)
    assert set(ApiToken.objects.values_list("name", flat=True)) == {"newer", "another's"}
    assert Event.objects.get(verb="token.revoked").reason == confirmations.OLDER_TOKENS


# -- who waits


def test_who_needs_one_now_and_is_not_confirmed_waits(officer: User, waiting: User, at: datetime) -> None:
    applicant, left = member(Role.APPLICANT, DepartmentFactory()), member(Role.CLOUD_ADMIN, is_active=False)
    later, before = UserFactory(), UserFactory()
    member(Role.SERVICE_DESK)  # without one
    grant(later, Role.SERVICE_DESK, valid_from=at + DAY)
    grant(before, Role.SERVICE_DESK, valid_until=at)
    for user in (applicant, left, later, before, member(Role.LEADER)):
        enrolled(user, at=at)
    assert {row.user for row in confirmations.waiting(at=at)} == {waiting, applicant}
    assert {row.user for row in confirmations.waiting(at=at + DAY)} == {waiting, applicant, later}


def test_nobody_waits_where_second_factors_are_only_offered(
    waiting: User, settings: LazySettings, at: datetime
) -> None:
    settings.SECOND_FACTOR = "offered"
    assert not confirmations.waiting(at=at).exists()
    assert waiting.enrolment.confirmed_at is None


# -- the first ones of an installation


def confirm_by_command(user: User, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(f"{code}\n"))
    call_command("confirm_second_factor", user.username, verbosity=0)


def test_the_first_are_confirmed_on_the_machine_until_two_security_administrators_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = timezone.now()
    people = [
        member(role)
        for role in (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN)
    ]
    for user in people:
        enrolled(user, at=at)
    for user in people[:3]:
        confirm_by_command(user, confirmations.code_of(user), monkeypatch)
        assert first_thing(user, at=at) == ""
    with pytest.raises(CommandError, match="they confirm this one"):
        confirm_by_command(people[3], confirmations.code_of(people[3]), monkeypatch)
    assert first_thing(people[3], at=at) == "second-factor-unconfirmed"
    confirmed_by = Event.objects.filter(verb="second_factor.confirmed").values_list("actor", flat=True)
    assert list(confirmed_by) == ["system:installation"] * 3


def test_the_machine_can_again_when_one_of_the_two_has_lost_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    at = timezone.now()
    first, second = member(Role.SECURITY_ADMIN), member(Role.SECURITY_ADMIN)
    for user in (first, second):
        confirmed(user, at=at)
    accounts.reset_second_factor(user=second, actor=first, at=at, reason="lost")
    enrolled(second, at=at)
    confirm_by_command(second, confirmations.code_of(second), monkeypatch)
    assert first_thing(second, at=at) == ""


def test_the_command_tells_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    user = member(Role.SECURITY_ADMIN)
    with pytest.raises(CommandError, match="no second factor"):
        confirm_by_command(user, "AAAA-AAAA", monkeypatch)
    enrolled(user, at=timezone.now())
    with pytest.raises(CommandError, match="not the code"):
        confirm_by_command(user, "AAAA-AAAA", monkeypatch)
    event = Event.objects.get(verb="second_factor.confirmed")
    assert (event.actor, event.outcome) == ("system:installation", Outcome.REFUSED)
    with pytest.raises(CommandError, match="no active account"):
        call_command("confirm_second_factor", "nobody")
    monkeypatch.setattr("sys.stdin", StringIO(""))
    with pytest.raises(CommandError, match="no code"):
        call_command("confirm_second_factor", user.username)
