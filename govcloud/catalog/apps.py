from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "govcloud.catalog"
    label = "catalog"
