"""What an order is on paper: the approval form, and the archive package of a closed one."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from api.downloads import as_file
from api.endpoints import Endpoint
from govcloud.documents.archive import NotSealedYet, OrderNotClosed, package
from govcloud.documents.form import printed
from govcloud.orders.models import Order


class _Paper(Endpoint[Order]):
    queryset = Order.objects.all()
    once: ClassVar[bool] = False

    def get_queryset(self) -> QuerySet[Order]:
        rows = Order.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("system__department", "applicant", "case")


class Forms(_Paper):
    @extend_schema(
        responses={(200, "application/pdf"): OpenApiResponse(bytes, description="the form, A4")},
        tags=["orders"],
    )
    def retrieve(self, request: Request, **kwargs: Any) -> HttpResponse:  # noqa: ARG002
        """The approval form of the last revision, with what everybody decided so far."""
        order = self.get_object()
        content = printed(order=order, actor=self.actor, at=self.at)
        return as_file(content, name=f"{order.number}.pdf", content_type="application/pdf")


class Packages(_Paper):
    refusals = {"retrieve": (OrderNotClosed, NotSealedYet)}

    @extend_schema(
        responses={(200, "application/zip"): OpenApiResponse(bytes, description="the package")},
        tags=["orders"],
    )
    def retrieve(self, request: Request, **kwargs: Any) -> HttpResponse:  # noqa: ARG002
        """The archive package of a closed order; `manage.py verify_archive` proves it without this service."""
        order = self.get_object()
        content = package(order=order, actor=self.actor, at=self.at)
        return as_file(content, name=f"{order.number}.zip", content_type="application/zip")
