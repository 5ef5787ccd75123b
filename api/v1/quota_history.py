"""What became of limits: each change of one, raises for a time, and accounts that came near their limits."""

import django_filters as filters
from django.db.models import QuerySet
from rest_framework import serializers

from api.endpoints import Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from api.v1.people import PersonRef
from api.v1.tenants import DepartmentRef
from govcloud.quotas.lifecycle import RaiseStatus
from govcloud.quotas.models import Crossing, Dimension, LimitChange, Origin, TemporaryRaise


class _OfAccountAnswer(Answer):
    uuid = serializers.UUIDField()
    account = serializers.UUIDField(source="account.uuid")
    department = DepartmentRef(source="account.department")
    dimension = serializers.ChoiceField(Dimension.choices, source="account.dimension")


class _OfAccountFilters(filters.FilterSet):  # type: ignore[misc]
    account = filters.UUIDFilter("account__uuid")
    department = filters.UUIDFilter("account__department__uuid")
    dimension = filters.ChoiceFilter("account__dimension", choices=Dimension.choices)


class LimitChangeAnswer(_OfAccountAnswer):
    origin = serializers.ChoiceField(Origin.choices, help_text="how it came to it")
    before = serializers.IntegerField(allow_null=True, help_text="null is unlimited, 0 is nothing at all")
    after = serializers.IntegerField(allow_null=True, help_text="null is unlimited, 0 is nothing at all")
    until = serializers.DateField(allow_null=True, help_text="of a temporary raise: its last day")
    actor = PersonRef(allow_null=True, help_text="null: it came by itself")
    reason = serializers.CharField()
    order = serializers.UUIDField(source="thread", allow_null=True, help_text="that asked for it")
    order_number = serializers.CharField()
    at = serializers.DateTimeField()


class LimitChangeFilters(_OfAccountFilters):
    origin = filters.MultipleChoiceFilter(choices=Origin.choices)
    order = filters.UUIDFilter("thread")
    after = filters.IsoDateTimeFilter("at", lookup_expr="gte")
    before = filters.IsoDateTimeFilter("at", lookup_expr="lt")


class LimitChanges(Listed[LimitChange], Retrieved[LimitChange]):
    queryset = LimitChange.objects.all()
    serializer_class = LimitChangeAnswer
    filterset_class = LimitChangeFilters
    search_fields = ("account__department__name", "account__department__name_en", "order_number", "reason")
    ordering_fields = ("at",)

    def get_queryset(self) -> QuerySet[LimitChange]:
        rows = LimitChange.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("account__department", "actor")


class TemporaryRaiseAnswer(_OfAccountAnswer):
    limit = serializers.IntegerField()
    falls_back_to = serializers.IntegerField()
    since = serializers.DateTimeField()
    until = serializers.DateField(help_text="its last day")
    falls_back_at = serializers.DateTimeField(source="next_run_at")
    status = serializers.ChoiceField(RaiseStatus.choices)
    ended_at = serializers.DateTimeField(allow_null=True)
    beyond = serializers.IntegerField(
        help_text="by how much more was held and used when it fell back than the limit"
    )
    order = serializers.UUIDField(source="thread")
    order_number = serializers.CharField()


class TemporaryRaiseFilters(_OfAccountFilters):
    status = filters.MultipleChoiceFilter(choices=RaiseStatus.choices)
    order = filters.UUIDFilter("thread")
    until_before = filters.DateFilter("until", lookup_expr="lt")


class TemporaryRaises(Listed[TemporaryRaise], Retrieved[TemporaryRaise]):
    queryset = TemporaryRaise.objects.all()
    serializer_class = TemporaryRaiseAnswer
    filterset_class = TemporaryRaiseFilters
    search_fields = ("account__department__name", "account__department__name_en", "order_number")
    ordering_fields = ("until", "since", "limit")

    def get_queryset(self) -> QuerySet[TemporaryRaise]:
        return TemporaryRaise.objects.visible_to(self.actor, at=self.at).select_related("account__department")


class CrossingAnswer(_OfAccountAnswer):
    percent = serializers.IntegerField(help_text="the share of the limit that was reached")
    limit = serializers.IntegerField(help_text="as it was then")
    taken = serializers.IntegerField(help_text="held and used then")
    crossed_at = serializers.DateTimeField()
    cleared_at = serializers.DateTimeField(allow_null=True, help_text="null: it has not been below since")


class CrossingFilters(_OfAccountFilters):
    in_force = TrueOrFalseFilter("cleared_at", lookup_expr="isnull")
    percent = filters.NumberFilter()


class Crossings(Listed[Crossing], Retrieved[Crossing]):
    queryset = Crossing.objects.all()
    serializer_class = CrossingAnswer
    filterset_class = CrossingFilters
    search_fields = ("account__department__name", "account__department__name_en")
    ordering_fields = ("crossed_at", "percent")

    def get_queryset(self) -> QuerySet[Crossing]:
        return Crossing.objects.visible_to(self.actor, at=self.at).select_related("account__department")
