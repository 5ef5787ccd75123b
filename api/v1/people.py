"""How a person is named in answers: no account name, no address, no other personal data."""

from rest_framework import serializers

from tenants.models import User


class PersonRef(serializers.Serializer[User]):
    uuid = serializers.UUIDField()
    name = serializers.CharField(source="audit_name")
