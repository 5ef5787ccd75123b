from django.apps import AppConfig


class ChargebackConfig(AppConfig):
    name = "govcloud.chargeback"
    label = "chargeback"
