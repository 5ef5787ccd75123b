"""Usage as metered."""

from decimal import Decimal

import factory
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from factory.django import DjangoModelFactory

from govcloud.metering.models import UsageSegment
from tests.factories.catalog import MeterFactory
from tests.factories.inventory import ResourceFactory


class UsageSegmentFactory(DjangoModelFactory[UsageSegment]):
    """Four vCPU from the resource's billing start on, still going on."""

    class Meta:
        model = UsageSegment

    resource = factory.SubFactory(ResourceFactory)
    meter = factory.SubFactory(MeterFactory)
    quantity = Decimal(4)
    period = factory.LazyAttribute(lambda segment: DateTimeTZRange(segment.resource.billing_start, None))
