"""OpenAPI 3.1: what drf-spectacular cannot see by itself (problem details, headers, exports, sparse fields)."""

import inspect
from typing import Any, Literal, cast

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from api.endpoints import Endpoint, Listed
from api.fields import Answer
from api.problems import MEDIA_TYPE, status_of
from govcloud.sheets import ListTooLongForSheet


class ProblemEntry(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="JSON pointer (RFC 6901) into the body that was sent")
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """Problem details (RFC 9457). ``type`` leads to a page that explains the code."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    params = serializers.DictField(required=False)
    errors = ProblemEntry(many=True, required=False)  # type: ignore[assignment]


class BearerToken(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        return build_bearer_security_scheme_object(header_name="Authorization", token_prefix="Bearer")  # noqa: S106


class PortalSession(SessionScheme):  # type: ignore[no-untyped-call]
    target_class = "api.authentication.PortalSession"


FIELDS = OpenApiParameter(
    "fields", str, description="Names of fields, comma-separated; all others are left out."
)
FORMAT = OpenApiParameter(
    "format", str, enum=["json", "csv", "xlsx"], description="csv and xlsx: all rows as a file."
)
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Makes a repeated request safe: it is answered from the record of the first for 24 hours.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag of the version that you are changing.",
)
IF_MATCH_IF_SENT = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of the version that you have read; without it, any version is meant.",
)
EVERYWHERE = (401, 403)
WITH_BODY = (415, 422)


class Schema(AutoSchema):
    """Adds to each operation what all of them have in common."""

    def get_tags(self) -> list[str]:
        return [self._tokenize_path()[0]]

    def get_summary(self) -> str | None:
        """The first line of what the operation says of itself."""
        return self._operation_doc().partition("\n")[0] or None

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """The rest of it, and what the view says of itself; nothing of their base classes."""
        own = inspect.cleandoc(type(self.view).__dict__.get("__doc__") or "")
        return "\n\n".join(text for text in (self._operation_doc().partition("\n")[2].strip(), own) if text)

    def _operation_doc(self) -> str:
        operation = getattr(self.view, getattr(self.view, "action", None) or "", None)
        return inspect.cleandoc(getattr(operation, "__doc__", None) or "")

    def get_override_parameters(self) -> list[Any]:
        given: list[Any] = list(super().get_override_parameters())
        view = self.view
        if not isinstance(view, Endpoint):
            return given
        if self.method == "GET" and self._answers_sparsely():
            given.append(FIELDS)
        if self.method == "GET" and self._lists():
            given.append(FORMAT)
        if self.method == "POST" and view.once:
            given.append(KEY)
        if view.action in view.versioned:
            given.append(IF_MATCH)
        if view.action in view.may_name_version:
            given.append(IF_MATCH_IF_SENT)
        return given

    def _answers_sparsely(self) -> bool:
        serializer = self.get_response_serializers()
        serializer = getattr(serializer, "child", serializer)
        return isinstance(serializer, Answer)

    def _lists(self) -> bool:
        return isinstance(self.view, Listed) and self.view.action == "list"

    def map_renderers(self, attribute: str) -> list[str]:
        return ["application/json"] if attribute == "media_types" else list(super().map_renderers(attribute))

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if self._lists():
            file = {"schema": {"type": "string", "format": "binary"}}
            bodies["200"]["content"]["text/csv"] = file
            bodies["200"]["content"]["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"] = (
                file
            )
        for status in self._refusals():
            if str(status) not in bodies:
                bodies[str(status)] = self._problem(status, direction)
        return bodies

    def _refusals(self) -> list[int]:
        view = self.view
        statuses = [400]  # at the least for a format that there is not
        if self.get_auth():
            statuses += EVERYWHERE
        names_things = self.method != "GET" and self.get_auth() and self.get_request_serializer() is not None
        # What a body names may not be there, or not for the caller; nor the page that is asked for.
        if "{" in self.path or names_things or self._is_list_view():
            statuses.append(404)
        if self.method != "GET":
            statuses += [*WITH_BODY, 409]
        if self._lists():
            statuses.append(status_of(ListTooLongForSheet))
        if isinstance(view, Endpoint):
            statuses += [status_of(error) for error in view.refusals.get(view.action, ())]
            if view.action in view.versioned:
                statuses += [412, 428]
            if view.action in view.may_name_version:
                statuses.append(412)
        if self.method == "POST" and not self.get_auth():
            statuses.append(429)
        return sorted(set(statuses))

    def _problem(self, status: int, direction: str) -> dict[str, Any]:
        response = OpenApiResponse(Problem, description="Problem details")
        return cast(
            "dict[str, Any]",
            self._get_response_for_code(response, str(status), [MEDIA_TYPE], direction),  # type: ignore[no-untyped-call]
        )
