from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    name = "govcloud.provisioning"
    label = "provisioning"

    def ready(self) -> None:
        from govcloud.provisioning.kinds import register_all  # noqa: PLC0415  the kinds read models

        register_all()
