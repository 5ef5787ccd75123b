from django.apps import AppConfig


class CloudsConfig(AppConfig):
    name = "govcloud.clouds"
    label = "clouds"
