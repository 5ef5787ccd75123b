"""What may stand in a path in place of a code."""

from django.urls import register_converter
from django.urls.converters import StringConverter


class CodeConverter(StringConverter):
    """A published code: letters, digits, dot, hyphen and underscore (``g.4c16g``, ``2026-11``)."""

    regex = r"[A-Za-z0-9._-]{1,80}"


CODE = "code"
register_converter(CodeConverter, CODE)
