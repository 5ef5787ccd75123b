from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "govcloud.orders"
    label = "orders"

    def ready(self) -> None:
        from govcloud.approvals.surplus import when_nobody_is_left  # noqa: PLC0415
        from govcloud.orders.queries import claim_on  # noqa: PLC0415
        from govcloud.orders.renaming import Rename  # noqa: PLC0415
        from govcloud.orders.tasks import go_on, take_up  # noqa: PLC0415  tasks read models
        from govcloud.provisioning.actions.base import register, register_claim  # noqa: PLC0415
        from govcloud.provisioning.tasks import when_operation_ends  # noqa: PLC0415

        register(Rename())
        register_claim(claim_on)
        when_operation_ends(lambda: take_up.apply_async(ignore_result=True))
        when_nobody_is_left(lambda: go_on.apply_async(ignore_result=True))
