"""How long the session still lasts, for the page that warns of its end, and staying signed in."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from govcloud.portal.middleware import seconds_left, use


@never_cache
@require_http_methods(["GET", "POST"])
def session(request: HttpRequest) -> HttpResponse:
    """To ask, as pages do by themselves, does not use it; the button does, whenever it was used last."""
    if request.method == "POST" and request.user.is_authenticated:
        use(request)
    return JsonResponse({"left": seconds_left(request)})
