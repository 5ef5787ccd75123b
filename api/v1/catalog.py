"""What can be ordered, and where it is built. Everybody signed in reads the catalogue."""

from typing import Any, TypeVar

import django_filters as filters
from django.db.models import Model, QuerySet
from rest_framework import serializers

from api.converters import CODE
from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from govcloud.catalog.models import (
    Delivery,
    DRTier,
    Flavor,
    Image,
    Keeps,
    Kind,
    Line,
    Offering,
    Service,
    StorageClass,
)

M = TypeVar("M", bound=Model)


class OfferableAnswer(Answer):
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    retired_at = serializers.DateTimeField(allow_null=True)


class OfferableFilters(filters.FilterSet):  # type: ignore[misc]
    orderable = TrueOrFalseFilter("retired_at", lookup_expr="isnull", label="false: only what was retired")


class OfferingAnswer(OfferableAnswer):
    service = serializers.ChoiceField(Service.choices)
    kind = serializers.ChoiceField(Kind.choices)
    delivery = serializers.ChoiceField(Delivery.choices)
    unit = serializers.CharField()
    meter = serializers.CharField(source="meter.code", default=None, allow_null=True)
    max_quantity = serializers.IntegerField()
    description = serializers.CharField()
    description_en = serializers.CharField()


class OfferingFilters(OfferableFilters):
    service = filters.ChoiceFilter(choices=Service.choices)
    kind = filters.ChoiceFilter(choices=Kind.choices)
    delivery = filters.ChoiceFilter(choices=Delivery.choices)


class ByCode(Listed[M], Retrieved[M]):
    """A table of the catalogue, each row under its published code."""

    lookup_field = "code"
    lookup_value_converter = CODE
    search_fields: tuple[str, ...] = ("code", "name", "name_en")
    ordering_fields: tuple[str, ...] = ("code", "name")


class Offerings(ByCode[Offering]):
    queryset = Offering.objects.select_related("meter")
    serializer_class = OfferingAnswer
    filterset_class = OfferingFilters


class FlavorAnswer(OfferableAnswer):
    line = serializers.ChoiceField(Line.choices)
    vcpus = serializers.IntegerField()
    memory_gb = serializers.IntegerField()


class FlavorFilters(OfferableFilters):
    line = filters.ChoiceFilter(choices=Line.choices)
    min_vcpus = filters.NumberFilter("vcpus", lookup_expr="gte")
    min_memory_gb = filters.NumberFilter("memory_gb", lookup_expr="gte")


class Flavors(ByCode[Flavor]):
    queryset = Flavor.objects.all()
    serializer_class = FlavorAnswer
    filterset_class = FlavorFilters
    ordering_fields = ("code", "line", "vcpus", "memory_gb")


class StorageClassAnswer(OfferableAnswer):
    keeps = serializers.ChoiceField(Keeps.choices, help_text="what can be ordered in it")
    meter = serializers.CharField(source="meter.code")
    max_gb = serializers.IntegerField(help_text="of one volume or container")


class StorageClasses(ByCode[StorageClass]):
    queryset = StorageClass.objects.select_related("meter").order_by("code")
    serializer_class = StorageClassAnswer
    filterset_class = OfferableFilters


class ImageAnswer(OfferableAnswer):
    os = serializers.CharField()
    min_disk_gb = serializers.IntegerField()


class Images(ByCode[Image]):
    queryset = Image.objects.order_by("code")
    serializer_class = ImageAnswer
    filterset_class = OfferableFilters


class DRTierAnswer(Answer):
    level = serializers.IntegerField(help_text="GB/T 20988")
    edition = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    rto_minutes = serializers.IntegerField()
    rpo_minutes = serializers.IntegerField()
    off_site = serializers.BooleanField()
    provable_by_backup = serializers.BooleanField()
    meter_local = serializers.CharField(source="meter_local.code")
    meter_off_site = serializers.CharField(source="meter_off_site.code")
    max_gb = serializers.IntegerField()
    retired_at = serializers.DateTimeField(allow_null=True)


class DRTiers(Listed[DRTier], Retrieved[DRTier]):
    """The DR levels in force; ``?orderable=false`` for those of earlier editions."""

    queryset = DRTier.objects.select_related("meter_local", "meter_off_site")
    serializer_class = DRTierAnswer
    filterset_class = OfferableFilters
    search_fields = ("name", "name_en")
    ordering_fields = ("level", "edition")
    lookup_field = "level"
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[DRTier]:
        rows = super().get_queryset()
        return rows if self.action == "list" else rows.filter(retired_at__isnull=True)


class Named(serializers.Serializer[Any]):
    """A row of the catalogue, as others name it."""

    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
