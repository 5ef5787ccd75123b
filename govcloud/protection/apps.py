from django.apps import AppConfig


class ProtectionConfig(AppConfig):
    name = "govcloud.protection"
    label = "protection"

    def ready(self) -> None:
        from govcloud.protection.kinds import BackupAllowanceKind, BackupKind  # noqa: PLC0415  kinds read models
        from govcloud.provisioning.kinds.base import register  # noqa: PLC0415

        register(BackupAllowanceKind(), BackupKind())
