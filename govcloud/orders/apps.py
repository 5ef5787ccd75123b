from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "govcloud.orders"
    label = "orders"
