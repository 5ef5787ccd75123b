"""What operations that were to put findings right have come to."""

from datetime import datetime
from typing import Any

import pytest

from govcloud.provisioning.models import Operation, OperationKind
from govcloud.reconciliation import services
from govcloud.reconciliation.models import Finding
from tests.factories.orders import Scene, scene
from tests.factories.reconciliation import FindingFactory

pytestmark = pytest.mark.django_db


def applied(on: Scene, *, at: datetime, status: str = "done") -> Finding:
    """By an operation that has ended."""
    operation = Operation.objects.create(
        kind=OperationKind.MEND, reason="", system=on.system, cloud=on.catalogue.cloud, created_at=at, status=status,
        finished_at=at,
    )  # fmt: skip
    return FindingFactory(system=on.system, cloud=on.catalogue.cloud, status="applying", operation=operation)


def test_one_that_cannot_be_settled_holds_up_no_other(at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    on = scene()
    broken, sound = applied(on, at=at), applied(on, at=at)
    resolve = services.resolve

    def fails_for_one(findings: list[Finding], **how: Any) -> None:
        resolve(findings, **how)
        if broken in findings:
            raise ZeroDivisionError

    monkeypatch.setattr(services, "resolve", fails_for_one)
    services.settle(at=at)
    broken.refresh_from_db()
    sound.refresh_from_db()
    assert (broken.status, sound.status) == ("applying", "resolved")
    monkeypatch.undo()
    services.settle(at=at)
    broken.refresh_from_db()
    assert broken.status == "resolved"


def test_what_was_called_off_is_open_again(at: datetime) -> None:
    finding = applied(scene(), at=at, status="undone")
    services.settle(at=at)
    finding.refresh_from_db()
    assert (finding.status, bool(finding.remark)) == ("open", True)
