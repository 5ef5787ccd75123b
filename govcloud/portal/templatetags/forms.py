"""What every form of ours carries, so that templates need not think of it: loaded for all of them by the settings."""

from django import template
from django.template.defaulttags import CsrfTokenNode
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from govcloud.portal.resuming import AGAIN, MARK, kept_for, mark_for, sent_to
from tenants.models import User

register = template.Library()


@register.simple_tag(takes_context=True)
def csrf_token(context: template.Context) -> SafeString:
    """Django's own, of whom the page was made for, and what of theirs it shows again (``resuming``)."""
    token, user = SafeString(CsrfTokenNode().render(context)), context.get("user")
    if not isinstance(user, User):
        return token
    again = context["request"].GET.get(AGAIN) if "request" in context else None
    fields = [(MARK, mark_for(user)), *([(AGAIN, again)] if again else [])]
    return token + format_html_join("", '<input type="hidden" name="{}" value="{}">', fields)


@register.simple_tag(takes_context=True)
def forms_kept(context: template.Context) -> list[str]:
    """Addresses of what the reader had typed when their session was over, and has not sent since."""
    user = context.get("user")
    return kept_for(context["request"], user) if isinstance(user, User) else []


@register.simple_tag(takes_context=True)
def form_sent(context: template.Context) -> dict[str, str] | None:
    """What the page answers, for the switch of the language to take it along."""
    request = context.get("request")
    return sent_to(request) if request is not None and request.user.is_authenticated else None
