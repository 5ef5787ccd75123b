"""The files that an order is founded on."""

from typing import Any, ClassVar

import django_filters as filters
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.downloads import as_file
from api.endpoints import Endpoint, Listed, Retrieved
from api.fields import Answer
from api.filters import TrueOrFalseFilter
from govcloud.orders import attachments
from govcloud.orders.contents import FORMATS
from govcloud.orders.models import Attachment, Order


class AttachmentAnswer(Answer):
    uuid = serializers.UUIDField()
    order = serializers.UUIDField(source="order.uuid")
    name = serializers.CharField()
    content_type = serializers.CharField(help_text="by its content")
    size = serializers.IntegerField(help_text="bytes")
    sha256 = serializers.CharField()
    scanned = serializers.BooleanField(help_text="whether a virus scanner has seen it")
    added_by = serializers.CharField(source="added_by.audit_name")
    added_at = serializers.DateTimeField()
    first_revision = serializers.IntegerField(help_text="the first revision that it belongs to")
    removed_before = serializers.IntegerField(
        allow_null=True, help_text="the first revision that it does not belong to any more"
    )


class AttachmentBody(Body):
    file = serializers.FileField(
        allow_empty_file=True, max_length=None, help_text="PDF, OFD, PNG, JPEG, DOCX or XLSX"
    )


class AttachmentFilters(filters.FilterSet):  # type: ignore[misc]
    order = filters.UUIDFilter("order__uuid")
    in_the_order = TrueOrFalseFilter("removed_before", lookup_expr="isnull")


class Attachments(Listed[Attachment], Retrieved[Attachment]):
    queryset = Attachment.objects.all()
    serializer_class = AttachmentAnswer
    filterset_class = AttachmentFilters
    search_fields = ("name", "order__number")
    ordering_fields = ("added_at", "name", "size")
    refusals = {"content": (attachments.AttachmentLost,)}

    def get_queryset(self) -> QuerySet[Attachment]:
        rows = Attachment.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("added_by", "order__system__department", "order__case")

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Take it out of the order. What was submitted with it keeps it."""
        attachments.remove(attachment=self.get_object(), actor=self.actor, at=self.at)
        return Response(status=204)

    @extend_schema(
        responses={
            (200, each.content_type): OpenApiResponse(bytes, description="the file") for each in FORMATS
        }
    )
    @action(detail=True, methods=["get"])
    def content(self, request: Request, **kwargs: Any) -> HttpResponse:  # noqa: ARG002
        """The file itself, to be kept and not to be shown: a browser never runs what is in it."""
        row = self.get_object()
        content = attachments.download(attachment=row, actor=self.actor, at=self.at)
        return as_file(content, name=row.name, content_type=row.content_type)


class OrderAttachments(Endpoint[Order]):
    queryset = Order.objects.all()
    serializer_class = AttachmentAnswer
    refusals = {"create": (attachments.ScannerDoesNotAnswer,)}
    once: ClassVar[bool] = False  # the same file a second time is refused
    parser_classes: ClassVar[list[type[BaseParser]]] = [MultiPartParser]  # type: ignore[misc]

    def get_queryset(self) -> QuerySet[Order]:
        rows = Order.objects.visible_to(self.actor, at=self.at)
        return rows.select_related("system__department", "case")

    @extend_schema(
        request={"multipart/form-data": AttachmentBody}, responses={201: AttachmentAnswer}, tags=["orders"]
    )
    def create(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Add a file to a draft, or to an order that was returned for correction."""
        order, given = self.get_object(), self.parsed(AttachmentBody)["file"]
        made = attachments.attach(
            order=order, name=given.name, content=given.read(), actor=self.actor, at=self.at
        )
        return Response(AttachmentAnswer(made).data, status=201)
