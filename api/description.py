"""The API's own description over HTTP."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.utils import translation
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request


class Description(SpectacularAPIView):
    """OpenAPI 3.1 of this API, as YAML or JSON, in the reader's language or that of ``lang``.

    It is the same for everybody as long as the process lives, and takes seconds to make: whoever asks first waits for it.
    """

    @extend_schema(exclude=True)
    def get(self, request: Request, *_args: Any, **_options: Any) -> HttpResponseBase:
        renderer, _media_type = self.perform_content_negotiation(request, force=True)
        asked = request.GET.get("lang", "")
        language = asked if asked in dict(settings.LANGUAGES) else translation.get_language()
        file = f'inline; filename="govcloud.{renderer.format}"'
        return HttpResponse(
            _rendered(renderer.format, language),
            content_type=renderer.media_type,
            headers={"Content-Disposition": file, "Vary": "Accept, Accept-Language, Cookie"},
        )


@lru_cache(maxsize=2 * 4)  # languages and formats
def _rendered(form: str, language: str | None) -> bytes:
    renderer = next(each() for each in Description.renderer_classes if each.format == form)
    with translation.override(language):
        schema = Description.generator_class().get_schema(public=True)  # type: ignore[no-untyped-call]  # theirs has none
        rendered = renderer.render(schema)
    return rendered.encode() if isinstance(rendered, str) else bytes(rendered)
