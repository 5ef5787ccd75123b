"""A finding is called as its thing was when it was seen last."""

from datetime import datetime, timedelta

import pytest

from govcloud.reconciliation.comparison import Difference, Observation
from govcloud.reconciliation.findings import note
from govcloud.reconciliation.models import Finding
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind
from tests.factories.reconciliation import FindingFactory

pytestmark = pytest.mark.django_db


def test_what_is_renamed_once_more_is_called_so(at: datetime) -> None:
    found = FindingFactory(renamed=True, name="byhand")
    seen = Observation(
        kind=FindingKind.DRIFTED, subject=SubjectKind.SERVER, external_id=found.external_id, remedy=Remedy.SET_BACK,
        name="byhand-2", resource=found.resource_id, system=found.system_id,
        differences=(Difference(Field.NAME, "app-1", "byhand-2"),),
    )  # fmt: skip
    note(
        cloud=found.cloud, subject=SubjectKind.SERVER, looked_at=[found.external_id], observations=[seen],
        at=at + timedelta(hours=1),
    )  # fmt: skip
    told = Finding.objects.get()
    assert (told.pk, told.name, told.sightings) == (found.pk, "byhand-2", found.sightings + 1)
