"""What every endpoint of the API has in common: one instant, one transaction, one way to find and to list."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework.decorators import action
from rest_framework.filters import BaseFilterBackend
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.viewsets import GenericViewSet

from api import exports, idempotency
from api.filters import OF_A_PAGE, Filters, Ordering, Search, refuse_unread
from api.parsers import StrictJSONParser
from api.references import find
from govcloud import clock
from govcloud.audit import refusals as audited
from govcloud.audit import services as audit
from govcloud.audit import watching
from govcloud.errors import DomainError, Forbidden
from govcloud.leaves import Dress, Leaves
from tenants.models import User
from tenants.policies import Wanted, require


class NotByLimitedToken(Forbidden):
    code = "not-by-limited-token"
    message = _(
        "This token is limited to permissions, none of which is about your own affairs. Sign in for this."
    )


M_co = TypeVar("M_co", bound=Model, covariant=True)
Read = TypeVar("Read", bound=Callable[..., Response])


class Endpoint(GenericViewSet[M_co]):
    """A resource of the API. Views parse, ask the policy, make ONE domain call and answer.

    A request that may write runs in one transaction: an answer of 400 or above leaves nothing behind, except the
    audit events of refusals that matter. ``at`` is the one instant at which everything in a request happens.
    """

    roles: ClassVar[Mapping[str, tuple[Wanted, ...]]] = {}
    """Who may call an action; actions that are not named are open to everybody signed in (and show what they may see)."""
    personal: ClassVar[frozenset[str]] = frozenset()
    """Actions that write what is the person's own and ask for no permission: not by a token that is limited to some."""
    once: ClassVar[bool] = True
    """Whether POST honours ``Idempotency-Key``; not where the answer holds a secret that must not be kept."""
    commits_itself: ClassVar[bool] = False
    """Whether the service behind it ends its transactions by itself: where something is to be on record before a cloud is asked."""
    previews: ClassVar[frozenset[str]] = frozenset()
    """Actions that are asked for by POST and write nothing: none of their refusals is that of a write."""
    refusals: ClassVar[Mapping[str, tuple[type[DomainError], ...]]] = {}
    """What an action may be refused by besides what all of its kind are, for the description."""
    versioned: ClassVar[frozenset[str]] = frozenset()
    """Actions that demand ``If-Match``."""
    may_name_version: ClassVar[frozenset[str]] = frozenset()
    """Actions that honour ``If-Match`` where it is sent."""

    lookup_field = "uuid"
    lookup_value_converter = "uuid"
    content_negotiation_class: type[BaseContentNegotiation] = exports.Negotiation
    metadata_class = None  # the schema describes the API; OPTIONS does not
    parser_classes: ClassVar[list[type[BaseParser]]] = [StrictJSONParser]  # type: ignore[misc]
    filter_backends: ClassVar[list[type[BaseFilterBackend]]] = [Filters, Search, Ordering]  # type: ignore[misc]
    at: datetime

    @property
    def actor(self) -> User:
        return cast("User", self.request.user)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.at = clock.now()
        with audited.kept(), self.unit_of_work(request):
            response = super().dispatch(request, *args, **kwargs)
            if self._is_one_transaction(request) and response.status_code >= 400:
                transaction.set_rollback(True)
        response.setdefault("Cache-Control", "no-store")
        return response

    @contextlib.contextmanager
    def unit_of_work(self, request: HttpRequest) -> Iterator[None]:
        if not self._is_one_transaction(request):
            yield
            return
        with transaction.atomic():
            yield

    def _is_one_transaction(self, request: HttpRequest) -> bool:
        return request.method not in SAFE_METHODS and not self.commits_itself

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        watching.note(only_looks=self.action in self.previews)
        super().initial(request, *args, **kwargs)
        if self.action in self.roles:
            require(self.actor, *self.roles[self.action], at=self.at)
        if self.action in self.personal and self.actor.limited_to is not None:
            raise NotByLimitedToken
        if request.method == "POST" and self.once:
            bound: Any = self
            bound.post = _once(bound.post, at=self.at)

    def get_object(self) -> M_co:
        lookup = {self.lookup_field: self.kwargs[self.lookup_url_kwarg or self.lookup_field]}
        one = find(visible=self.get_queryset(), actor=self.actor, at=self.at, **lookup)
        watching.found(lookup[self.lookup_field], one)
        return one

    def parsed(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """The body as the serializer validated it; raises ValidationError for what cannot be taken."""
        given = serializer(data=self.request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return cast("dict[str, Any]", given.validated_data)


class Retrieved(Endpoint[M_co]):
    """``GET /things/{id}``"""

    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them."""
        return Response(self.get_serializer(self.get_object()).data)


class Listed(Endpoint[M_co]):
    """``GET /things``: filtered, searched, ordered, in pages; with ``?format=csv`` or ``xlsx`` all of it as a file."""

    dress: ClassVar[Dress | None] = None
    """Adds what a list shows of its rows. A long list is joined and summed up so for the page that was asked for alone."""

    def get_renderers(self) -> list[BaseRenderer]:
        if self.action == "list":
            return [JSONRenderer(), exports.CSVRenderer(), exports.XLSXRenderer()]
        return super().get_renderers()

    def list(self, request: Request, **kwargs: Any) -> HttpResponseBase:  # noqa: ARG002
        """Filtered, searched, ordered, in pages; as a file (format) all of it."""
        rows = self.filter_queryset(self.get_queryset())
        if request.accepted_renderer.format != "json":
            dressed = self.dress(rows) if self.dress else rows
            return self.exported(dressed, format_=request.accepted_renderer.format)
        page = self.paginate_queryset(cast("Any", Leaves(rows, self.dress)) if self.dress else rows)
        serializer: Any = self.get_serializer(page, many=True)
        _ = serializer.child.fields  # so that a field that does not exist is refused on an empty page as well
        return self.get_paginated_response(serializer.data)

    def paged(self, rows: QuerySet[Any], answer: type[Serializer[Any]]) -> Response:
        """Rows of another kind that belong to this one, in pages and in their own order. Actions that answer so are ``below``."""
        refuse_unread(self.request, known=OF_A_PAGE)
        page = self.paginate_queryset(rows)
        serializer: Any = answer(cast("Any", page), many=True, context=self.get_serializer_context())
        _ = serializer.child.fields
        return self.get_paginated_response(serializer.data)

    def whole(self, rows: Iterable[Any], answer: type[Serializer[Any]]) -> Response:
        """The same where there are so few that there are no pages."""
        refuse_unread(self.request, known={"format"})
        return Response(answer(cast("Any", list(rows)), many=True).data)

    def exported(self, rows: QuerySet[Any], *, format_: str) -> HttpResponseBase:
        """The rows as a file, whole. That somebody took them out is audited."""
        name = self.basename or "list"
        serializer = cast("BaseSerializer[Any]", self.get_serializer())
        file = exports.answer(
            rows, serializer=serializer, format_=format_, name=f"{name}-{self.at:%Y%m%d-%H%M%S}"
        )
        with transaction.atomic():
            audit.record(
                actor=self.actor,
                verb="list.exported",
                subject=None,
                at=self.at,
                label=name,
                after={"format": format_, "query": self.request.META.get("QUERY_STRING", "")[:500]},
            )
        return file


def below(**options: Any) -> Callable[[Read], Read]:
    """An action that reads rows which belong to one: they are neither filtered nor searched nor sorted, nor described so."""
    return cast("Callable[[Read], Read]", action(detail=True, methods=["get"], filter_backends=[], **options))


def _once(handler: Any, *, at: datetime) -> Any:
    def post(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return idempotency.once(request, handler, *args, at=at, **kwargs)

    return post
