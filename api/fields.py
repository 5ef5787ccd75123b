"""Sparse answers: ``?fields=number,status`` leaves out everything else."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import Field

from api.problems import BadParameter


class Answer(serializers.Serializer[Any]):
    # The read side of a resource; nothing is written through it. (A docstring here would describe every component.)

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        asked = self._asked()
        if asked is None:
            return fields
        if not asked:
            raise BadParameter(parameter="fields", reason=_("it has no value."))
        unknown = asked - fields.keys()
        if unknown:
            raise BadParameter(
                parameter="fields", reason=f"{', '.join(sorted(unknown))} ∉ {', '.join(fields)}"
            )
        return {name: field for name, field in fields.items() if name in asked}

    def _asked(self) -> set[str] | None:
        """The names in ``?fields=`` for the outermost serializer of a GET; None for all."""
        outermost = self.parent is None or (
            isinstance(self.parent, serializers.ListSerializer) and self.parent.parent is None
        )
        request = self.context.get("request")
        if (
            not outermost
            or request is None
            or request.method != "GET"
            or "fields" not in request.query_params
        ):
            return None
        return {name.strip() for name in request.query_params["fields"].split(",") if name.strip()}
