"""Several workers at the same moment: each thing goes out once."""

from datetime import datetime
from ipaddress import ip_network

import pytest
from pytest_django import Settings

from govcloud.notifications import dispatch, sending
from govcloud.notifications.models import Attempt, Message
from tests.at_once import at_once
from tests.factories.notifications import listening, posted, webhook
from tests.factories.tenants import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS, NOTICES = 6, 24


def test_notices_are_dispatched_once_and_calls_made_once(settings: Settings, at: datetime) -> None:
    settings.WEBHOOK_PLAIN_HTTP = True
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    with listening() as heard:
        webhook(heard.url(), at=at)
        for _notice in range(NOTICES):
            posted(UserFactory(email=""), at=at)

        def work() -> None:
            dispatch.dispatch(at=at)
            sending.run_due(clock=lambda: at)

        assert at_once([work] * WORKERS) == [None] * WORKERS
        sending.run_due(clock=lambda: at)
        assert Message.objects.count() == NOTICES
        assert len({headers["webhook-id"] for headers, _body in heard.calls}) == len(heard.calls) == NOTICES
        assert Attempt.objects.count() == NOTICES
