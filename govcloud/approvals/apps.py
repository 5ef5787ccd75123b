from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "govcloud.approvals"
    label = "approvals"
