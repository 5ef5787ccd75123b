"""Why a finding was not put right: kept with it in these words, and told in the reader's language."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

MARKED_BY_NOW = "it carries a mark of ours by now"
MARK_GONE = "it does not carry our mark any more"
HELD = "something holds it"
ELSEWHERE = "it leads somewhere else by now"
RECORDED_BY_NOW = "it is recorded by now"
TAKEN_OVER = "it is being taken over"
THERE_AGAIN = "it is there again"
CALLED_OFF = "it was called off before it was done"

_WORDS: Mapping[str, Promise] = {
    MARKED_BY_NOW: _("It carries a mark of ours by now."),
    MARK_GONE: _("It does not carry our mark any more."),
    HELD: _("Something holds it."),
    ELSEWHERE: _("It leads somewhere else by now."),
    RECORDED_BY_NOW: _("It is recorded by now."),
    TAKEN_OVER: _("It is being taken over."),
    THERE_AGAIN: _("It is there again."),
    CALLED_OFF: _("Putting it right was called off before it was done."),
}


def told(remark: str) -> str:
    """In the reader's language; what a person wrote, or the cloud said, as it is."""
    words = _WORDS.get(remark)
    return remark if words is None else str(words)
