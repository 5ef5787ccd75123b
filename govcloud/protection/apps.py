from django.apps import AppConfig


class ProtectionConfig(AppConfig):
    name = "govcloud.protection"
    label = "protection"
