"""An order as it is answered: content, price, effect on the quota, who decides it, and what has become of it."""

from typing import Any, cast

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.fields import Answer
from api.v1.cases import CaseDetail, decider_context, stage_prefetches
from api.v1.catalog import Named
from api.v1.operations import OperationAnswer, with_progress
from api.v1.people import PersonRef
from api.v1.placements import PlacementAnswer
from api.v1.tariffs import MeterAnswer
from api.v1.tenants import DepartmentRef, SystemRef
from govcloud.approvals.models import Quorum
from govcloud.catalog.models import Kind, Site
from govcloud.errors import DomainError
from govcloud.inventory.lifecycle import Status as ResourceStatus
from govcloud.orders import placing, services, stored
from govcloud.orders.lifecycle import BEGUN, EDITABLE, Status
from govcloud.orders.models import Action, Order, OrderItem, Unit, VolumeSpec
from govcloud.orders.quotes import Quote
from govcloud.orders.readiness import Reckoning, digest_of, files_of, reckon
from govcloud.orders.results import PLANNED, Outcome, Result, results_of
from govcloud.orders.submission import with_files_noted
from govcloud.protection.models import Frequency
from govcloud.provisioning.models import Operation
from govcloud.quotas.models import Dimension
from tenants.models import NetworkZone, Role
from tenants.policies import scope_of


class VolumeSpecAnswer(serializers.Serializer[VolumeSpec]):
    position = serializers.IntegerField(help_text="0 is the system volume")
    storage_class = Named()
    size_gb = serializers.IntegerField()
    server = serializers.UUIDField(
        source="server.uuid",
        default=None,
        allow_null=True,
        help_text="of a volume by itself: where it is attached",
    )
    class_before = Named(allow_null=True, help_text="of a change of the class: what it was")


class ServerSpecAnswer(serializers.Serializer[Any]):
    flavor = Named()
    image = Named()
    network = serializers.SerializerMethodField(
        help_text="name of a network in this order, or uuid of one that is"
    )

    def get_network(self, spec: Any) -> str:
        return spec.network_item.name if spec.network_item is not None else str(spec.network.uuid)


class ResizeSpecAnswer(serializers.Serializer[Any]):
    flavor = Named()


class AddressSpecAnswer(serializers.Serializer[Any]):
    network = serializers.UUIDField(source="network.uuid", help_text="that it leads through")


class ContainerSpecAnswer(serializers.Serializer[Any]):
    storage_class = Named()
    quota_gb = serializers.IntegerField(help_text="of a change the new one, of a release the present one")
    delete_contents = serializers.BooleanField(help_text="of a release: whether what it holds goes with it")


class LimitSpecAnswer(serializers.Serializer[Any]):
    dimension = serializers.ChoiceField(Dimension.choices)
    limit = serializers.IntegerField(help_text="what it shall become; 0 is nothing at all")
    limit_before = serializers.IntegerField(
        allow_null=True, help_text="when it was ordered; null is unlimited"
    )
    lasting_before = serializers.IntegerField(
        allow_null=True, help_text="without the temporary raise that was in force when it was ordered"
    )
    until = serializers.DateField(allow_null=True, help_text="of a temporary raise: its last day")


class BackupSpecAnswer(serializers.Serializer[Any]):
    dr_level = serializers.IntegerField(source="tier.level")
    capacity_gb = serializers.IntegerField()
    frequency = serializers.ChoiceField(Frequency.choices)
    off_site = serializers.BooleanField()


