"""Quota accounts: what a department may hold and use, and what it does."""

from typing import Any

import django_filters as filters
from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.etags import etag_of, expected_version
from api.fields import Answer
from api.v1.tenants import DepartmentRef
from govcloud.quotas import services
from govcloud.quotas.models import Dimension, QuotaAccount, TemporaryRaise
from govcloud.quotas.policies import require_allotter, require_limit_keeper
from govcloud.quotas.services import LARGEST_LIMIT


class RaiseRef(serializers.Serializer[TemporaryRaise]):
    uuid = serializers.UUIDField()
    until = serializers.DateField(help_text="its last day")
    falls_back_to = serializers.IntegerField()
    order_number = serializers.CharField()


class QuotaAccountAnswer(Answer):
    uuid = serializers.UUIDField()
    department = DepartmentRef()
    dimension = serializers.ChoiceField(Dimension.choices)
    limit = serializers.IntegerField(allow_null=True, help_text="null is unlimited, 0 is nothing at all")
    held = serializers.IntegerField(help_text="by orders on their way")
    used = serializers.IntegerField()
    free = serializers.IntegerField(allow_null=True)
    temporary = serializers.SerializerMethodField(
        help_text="the raise in force that falls back by itself, if any"
    )
    version = serializers.IntegerField()

    @extend_schema_field(RaiseRef(allow_null=True))
    def get_temporary(self, account: QuotaAccount) -> Any:
        running = next(iter(account.running), None)  # type: ignore[attr-defined]
        return RaiseRef(running).data if running is not None else None


class LimitBody(Body):
    limit = serializers.IntegerField(min_value=0, max_value=LARGEST_LIMIT, allow_null=True)
    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class AllotmentBody(Body):
    limit = serializers.IntegerField(min_value=0, max_value=LARGEST_LIMIT)
    reason = serializers.CharField(max_length=500)


class QuotaFilters(filters.FilterSet):  # type: ignore[misc]
    department = filters.UUIDFilter("department__uuid")
    dimension = filters.ChoiceFilter(choices=Dimension.choices)


class QuotaAccounts(Listed[QuotaAccount], Retrieved[QuotaAccount]):
    queryset = QuotaAccount.objects.all()
    serializer_class = QuotaAccountAnswer
    filterset_class = QuotaFilters
    search_fields = ("department__name", "department__name_en")
    ordering_fields = ("dimension", "limit", "held", "used")
    versioned = frozenset({"partial_update", "allotment"})

    def get_queryset(self) -> QuerySet[QuotaAccount]:
        running = Prefetch("raises", TemporaryRaise.objects.running(), to_attr="running")
        rows = QuotaAccount.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("department__parent").prefetch_related(running)

    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them."""
        return self.answer(self.get_object())

    def answer(self, account: QuotaAccount) -> Response:
        return Response(self.get_serializer(account).data, headers={"ETag": etag_of(account)})

    @extend_schema(request=LimitBody, responses=QuotaAccountAnswer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Set the limit. It may be lowered under what is in use: nothing more can be ordered then."""
        require_limit_keeper(self.actor, at=self.at)
        account = self.get_object()
        version = expected_version(request, account)
        given = self.parsed(LimitBody)
        services.set_limit(account=account, **given, expected_version=version, actor=self.actor, at=self.at)
        return self.answer(self.get_object())

    @extend_schema(request=AllotmentBody, responses=QuotaAccountAnswer)
    @action(detail=True, methods=["put"])
    def allotment(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Hand quota on to a unit below, or take it back: what its limit becomes, of what the unit above has left."""
        account = self.get_object()
        require_allotter(self.actor, department=account.department, at=self.at)
        version = expected_version(request, account)
        given = self.parsed(AllotmentBody)
        services.allot(account=account, **given, expected_version=version, actor=self.actor, at=self.at)
        return self.answer(self.get_object())
