"""Reading bodies."""

from collections.abc import Mapping
from io import BytesIO
from typing import IO, Any

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
            raise ParseError("nested too deeply") from error
