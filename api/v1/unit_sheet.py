"""Divisions, units and systems as one workbook: taken out, the blank template, and taken in again."""

from io import BytesIO
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.bodies import Body
from api.endpoints import Endpoint
from api.exports import XLSXRenderer
from govcloud.audit import watching
from govcloud.organisation import exporting, importing, reading, writing
from govcloud.organisation.importing import Action, Outcome
from govcloud.organisation.policies import REGISTRARS
from tenants.models import Department
from tenants.owners import OwnerUnreadable

FILE = OpenApiResponse(bytes, description="an Excel workbook")


class UnitSheetBody(Body):
    file = serializers.FileField(help_text=f"an Excel workbook (.xlsx) of at most {reading.MOST_BYTES} bytes")
    dry_run = serializers.BooleanField(default=False, help_text="tell what it would do, and change nothing")


class ChangeAnswer(serializers.Serializer[Any]):
    heading = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class RowAnswer(serializers.Serializer[Any]):
    sheet = serializers.CharField()
    row = serializers.IntegerField(help_text="as a spreadsheet counts")
    key = serializers.CharField(help_text="credit code of a unit, code of a system")
    name = serializers.CharField()
    action = serializers.ChoiceField([(action.value, action.value) for action in Action])
    changes = ChangeAnswer(many=True, help_text="personal data are shown as ***")


class SheetProblemAnswer(serializers.Serializer[Any]):
    sheet = serializers.CharField()
    cell = serializers.CharField(help_text="like B7")
    heading = serializers.CharField()
    code = serializers.CharField(source="error.code")
    detail = serializers.CharField(source="error.detail")


class OutcomeAnswer(serializers.Serializer[Any]):
    applied = serializers.BooleanField(help_text="false: nothing has been changed")
    created = serializers.SerializerMethodField()
    changed = serializers.SerializerMethodField()
    unchanged = serializers.SerializerMethodField()
    rows = RowAnswer(many=True)
    problems = SheetProblemAnswer(many=True, help_text="of a dry run; an import that has some is refused")

    def get_created(self, outcome: Outcome) -> int:
        return outcome.count(Action.CREATED)

    def get_changed(self, outcome: Outcome) -> int:
        return outcome.count(Action.CHANGED)

    def get_unchanged(self, outcome: Outcome) -> int:
        return outcome.count(Action.UNCHANGED)


class UnitSheet(Endpoint[Department]):
    queryset = Department.objects.all()
    serializer_class = OutcomeAnswer
    parser_classes: ClassVar[list[type[BaseParser]]] = [MultiPartParser]  # type: ignore[misc]
    refusals = {"retrieve": (OwnerUnreadable,)}
    roles = dict.fromkeys(("retrieve", "template", "create"), REGISTRARS)

    def get_renderers(self) -> list[BaseRenderer]:
        return (
            [JSONRenderer()]
            if self.request and self.request.method == "POST"
            else [XLSXRenderer(), JSONRenderer()]
        )

    @extend_schema(responses={200: FILE})
    def retrieve(self, request: Request) -> HttpResponse:  # noqa: ARG002
        """All divisions, and the units and systems in service, with their owners in full, in the form that is read back. That is audited."""
        return self.workbook(exporting.workbook(actor=self.actor, at=self.at), "units-and-systems")

    @extend_schema(responses={200: FILE})
    def template(self, request: Request) -> HttpResponse:  # noqa: ARG002
        """The workbook with nothing in it, and what its columns mean."""
        return self.workbook(writing.blank(), "units-and-systems-template")

    @extend_schema(request={"multipart/form-data": UnitSheetBody}, responses=OutcomeAnswer)
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Take in a workbook, all of it or nothing; or, as a dry run, tell exactly what that would do."""
        given = self.parsed(UnitSheetBody)
        watching.note(only_looks=given["dry_run"])
        file = given["file"]
        if file.size > reading.MOST_BYTES:
            raise reading.FileTooLarge(bytes=file.size, most=reading.MOST_BYTES, pointers=("/file",))
        outcome = importing.run(
            content=file.read(), name=file.name, dry=given["dry_run"], actor=self.actor, at=self.at
        )
        if not given["dry_run"]:
            importing.require_applied(outcome)
        return Response(self.get_serializer(outcome).data)

    def workbook(self, content: bytes, name: str) -> HttpResponse:
        response = HttpResponse(BytesIO(content), content_type=XLSXRenderer.media_type)
        stamp = f"{timezone.localtime(self.at):%Y%m%d-%H%M}"
        response["Content-Disposition"] = f'attachment; filename="{name}-{stamp}.xlsx"'
        return response