class TargetRef(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.CharField()


class ItemAnswer(serializers.Serializer[OrderItem]):
    uuid = serializers.UUIDField()
    position = serializers.IntegerField()
    action = serializers.ChoiceField(Action.choices)
    kind = serializers.ChoiceField(Kind.choices)
    offering = Named()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    zone = serializers.ChoiceField(NetworkZone.choices)
    site = serializers.ChoiceField(Site.choices, help_text="of a network; servers stand where theirs is")
    lease_months = serializers.IntegerField()
    target = TargetRef(allow_null=True)
    server = ServerSpecAnswer(default=None, allow_null=True)
    resize = ResizeSpecAnswer(default=None, allow_null=True, help_text="what a server is changed to")
    floating_address = AddressSpecAnswer(
        source="floating", default=None, allow_null=True, help_text="of a server that is to get one"
    )
    volumes = VolumeSpecAnswer(many=True)
    backup = BackupSpecAnswer(default=None, allow_null=True)
    container = ContainerSpecAnswer(default=None, allow_null=True)
    quota = LimitSpecAnswer(source="limit", default=None, allow_null=True)


class QuoteLineAnswer(serializers.Serializer[Any]):
    item = serializers.IntegerField(help_text="position of the item")
    meter = MeterAnswer()
    quantity = serializers.DecimalField(18, 6)
    per_month = serializers.DecimalField(14, 6, help_text="yuan for one unit")
    amount = serializers.DecimalField(18, 2, help_text="yuan")


class QuoteAnswer(serializers.Serializer[Any]):
    lines = QuoteLineAnswer(many=True)
    monthly_total = serializers.DecimalField(18, 2, help_text="yuan for a whole month")


class EffectAnswer(serializers.Serializer[Any]):
    department = DepartmentRef()
    dimension = serializers.ChoiceField(Dimension.choices)
    limit = serializers.IntegerField(allow_null=True, help_text="null: unlimited")
    held = serializers.IntegerField()
    used = serializers.IntegerField()
    takes = serializers.IntegerField()
    after = serializers.IntegerField()
    fits = serializers.BooleanField()


class LimitEffectAnswer(serializers.Serializer[Any]):
    department = DepartmentRef()
    dimension = serializers.ChoiceField(Dimension.choices)
    limit = serializers.IntegerField(allow_null=True, help_text="now; null: unlimited")
    lasting = serializers.IntegerField(
        allow_null=True, help_text="what it falls back to after the temporary raise in force; else as limit"
    )
    asked = serializers.IntegerField(help_text="what it shall become")
    until = serializers.DateField(allow_null=True)
    held = serializers.IntegerField()
    used = serializers.IntegerField()
    handed_on = serializers.IntegerField(help_text="limits of the units directly below, together")
    least = serializers.IntegerField(help_text="what it cannot be lowered under")
    most = serializers.IntegerField(
        allow_null=True, help_text="what the units above leave it; null: they do not bound it"
    )
    above = DepartmentRef(allow_null=True, help_text="the nearest unit above that has a limit")
    above_limit = serializers.IntegerField(allow_null=True)
    others = serializers.IntegerField(help_text="what that one has handed on to others, and uses itself")
    fits = serializers.BooleanField()


class PlannedStageAnswer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    name_en = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    working_days = serializers.IntegerField(min_value=0, help_text="limit; 0: the same day")
    due_at = serializers.DateTimeField()
    deciders = PersonRef(many=True)
    also_roles = serializers.ListField(
        child=serializers.ChoiceField(Role.choices), help_text="roles that countersign"
    )
    quorum = serializers.ChoiceField(Quorum.choices, help_text="how many of each role sign")
    quorum_count = serializers.IntegerField(allow_null=True)
    auto_reason = serializers.CharField(help_text="the rule that will decide it; empty where people do")
    auto_reason_en = serializers.CharField()


class UnitResourceAnswer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    kind = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(ResourceStatus.choices)
    external_id = serializers.CharField()
    lease_end = serializers.DateTimeField(allow_null=True)


class UnitAnswer(serializers.Serializer[Unit]):
    uuid = serializers.UUIDField(help_text="what the thing carries in the cloud")
    item = serializers.UUIDField(source="item.uuid")
    name = serializers.CharField()
    operation = serializers.UUIDField(source="operation.uuid", default=None, allow_null=True)
    resource = UnitResourceAnswer(allow_null=True)
    outcome = serializers.SerializerMethodField(help_text="a server's is that of its volumes as well")
    trouble = serializers.SerializerMethodField(
        help_text="the cloud's own words, for cloud administrators; else empty"
    )
    left_to_do = serializers.SerializerMethodField(
        help_text="what the department has to do in the server, in the reader's language; empty if nothing"
    )

    @extend_schema_field(serializers.ChoiceField(Outcome.choices))
    def get_outcome(self, unit: Unit) -> str:
        return self._result(unit).outcome

    def get_trouble(self, unit: Unit) -> str:
        return self._result(unit).trouble if self.context["technical"] else ""

    def get_left_to_do(self, unit: Unit) -> str:
        return self._result(unit).left

    def _result(self, unit: Unit) -> Result:
        found: Result = self.context["results"].get(unit.uuid, PLANNED)
        return found


class OrderSummary(Answer):
    uuid = serializers.UUIDField()
    number = serializers.CharField()
    title = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    version = serializers.IntegerField()
    system = SystemRef()
    applicant = PersonRef()
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    monthly_total = serializers.DecimalField(
        18, 2, allow_null=True, help_text="yuan, as last submitted; null for a draft"
    )
    stage = serializers.CharField(allow_null=True, help_text="code of the stage that decides now")
    stage_due_at = serializers.DateTimeField(allow_null=True)


class HindranceAnswer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="of the problem that its submission would be refused with")
    detail = serializers.CharField()


