from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "govcloud.approvals"
    label = "approvals"

    def ready(self) -> None:
        from govcloud.approvals.absences import stand_ins  # noqa: PLC0415  it reads models
        from govcloud.notifications.audience import register_stand_ins  # noqa: PLC0415

        register_stand_ins(stand_ins)
