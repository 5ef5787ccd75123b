"""Who hears that a unit asks for its connection, and of what came of it."""

from datetime import datetime

import pytest

from govcloud.notifications import dispatch
from govcloud.notifications.models import Message, Notice
from govcloud.notifications.texts import told
from govcloud.organisation import connecting
from govcloud.portal.inbox.rows import page_about
from tenants.connections import NoSuchConnection
from tenants.models import Connection, Department, Role, User
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit() -> Department:
    above = DepartmentFactory()
    return DepartmentFactory(parent=above, connection=Connection.NOT_CONNECTED, name_en="Example office")


@pytest.fixture
def people(unit: Department) -> dict[str, User]:
    return {
        "applicant": member(Role.APPLICANT, unit),
        "approver": member(Role.UNIT_APPROVER, unit),
        "above": member(Role.UNIT_APPROVER, unit.parent),
        "elsewhere": member(Role.APPLICANT, DepartmentFactory()),
        "desk": member(Role.SERVICE_DESK),
        "cloud": member(Role.CLOUD_ADMIN),
    }


def changed(unit: Department, to: Connection, by: User, *, at: datetime) -> list[User]:
    """Who has been told of it."""
    connecting.change(department=unit, to=to, reason="no line yet", actor=by, at=at)
    dispatch.dispatch(at=at)
    notice = Notice.objects.latest("pk")
    assert page_about(notice, by, at=at) == f"/units/{unit.uuid}/"
    assert "Example office" in told(notice, language="en").title
    return [message.person for message in Message.objects.filter(notice=notice).order_by("person")]


def test_each_step_is_told_to_those_who_wait_for_it(
    unit: Department, people: dict[str, User], at: datetime
) -> None:
    in_the_unit = [people["applicant"], people["approver"], people["above"]]
    for came_of_it in (Connection.NOT_CONNECTED, Connection.CONNECTED):
        assert changed(unit, Connection.REQUESTED, people["applicant"], at=at) == [people["desk"]]
        assert changed(unit, came_of_it, people["desk"], at=at) == in_the_unit
    assert changed(unit, Connection.NOT_CONNECTED, people["cloud"], at=at) == in_the_unit
    ended = Notice.objects.latest("pk")
    assert (ended.kind, "no line yet" in told(ended, language="zh-hans").text) == ("connection.ended", True)


def test_who_takes_back_what_they_asked_is_not_told_and_their_colleagues_are(
    unit: Department, people: dict[str, User], at: datetime
) -> None:
    changed(unit, Connection.REQUESTED, people["applicant"], at=at)
    colleagues = changed(unit, Connection.NOT_CONNECTED, people["applicant"], at=at)
    assert colleagues == [people["approver"], people["above"]]


def test_nobody_is_told_of_what_is_refused(unit: Department, people: dict[str, User], at: datetime) -> None:
    with pytest.raises(NoSuchConnection):
        connecting.change(department=unit, to=Connection.CONNECTED, reason="", actor=people["desk"], at=at)
    assert not Notice.objects.exists()
