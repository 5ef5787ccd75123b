"""What callers send. Rules of the domain are the domain's; here only the shape is checked."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

GREATEST_INTEGER = 2**31 - 1


class Body(serializers.Serializer[Any]):
    # Refuses names it does not know: a mistyped optional field must not be left out silently.
    # (A docstring here would describe every body in the schema.)

    default_error_messages = {"unknown": _("There is no such field; known are: %(known)s.")}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = data.keys() - self.fields.keys()
            if unknown:
                text = self.error_messages["unknown"] % {"known": _(", ").join(self.fields)}
                raise serializers.ValidationError(
                    {str(name): [ErrorDetail(text, code="unknown-field")] for name in sorted(unknown)}
                )
        return super().to_internal_value(data)


class ByName(serializers.DictField):
    """Values by name. A name is text like any other: REST framework looks at the values alone."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError that points at the names which are no text that can be kept."""
        name_field = serializers.CharField(max_length=120, allow_blank=True)
        wrong = {}
        for name in data if isinstance(data, Mapping) else ():
            try:
                name_field.run_validation(name)
            except serializers.ValidationError as error:
                wrong[name] = error.detail
        if wrong:
            raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)


def integer(*, least: int = -GREATEST_INTEGER, **options: Any) -> serializers.IntegerField:
    """A whole number that a column can hold; whether it makes sense is the domain's to say."""
    return serializers.IntegerField(min_value=least, max_value=GREATEST_INTEGER, **options)
