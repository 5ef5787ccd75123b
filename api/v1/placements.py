"""Where the parts of an order go, and why there: as it was decided, or as it would be now."""

from rest_framework import serializers

from govcloud.catalog.models import Site
from govcloud.orders import placing
from govcloud.orders.models import Weighed
from govcloud.orders.placing import Shown
from govcloud.provisioning.weighing import Verdict
from tenants.models import NetworkZone


class WeighedAnswer(serializers.Serializer[Weighed]):
    cloud = serializers.CharField(source="cloud.code")
    availability_zone = serializers.CharField(source="availability_zone.code", default=None, allow_null=True)
    verdict = serializers.ChoiceField([(each.value, each.value) for each in Verdict])
    why = serializers.SerializerMethodField(help_text="in plain words")
    vcpus_free = serializers.IntegerField(allow_null=True, help_text="what is promised subtracted")
    vcpus_total = serializers.IntegerField(allow_null=True, help_text="null: nobody had looked lately")

    def get_why(self, weighed: Weighed) -> str:
        return placing.told(weighed)


class PlacementAnswer(serializers.Serializer[Shown]):
    units = serializers.ListField(child=serializers.UUIDField(), help_text="what goes there")
    zone = serializers.ChoiceField(NetworkZone.choices, source="row.zone")
    site = serializers.ChoiceField(Site.choices, source="row.site")
    cloud = serializers.CharField(
        source="row.cloud.code", default=None, allow_null=True, help_text="code; null while it waits"
    )
    availability_zone = serializers.CharField(
        source="row.availability_zone.code", default=None, allow_null=True, help_text="code"
    )
    why = serializers.CharField(help_text="why there, or why it waits, in plain words")
    decided_at = serializers.DateTimeField(source="row.decided_at")
    weighed = WeighedAnswer(many=True, help_text="every place that was judged, the one that was taken first")
