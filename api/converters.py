"""What may stand in a path in place of a code."""

from datetime import date

from django.urls import register_converter
from django.urls.converters import StringConverter


class CodeConverter(StringConverter):
    """A published code: letters, digits, dot, hyphen and underscore (``g.4c16g``, ``2026-11``)."""

    regex = r"[A-Za-z0-9._-]{1,80}"


class DayConverter:
    """A date: ``2026-10-01``."""

    regex = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> date:
        """Raises ValueError, which answers as a path that leads nowhere."""
        return date.fromisoformat(value)

    def to_url(self, value: date | str) -> str:
        return str(value)


CODE = "code"
register_converter(CodeConverter, CODE)
DAY = "day"
register_converter(DayConverter, DAY)
