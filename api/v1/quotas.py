"""Quota accounts: what a department may hold and use, and what it does."""

from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Listed, Retrieved
from api.etags import etag_of, expected_version
from api.fields import Answer
from api.v1.tenants import DepartmentRef
from govcloud.quotas import services
from govcloud.quotas.models import Dimension, QuotaAccount
from govcloud.quotas.policies import require_limit_keeper
from tenants.queries import within


class QuotaAccountAnswer(Answer):
    uuid = serializers.UUIDField()
    department = DepartmentRef()
    dimension = serializers.ChoiceField(Dimension.choices)
    limit = serializers.IntegerField(allow_null=True, help_text="null is unlimited, 0 is nothing at all")
    held = serializers.IntegerField(help_text="by orders on their way")
    used = serializers.IntegerField()
    free = serializers.IntegerField(allow_null=True)
    version = serializers.IntegerField()


class LimitChange(Body):
    limit = serializers.IntegerField(min_value=0, max_value=10**12, allow_null=True)


class QuotaFilters(filters.FilterSet):  # type: ignore[misc]
    department = filters.UUIDFilter("department__uuid")
    dimension = filters.ChoiceFilter(choices=Dimension.choices)


class QuotaAccounts(Listed[QuotaAccount], Retrieved[QuotaAccount]):
    queryset = QuotaAccount.objects.select_related("department")
    serializer_class = QuotaAccountAnswer
    filterset_class = QuotaFilters
    search_fields = ("department__name", "department__name_en")
    ordering_fields = ("dimension", "limit", "held", "used")
    versioned = frozenset({"partial_update"})

    def get_queryset(self) -> QuerySet[QuotaAccount]:
        return super().get_queryset().filter(within(self.actor, at=self.at, path="department__path"))

    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them."""
        return self.answer(self.get_object())

    def answer(self, account: QuotaAccount) -> Response:
        return Response(self.get_serializer(account).data, headers={"ETag": etag_of(account)})

    @extend_schema(request=LimitChange, responses=QuotaAccountAnswer)
    def partial_update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Set the limit. It may be lowered under what is in use: nothing more can be ordered then."""
        require_limit_keeper(self.actor, at=self.at)
        account = self.get_object()
        version = expected_version(request, account)
        limit = self.parsed(LimitChange)["limit"]
        services.set_limit(
            account=account, limit=limit, expected_version=version, actor=self.actor, at=self.at
        )
        return self.answer(self.get_object())
