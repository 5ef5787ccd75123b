from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "govcloud.reconciliation"
    label = "reconciliation"

    def ready(self) -> None:
        from govcloud.provisioning.actions.base import register_titles  # noqa: PLC0415  actions read models
        from govcloud.provisioning.kinds.base import register  # noqa: PLC0415  kinds read models
        from govcloud.provisioning.tasks import when_operation_ends  # noqa: PLC0415
        from govcloud.reconciliation.kinds import (  # noqa: PLC0415
            AddressAgainKind,
            LossKind,
            PortAgainKind,
            RemovalKind,
            RestorationKind,
            RuleAgainKind,
        )
        from govcloud.reconciliation.tasks import settle  # noqa: PLC0415
        from govcloud.reconciliation.vocabulary import Remedy  # noqa: PLC0415

        register(
            RestorationKind(), RemovalKind(), LossKind(), RuleAgainKind(), AddressAgainKind(), PortAgainKind()
        )
        register_titles({str(remedy): remedy.label for remedy in Remedy})
        when_operation_ends(lambda: settle.apply_async(ignore_result=True))
