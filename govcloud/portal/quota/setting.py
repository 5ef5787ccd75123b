"""A limit as the centre sets it: what was typed, and what would become of the account before anything is done."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from govcloud.errors import Conflict, Invalid
from govcloud.portal.reading import number_in
from govcloud.portal.templatetags.portal import limited, named, plain_day, quantity
from govcloud.quotas.limits import Foreseen
from govcloud.quotas.services import LARGEST_LIMIT

NAMES = ("kind", "limit", "version", "reason", "seen")
LIMITED, UNLIMITED = "limited", "unlimited"


class KindOfLimitMissing(Invalid):
    code = "kind-of-limit-missing"
    message = gettext_lazy("Choose whether there is a limit.")


class NumberOfLimitMissing(Invalid):
    code = "number-of-limit-missing"
    message = gettext_lazy("A limit is a whole number from 0 to %(largest)s.")


class LimitNotLookedAt(Conflict):
    code = "limit-not-looked-at"
    message = gettext_lazy("This is not what you have looked at: look again, then confirm.")


@dataclass(frozen=True, slots=True)
class Typed:
    """``text`` is by the names of the fields. No limit is chosen by itself and never by leaving the number out."""

    text: dict[str, str]

    @classmethod
    def of(cls, request: HttpRequest) -> "Typed":
        return cls({name: request.POST.get(name, "").replace("\0", "").strip() for name in NAMES})

    @classmethod
    def before(cls, limit: int | None) -> "Typed":
        """As the limit is now."""
        kind, number = (UNLIMITED, "") if limit is None else (LIMITED, str(limit))
        return cls({**dict.fromkeys(NAMES, ""), "kind": kind, "limit": number})

    def limit(self) -> int | None:
        """None is no limit. Raises KindOfLimitMissing and NumberOfLimitMissing."""
        if self.text["kind"] == UNLIMITED:
            return None
        if self.text["kind"] != LIMITED:
            raise KindOfLimitMissing
        number = number_in(self.text["limit"], most=LARGEST_LIMIT)
        if number is None:
            raise NumberOfLimitMissing(largest=LARGEST_LIMIT)
        return number

    def require_seen(self, limit: int | None) -> None:
        """Raises LimitNotLookedAt."""
        if self.text["seen"] != _seen(limit):
            raise LimitNotLookedAt


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a limit would mean, a sentence each; ``seen`` is what the form says that the reader has looked at."""

    seen: str
    sentences: tuple[str, ...]
    changes: bool


def foreseen(now: Foreseen, typed: Typed) -> Outlook | None:
    """None where no limit can be read from what was typed."""
    try:
        limit = typed.limit()
    except Invalid:
        return None
    # The same limit, but to last in place of one for a time, is another one.
    changes = limit != now.limit or now.running is not None
    sentences = tuple(_consequences(now, limit)) if changes else (_("That is the limit already."),)
    return Outlook(_seen(limit), sentences, changes)


def _seen(limit: int | None) -> str:
    return UNLIMITED if limit is None else str(limit)


def _consequences(now: Foreseen, limit: int | None) -> Iterator[str]:
    yield _("The limit goes from %(before)s to %(after)s.") % {
        "before": limited(now.limit), "after": limited(limit),
    }  # fmt: skip
    if now.running is not None:
        yield _("The raise for a time until %(until)s is replaced: nothing falls back any more.") % {
            "until": plain_day(now.running.until)
        }
    if limit == 0:
        yield _("0 is nothing at all: nothing can be ordered.")
    elif limit is not None and limit >= now.taken:
        yield _("%(taken)s is held and used; %(free)s is left.") % {
            "taken": quantity(now.taken), "free": quantity(limit - now.taken),
        }  # fmt: skip
    if limit is not None and limit < now.taken:
        yield _("%(taken)s is held and used, %(beyond)s beyond it: what stands stays, and nothing more can be ordered.") % {
            "taken": quantity(now.taken), "beyond": quantity(now.taken - limit),
        }  # fmt: skip
    if limit is not None and limit < now.handed_on:
        yield _(
            "Limits of the units directly below come to %(handed_on)s: together they get no more than this one."
        ) % {"handed_on": quantity(now.handed_on)}
    if now.above is not None and now.most is not None and (limit is None or limit > now.most):
        yield _("%(above)s leaves at most %(most)s: nobody gets more than that by this limit.") % {
            "above": named(now.above), "most": quantity(now.most),
        }  # fmt: skip
