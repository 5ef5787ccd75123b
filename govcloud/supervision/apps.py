from django.apps import AppConfig


class SupervisionConfig(AppConfig):
    name = "govcloud.supervision"
    label = "supervision"
