from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    name = "govcloud.embedded"
    label = "embedded"
