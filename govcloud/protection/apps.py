from django.apps import AppConfig


class ProtectionConfig(AppConfig):
    name = "govcloud.protection"
    label = "protection"

    def ready(self) -> None:
        from govcloud.protection.keeping import add_points  # noqa: PLC0415
        from govcloud.protection.kinds import (  # noqa: PLC0415  kinds read models
            BackupAllowanceKind,
            BackupKind,
            CoverageKind,
            RecoveryKind,
        )
        from govcloud.protection.recovering import Recover  # noqa: PLC0415
        from govcloud.provisioning.actions import base as actions  # noqa: PLC0415
        from govcloud.provisioning.demand import register_others  # noqa: PLC0415
        from govcloud.provisioning.kinds.base import register  # noqa: PLC0415

        register(BackupAllowanceKind(), CoverageKind(), BackupKind(), RecoveryKind())
        actions.register(Recover())
        register_others(add_points)
