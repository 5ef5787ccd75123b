from django.apps import AppConfig


class LeasesConfig(AppConfig):
    name = "govcloud.leases"
    label = "leases"
