from django.apps import AppConfig


class MeteringConfig(AppConfig):
    name = "govcloud.metering"
    label = "metering"
