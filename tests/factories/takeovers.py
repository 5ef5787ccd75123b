"""Projects that were surveyed, with candidates in each state."""

from uuid import uuid4

import factory
from factory.django import DjangoModelFactory

from govcloud.inventory.models import ResourceKind
from govcloud.takeover.lifecycle import TakeoverStatus
from govcloud.takeover.models import Candidate, Equivalent, Takeover
from tests.factories.catalog import CloudFactory, FlavorFactory
from tests.factories.tenants import BEGINNING


class TakeoverFactory(DjangoModelFactory[Takeover]):
    """One that was surveyed and belongs to nobody yet."""

    class Meta:
        model = Takeover

    cloud = factory.SubFactory(CloudFactory)
    project_id = factory.LazyFunction(lambda: uuid4().hex)
    project_name = factory.Sequence(lambda n: f"oa-{n}")
    status = TakeoverStatus.SURVEYED
    requested_at = BEGINNING
    surveyed_at = BEGINNING


class CandidateFactory(DjangoModelFactory[Candidate]):
    """A network that nothing stands against."""

    class Meta:
        model = Candidate

    takeover = factory.SubFactory(TakeoverFactory)
    cloud = factory.SelfAttribute("takeover.cloud")
    kind = ResourceKind.NETWORK
    external_id = factory.LazyFunction(lambda: str(uuid4()))
    found_name = factory.Sequence(lambda n: f"OA net {n}")
    name = factory.Sequence(lambda n: f"oa-net-{n}")
    cloud_status = "ACTIVE"
    cidr = factory.Sequence(lambda n: f"10.88.{n % 256}.0/24")
    gateway = factory.LazyAttribute(lambda each: each.cidr.replace(".0/24", ".1"))
    subnet_id = factory.LazyFunction(lambda: str(uuid4()))
    subnets = 1


class EquivalentFactory(DjangoModelFactory[Equivalent]):
    class Meta:
        model = Equivalent

    cloud = factory.SubFactory(CloudFactory)
    cloud_name = factory.Sequence(lambda n: f"m{n}.large")
    flavor = factory.SubFactory(FlavorFactory)
