from django.apps import AppConfig


class TakeoverConfig(AppConfig):
    name = "govcloud.takeover"
    label = "takeover"

    def ready(self) -> None:
        from govcloud.provisioning.demand import register_others  # noqa: PLC0415  it reads models
        from govcloud.provisioning.kinds.base import register  # noqa: PLC0415
        from govcloud.provisioning.tasks import when_operation_ends  # noqa: PLC0415
        from govcloud.takeover.kinds import register_all  # noqa: PLC0415
        from govcloud.takeover.queries import add_others  # noqa: PLC0415
        from govcloud.takeover.tasks import settle  # noqa: PLC0415

        register_all(register)
        register_others(add_others)
        when_operation_ends(lambda: settle.apply_async(ignore_result=True))
