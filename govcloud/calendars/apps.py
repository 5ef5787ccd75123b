from django.apps import AppConfig


class CalendarsConfig(AppConfig):
    name = "govcloud.calendars"
    label = "calendars"
