from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "govcloud.audit"
    label = "audit"
