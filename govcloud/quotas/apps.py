from django.apps import AppConfig


class QuotasConfig(AppConfig):
    name = "govcloud.quotas"
    label = "quotas"
