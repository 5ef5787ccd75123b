"""Orders: drafted, revised, submitted, decided and withdrawn by people; followed until they are fulfilled."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import django_filters as filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BooleanField, Serializer
from rest_framework.views import APIView

from api.endpoints import Listed, Retrieved, below
from api.etags import etag_of, expected_version, version_if_named
from api.filters import Filters, Ordering, Search
from api.references import all_visible, find
from api.v1.audit import EventAnswer
from api.v1.operations import OperationAnswer, with_progress
from api.v1.order_answers import OrderAnswer, OrderSummary, answerable, made_answerable
from api.v1.order_bodies import (
    CancellationBody,
    DecisionBody,
    DeliveryConfirmationBody,
    OrderBody,
    OrderContent,
    RemedyBody,
    SubmissionBody,
    WithdrawalBody,
)
from api.v1.order_review import READERS as REVIEWERS
from api.v1.order_review import ReviewAnswer
from govcloud.approvals.models import Answer
from govcloud.approvals.queries import current_stage
from govcloud.audit.queries import trail
from govcloud.inventory.models import Resource
from govcloud.orders import confirming, services
from govcloud.orders.cancellation import cancel
from govcloud.orders.drafts import (
    AddressDraft,
    ExtendDraft,
    ItemDraft,
    ReleaseDraft,
    RenewDraft,
    ResizeDraft,
    RetypeDraft,
    ServerDraft,
    StorageDraft,
)
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.orders.readiness import submit_as_read
from govcloud.orders.resolution import as_uuid
from govcloud.provisioning.models import Operation
from tenants.models import System
from tenants.policies import require

if TYPE_CHECKING:
    from govcloud.orders.queries import OrderQuerySet


class OrderFilters(filters.FilterSet):  # type: ignore[misc]
    status = filters.MultipleChoiceFilter(choices=Status.choices, distinct=False)
    system = filters.UUIDFilter("system__uuid")
    department = filters.UUIDFilter("system__department__uuid")
    applicant = filters.UUIDFilter("applicant__uuid")
    number = filters.CharFilter()
    created_after = filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = filters.IsoDateTimeFilter("created_at", lookup_expr="lt")


class OrderSearch(Search):
    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:  # noqa: ARG002
        """Each word as the portal looks for it."""
        return cast("OrderQuerySet", queryset).mentioning(self.get_search_terms(request))

    def searches(self, view: APIView) -> bool:  # noqa: ARG002
        return True


def with_summary(rows: QuerySet[Order]) -> QuerySet[Order]:
    """Adds what a list shows of the system and the stage that decides now, in the same query."""
    return rows.select_related("system__department", "applicant").annotate(
        stage=current_stage("code", case="case"),
        stage_due_at=current_stage("due_at", case="case"),
    )


class Orders(Listed[Order], Retrieved[Order]):
    filter_backends: ClassVar[list[type[BaseFilterBackend]]] = [Filters, OrderSearch, Ordering]  # type: ignore[misc]
    queryset = Order.objects.all()
    serializer_class = OrderSummary
    filterset_class = OrderFilters
    dress = staticmethod(with_summary)
    ordering_fields = ("number", "created_at", "submitted_at", "status")
    versioned = frozenset({"update"})
    may_name_version = frozenset({"submission", "withdrawal"})

    def get_queryset(self) -> QuerySet[Order]:
        rows = Order.objects.visible_to(self.actor, at=self.at)
        if self.action == "retrieve":
            return answerable(rows)
        return rows if self.action == "list" else rows.select_related("system__department", "applicant")

    @extend_schema(responses=OrderAnswer)
    def retrieve(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """One of them, with its price, effect, case and what has become of it."""
        return self.answer_read(self.get_object())

    @extend_schema(request=OrderBody, responses={201: OrderAnswer})
    def create(self, request: Request) -> Response:  # noqa: ARG002
        """Write down a new order as a draft. Everything that is wrong with it is told at once."""
        self.refuse_classified()
        given = self.content(OrderBody)
        systems = System.objects.visible_to(self.actor, at=self.at).select_related("department")
        given["system"] = find(
            visible=systems, actor=self.actor, at=self.at, pointer="/system", uuid=given["system"]
        )
        order = services.draft(**given, actor=self.actor, at=self.at)
        location = self.reverse_action("detail", kwargs={"uuid": order.uuid})
        return self.answer(order, status=201, headers={"Location": location})

    @extend_schema(request=OrderContent, responses=OrderAnswer)
    def update(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Replace the content of a draft, or of an order that was returned for correction."""
        self.refuse_classified()
        order = self.get_object()
        version = expected_version(request, order)
        given = self.content(OrderContent)
        return self.answer(
            services.revise(order=order, **given, expected_version=version, actor=self.actor, at=self.at)
        )

    @extend_schema(request=SubmissionBody, responses=OrderAnswer)
    @action(detail=True, methods=["post"])
    def submission(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Ask for approval: the content and its price are frozen, the quota is held.

        Bound to what was read by If-Match, and by ``files_hash`` to its files; each may be left out.
        """
        order = self.get_object()
        submitted = submit_as_read(
            order=order,
            expected_version=version_if_named(request, order),
            expected_files=self.parsed(SubmissionBody).get("files_hash"),
            actor=self.actor,
            at=self.at,
        )
        return self.answer_read(made_answerable(submitted))

    @extend_schema(request=WithdrawalBody, responses=OrderAnswer)
    @action(detail=True, methods=["post"])
    def withdrawal(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Take back a draft, or for a reason an order that nobody has decided for good."""
        order = self.get_object()
        version = version_if_named(request, order)
        reason = self.parsed(WithdrawalBody)["reason"]
        return self.answer(
            services.withdraw(
                order=order, reason=reason, expected_version=version, actor=self.actor, at=self.at
            )
        )

    @extend_schema(request=CancellationBody, responses=OrderAnswer)
    @action(detail=True, methods=["post"])
    def cancellation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Call off an order that is being built, or some units of it: what was made for them is taken down."""
        order = self.get_object()
        given = self.parsed(CancellationBody)
        return self.answer(
            cancel(
                order=order, reason=given["reason"], units=given.get("units"), actor=self.actor, at=self.at
            )
        )

    @extend_schema(request=DeliveryConfirmationBody, responses=OrderAnswer)
    @action(detail=True, methods=["post"])
    def confirmation(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Say for the department that what was delivered is as it was approved, or what is not."""
        order, given = self.get_object(), self.parsed(DeliveryConfirmationBody)
        verdict, remark = Answer(given["answer"]), given["remark"]
        return self.answer(
            confirming.answer(order=order, verdict=verdict, remark=remark, actor=self.actor, at=self.at)
        )

    @extend_schema(request=RemedyBody, responses=OrderAnswer)
    @action(detail=True, methods=["post"])
    def remedy(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Say for the centre that the defects which were reported are mended; the department is asked again."""
        order, given = self.get_object(), self.parsed(RemedyBody)
        return self.answer(confirming.remedy(order=order, **given, actor=self.actor, at=self.at))

    @extend_schema(request=DecisionBody, responses=OrderAnswer)
    @action(detail=True, methods=["post"])
    def decisions(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Decide the stage that the order is at. The last approval starts the building."""
        order = self.get_object()
        given = self.parsed(DecisionBody)
        decided = services.decide(order=order, **given, actor=self.actor, at=self.at)
        return self.answer_read(made_answerable(decided))

    @extend_schema(responses=ReviewAnswer)
    @action(detail=True, methods=["get"])
    def review(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """What somebody who decides sees besides the order: price, effect on the quota, what the clouds have left."""
        order = self.get_object()
        require(self.actor, *REVIEWERS, at=self.at, department=order.system.department)
        return Response(ReviewAnswer(order, context={**self.get_serializer_context(), "at": self.at}).data)

    @extend_schema(responses=EventAnswer(many=True))
    @below()
    def trail(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """The order's story, from its draft to the statement it was billed on, oldest first."""
        return self.paged(trail(thread=self.get_object().uuid), EventAnswer)

    @extend_schema(responses=OperationAnswer(many=True))
    @below()
    def operations(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """What is being done to the cloud for this order."""
        rows = Operation.objects.filter(thread=self.get_object().uuid)
        return self.paged(with_progress(rows.select_related("system__department", "cloud")), OperationAnswer)

    def refuse_classified(self) -> None:
        """Classified work is refused before anything else of it is read, whatever else is wrong with the body."""
        sent = self.request.data
        declared = sent.get("declares_classified") if isinstance(sent, Mapping) else None
        yes = isinstance(declared, (str, int)) and declared in BooleanField.TRUE_VALUES
        services.refuse_classified(declared=yes, actor=self.actor, at=self.at)

    def content(self, body: type[Serializer[Any]]) -> dict[str, Any]:
        """The body; what it names of other departments is refused before any rule is asked."""
        given = self.parsed(body)
        named = dict(_resources_in(given["items"]))
        all_visible(
            visible=Resource.objects.visible_to(self.actor, at=self.at),
            named=named,
            actor=self.actor,
            at=self.at,
        )
        return given

    def answer(self, order: Order, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        order = answerable(Order.objects.filter(pk=order.pk)).get()
        return self.answer_read(order, status=status, headers=headers)

    def answer_read(
        self, order: Order, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        data = OrderAnswer(order, context={**self.get_serializer_context(), "at": self.at}).data
        return Response(data, status=status, headers={"ETag": etag_of(order), **(headers or {})})


def _resources_in(items: list[ItemDraft]) -> Any:
    """The resources that the items name by uuid, each with its pointer."""
    for position, item in enumerate(items):
        if isinstance(
            item, ExtendDraft | RetypeDraft | ResizeDraft | RenewDraft | AddressDraft | ReleaseDraft
        ):
            yield item.target, f"/items/{position}/target"
        elif isinstance(item, StorageDraft) and item.server is not None:
            yield item.server, f"/items/{position}/server"
        elif isinstance(item, ServerDraft) and (network := as_uuid(item.network)) is not None:
            yield network, f"/items/{position}/network"
