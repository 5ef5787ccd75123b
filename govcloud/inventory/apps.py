from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "govcloud.inventory"
    label = "inventory"
