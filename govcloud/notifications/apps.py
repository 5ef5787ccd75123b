from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "govcloud.notifications"
    label = "notifications"
