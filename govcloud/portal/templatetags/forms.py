"""What every form of ours carries, so that templates need not think of it: loaded for all of them by the settings."""

from django import template
from django.template.defaulttags import CsrfTokenNode
from django.utils.html import format_html
from django.utils.safestring import SafeString

from govcloud.portal.resuming import MARK, mark_for
from tenants.models import User

register = template.Library()


@register.simple_tag(takes_context=True)
def csrf_token(context: template.Context) -> SafeString:
    """Django's own, and of whom the page was made for (``resuming``)."""
    token, user = SafeString(CsrfTokenNode().render(context)), context.get("user")
    if not isinstance(user, User):
        return token
    return token + format_html('<input type="hidden" name="{}" value="{}">', MARK, mark_for(user))
