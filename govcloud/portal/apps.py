from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "govcloud.portal"
    label = "portal"
