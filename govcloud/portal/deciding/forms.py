"""What was typed into the forms of a decision: read, bounded, and kept for the page if it is refused."""

from collections.abc import Iterable

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.models import Verb
from govcloud.errors import Invalid
from tenants.models import User

LONGEST = 2_000


class DecisionMissing(Invalid):
    code = "decision-missing"
    message = _("Choose what you decide.")


class PersonMissing(Invalid):
    code = "person-missing"
    message = _("Choose who.")


class TextTooLong(Invalid):
    code = "text-too-long"
    message = _("Write at most %(most)s characters.")


def typed(request: HttpRequest, *names: str) -> dict[str, str]:
    """The fields of a form as text; browsers send line ends as CR LF."""
    return {name: request.POST.get(name, "").replace("\0", "").replace("\r\n", "\n") for name in names}


def bounded(text: str, most: int = LONGEST) -> str:
    """Raises TextTooLong."""
    if len(text) > most:
        raise TextTooLong(most=most)
    return text


def verb_of(given: str) -> str:
    """What was decided. Raises DecisionMissing where nothing was chosen."""
    if given not in Verb.values:
        raise DecisionMissing
    return given


def chosen(people: Iterable[User], uuid: str) -> User:
    """The one of the people that was chosen. Raises PersonMissing."""
    for person in people:
        if str(person.uuid) == uuid:
            return person
    raise PersonMissing
