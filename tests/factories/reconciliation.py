"""Passes over clouds, and findings in each state."""

from datetime import timedelta
from uuid import uuid4

import factory
from factory.django import DjangoModelFactory

from govcloud.reconciliation.lifecycle import FindingStatus, SweepStatus
from govcloud.reconciliation.models import Difference, Extent, Finding, Sweep
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind
from tests.factories.catalog import CloudFactory
from tests.factories.inventory import NetworkFactory, ServerFactory
from tests.factories.tenants import BEGINNING, SystemFactory


class SweepFactory(DjangoModelFactory[Sweep]):
    """One that is done."""

    class Meta:
        model = Sweep

    cloud = factory.SubFactory(CloudFactory)
    extent = Extent.FULL
    status = SweepStatus.DONE
    requested_at = BEGINNING
    started_at = factory.SelfAttribute("requested_at")
    finished_at = factory.LazyAttribute(lambda sweep: sweep.started_at + timedelta(seconds=8))
    servers_until = factory.SelfAttribute("started_at")
    volumes_until = factory.SelfAttribute("started_at")


class FindingFactory(DjangoModelFactory[Finding]):
    """A volume that somebody made in one of our projects; ``renamed=True`` for a server of ours with another name,
    ``opened=True`` for a rule by hand that lets everybody into a network of ours.
    """

    class Meta:
        model = Finding
        skip_postgeneration_save = True

    class Params:
        renamed = factory.Trait(
            kind=FindingKind.DRIFTED,
            subject=SubjectKind.SERVER,
            remedy=Remedy.SET_BACK,
            resource=factory.LazyAttribute(
                lambda finding: ServerFactory(resource__system=finding.system).resource
            ),
            external_id=factory.SelfAttribute("resource.external_id"),
            values=factory.RelatedFactory(
                "tests.factories.reconciliation.DifferenceFactory", factory_related_name="finding"
            ),
        )

        opened = factory.Trait(
            subject=SubjectKind.SECURITY_RULE,
            remedy=Remedy.CLEAR_AWAY,
            name="tcp 22 0.0.0.0/0",
            resource=factory.LazyAttribute(
                lambda finding: NetworkFactory(resource__system=finding.system).resource
            ),
            values=factory.RelatedFactory(
                "tests.factories.reconciliation.DifferenceFactory",
                factory_related_name="finding",
                field=Field.ORIGIN,
                expected="",
                found="0.0.0.0/0",
            ),
        )

    kind = FindingKind.FOREIGN
    subject = SubjectKind.VOLUME
    remedy = Remedy.DECIDE
    status = FindingStatus.OPEN
    cloud = factory.SubFactory(CloudFactory)
    external_id = factory.LazyFunction(lambda: str(uuid4()))
    name = "by-hand"
    system = factory.SubFactory(SystemFactory)
    first_seen_at = BEGINNING
    last_seen_at = factory.SelfAttribute("first_seen_at")


class DifferenceFactory(DjangoModelFactory[Difference]):
    class Meta:
        model = Difference

    finding = factory.SubFactory(FindingFactory)
    field = Field.NAME
    expected = "app-1"
    found = "renamed"
