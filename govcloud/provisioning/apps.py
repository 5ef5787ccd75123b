from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    name = "govcloud.provisioning"
    label = "provisioning"
