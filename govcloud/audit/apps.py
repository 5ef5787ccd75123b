from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "govcloud.audit"
    label = "audit"

    def ready(self) -> None:
        from govcloud.audit import checks  # noqa: F401, PLC0415  they register themselves