# What an order costs and takes, for answers with the fields quote, hindrance and effect. Not a docstring: the API's
# description would give it to the answers that are built on this one.
class PricedAnswer(Answer):
    @extend_schema_field(QuoteAnswer(allow_null=True))
    def get_quote(self, order: Order) -> Any:
        quote, _refusal = self.priced(order)
        return QuoteAnswer(quote).data if quote is not None else None

    @extend_schema_field(HindranceAnswer(allow_null=True))
    def get_hindrance(self, order: Order) -> Any:
        _quote, refusal = self.priced(order)
        return HindranceAnswer(refusal).data if refusal is not None else None

    @extend_schema_field(EffectAnswer(many=True))
    def get_effect(self, order: Order) -> Any:
        reckoned = self.reckoned(order)
        effect = reckoned.effect if reckoned else services.effect(order=order, at=self.context["at"])
        return EffectAnswer(cast("Any", effect), many=True).data

    @extend_schema_field(LimitEffectAnswer(many=True))
    def get_limits(self, order: Order) -> Any:
        return LimitEffectAnswer(
            cast("Any", services.limits(order=order, at=self.context["at"])), many=True
        ).data

    def reckoned(self, order: Order) -> Reckoning | None:
        """What an order that can be edited would cost, take and need, reckoned once for an answer; None of any other."""
        if not hasattr(self, "_reckoned"):
            editable = order.status in EDITABLE
            self._reckoned = reckon(order=order, at=self.context["at"]) if editable else None
        return self._reckoned

    def priced(self, order: Order) -> tuple[Quote | None, DomainError | None]:
        """The price, or why there is none, which keeps nobody from reading the order; once for an answer."""
        if not hasattr(self, "_priced"):
            self._priced = self._price(order)
        return self._priced

    def _price(self, order: Order) -> tuple[Quote | None, DomainError | None]:
        reckoned = self.reckoned(order)
        if reckoned is not None:
            return reckoned.quote, reckoned.refusal
        try:
            return services.quote(order=order, at=self.context["at"]), None
        except DomainError as refusal:
            return None, refusal


class OrderAnswer(PricedAnswer):
    uuid = serializers.UUIDField()
    number = serializers.CharField()
    title = serializers.CharField()
    justification = serializers.CharField()
    urgency = serializers.CharField(help_text="why it is urgent; empty where it is not")
    status = serializers.ChoiceField(Status.choices)
    version = serializers.IntegerField(help_text="its ETag, to be sent as If-Match with a change")
    system = SystemRef()
    applicant = PersonRef()
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    items = ItemAnswer(source="read_items", many=True)
    files_hash = serializers.SerializerMethodField(
        help_text="which files are in it, to be sent with its submission; empty without any"
    )
    quote = serializers.SerializerMethodField(help_text="null where there is no price; see hindrance")
    hindrance = serializers.SerializerMethodField(
        help_text="why there is no quote, or no route; null where there are both"
    )
    effect = serializers.SerializerMethodField(
        help_text="on the quota of the department and of those above it"
    )
    limits = serializers.SerializerMethodField(
        help_text="of an order for quota, until it is decided: what the tree of units leaves"
    )
    route = serializers.SerializerMethodField(
        help_text="who will decide, before it is submitted; see case afterwards"
    )
    case = serializers.SerializerMethodField()
    placements = serializers.SerializerMethodField(help_text="where its parts go, once it is approved")
    operations = serializers.SerializerMethodField()
    units = serializers.SerializerMethodField()

    def get_files_hash(self, order: Order) -> str:
        return digest_of(files_of(order)) if vars(order)["has_files"] else ""

    @extend_schema_field(PlannedStageAnswer(many=True))
    def get_route(self, order: Order) -> Any:
        reckoned = self.reckoned(order)
        planned = reckoned.route if reckoned else ()
        return PlannedStageAnswer(cast("Any", planned), many=True).data

    @extend_schema_field(CaseDetail(allow_null=True))
    def get_case(self, order: Order) -> Any:
        if order.case is None:
            return None
        actor, at = self.context["request"].user, self.context["at"]
        return CaseDetail(order.case, context=decider_context(order.case, actor=actor, at=at)).data

    @extend_schema_field(PlacementAnswer(many=True))
    def get_placements(self, order: Order) -> Any:
        shown = placing.decided(order) if order.status in BEGUN else ()
        return PlacementAnswer(cast("Any", shown), many=True).data

    @extend_schema_field(OperationAnswer(many=True))
    def get_operations(self, order: Order) -> Any:
        if order.status not in BEGUN:
            return []
        rows = Operation.objects.filter(thread=order.uuid).select_related("system__department", "cloud")
        return OperationAnswer(cast("Any", with_progress(rows)), many=True).data

    @extend_schema_field(UnitAnswer(many=True))
    def get_units(self, order: Order) -> Any:
        rows = Unit.objects.filter(item__order=order).order_by("item__position", "position")
        units = list(rows.select_related("item", "server", "operation", "resource", "placement"))
        technical = scope_of(self.context["request"].user, at=self.context["at"]).holds(Role.CLOUD_ADMIN)
        context = {"results": results_of(units), "technical": technical}
        return UnitAnswer(cast("Any", units), many=True, context=context).data


def answerable(rows: QuerySet[Order]) -> QuerySet[Order]:
    """With what an ``OrderAnswer`` is made of, as far as all orders have it."""
    parties = ("system__department", "applicant", "case__department", "case__applicant", "case__submitted_by")
    return with_files_noted(rows).select_related(*parties).prefetch_related(*_along())


def made_answerable(order: Order) -> Order:
    """An order that has just been submitted or decided, which is as it was locked and changed: what it lacks is read along."""
    prefetch_related_objects([order], *_along())
    return order


def _along() -> "list[Prefetch[str, Any, str]]":
    return [*stage_prefetches("case__"), stored.along()]
