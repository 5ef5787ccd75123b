from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "tenants.access"

    def ready(self) -> None:
        from tenants.access import checks  # noqa: F401, PLC0415  registers them
