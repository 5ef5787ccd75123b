from django.apps import AppConfig


class OrganisationConfig(AppConfig):
    name = "govcloud.organisation"
    label = "organisation"
