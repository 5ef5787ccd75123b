from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    name = "govcloud.provisioning"
    label = "provisioning"

    def ready(self) -> None:
        from govcloud.provisioning import actions, kinds  # noqa: PLC0415  they read models

        kinds.register_all()
        actions.register_all()
