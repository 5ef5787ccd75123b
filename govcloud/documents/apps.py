from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    name = "govcloud.documents"
    label = "documents"
