"""Reading bodies."""

from collections.abc import Mapping
from io import BytesIO
from json import JSONDecodeError
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it, of at most ``DATA_UPLOAD_MAX_MEMORY_SIZE`` bytes.

    Nesting deeper than the reader's stack is malformed, not our error.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        context = dict(parser_context or {})
        if "request" in context:  # Django limits what is read as a body, but not what is read as a stream
            stream = BytesIO(context["request"]._request.body)  # noqa: SLF001
        try:
            return super().parse(stream, media_type, context)
        except RecursionError as error:
            raise ParseError(_("it is nested too deeply.")) from error
        except ParseError as error:
            raise ParseError(_trouble(error.__context__)) from error


def _trouble(error: BaseException | None) -> str:
    """What the reader of JSON stumbled over, in the language of the answer."""
    if isinstance(error, JSONDecodeError):
        return _("it is no JSON from line %(line)s, column %(column)s on.") % {
            "line": error.lineno,
            "column": error.colno,
        }
    if isinstance(error, UnicodeDecodeError):
        return _("it is not in UTF-8.")
    return _("it holds a number that JSON does not have.")
