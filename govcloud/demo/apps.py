from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "govcloud.demo"
    label = "demo"
