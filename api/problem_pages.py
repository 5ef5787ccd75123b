"""The pages behind the ``type`` of problem details: what each code means, in both languages."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext, gettext_noop

from api import problems
from govcloud.errors import DomainError

ADVICE: dict[int, str] = {
    400: gettext_noop("Correct the request as described and send it again."),
    401: gettext_noop("Get a token with POST /api/v1/tokens and send it as “Authorization: Bearer …”."),
    403: gettext_noop("Ask somebody who holds the role, or your system administrator for the role."),
    404: gettext_noop(
        "Check the address. What belongs to another department answers as if it did not exist."
    ),
    405: gettext_noop("See the documentation for the methods of this address."),
    406: gettext_noop("Ask for application/json (lists also for text/csv or XLSX)."),
    409: gettext_noop("Read the present state again and decide whether your request still makes sense."),
    412: gettext_noop("Read it again, merge your change with the other one, and send it with the new ETag."),
    413: gettext_noop("Send less in one request."),
    415: gettext_noop("Send the body as application/json."),
    422: gettext_noop("Correct what the errors point at and send it again."),
    428: gettext_noop("Read it first and send its ETag as If-Match."),
    429: gettext_noop("Wait as long as Retry-After says."),
    500: gettext_noop("Send it again later; if it happens again, give the request id to the service desk."),
    503: gettext_noop("Send it again after the time in Retry-After; nothing was lost."),
}


class _Place(int):
    """Where a parameter stands; texts that count by it take it for several."""

    def __new__(cls, name: str) -> Self:
        place = super().__new__(cls, 2)
        place.name = name
        return place

    name: str

    def __str__(self) -> str:
        return f"{{{self.name}}}"


class _Places(dict[str, _Place]):
    """Whatever a text names."""

    def __missing__(self, name: str) -> _Place:
        return _Place(name)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One code in one language."""

    language: str
    title: str
    message: str
    advice: str


def errors_by_code() -> dict[str, type[DomainError]]:
    """Every refusal this installation knows; where kinds share a code (``invalid``) the interface's own explains it."""
    found: dict[str, type[DomainError]] = {}
    for error in _below(DomainError):
        if error.code not in found or error.__module__ == problems.__name__:
            found[error.code] = error
    return dict(sorted(found.items()))


def _below(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for sub in error.__subclasses__():
        if sub is not problems.HttpProblem:
            yield sub
        yield from _below(sub)


def explanations(error: type[DomainError]) -> list[Explanation]:
    advice = ADVICE.get(problems.status_of(error), ADVICE[400])
    found = []
    for code, _own_name in settings.LANGUAGES:
        with translation.override(code):
            found.append(Explanation(code, problems.title_of(error), template_of(error), gettext(advice)))
    return found


def template_of(error: type[DomainError]) -> str:
    """The message with its parameters as a reader takes them: ``{department} has {free} left``."""
    return str(error.message % _Places())


def index(request: HttpRequest) -> HttpResponse:
    listed = [
        (code, problems.status_of(error), explanations(error)) for code, error in errors_by_code().items()
    ]
    return render(request, "api/problems.html", {"problems": listed})


def page(request: HttpRequest, code: str) -> HttpResponse:
    error = errors_by_code().get(code)
    if error is None:
        raise Http404
    context = {"code": code, "status": problems.status_of(error), "explanations": explanations(error)}
    return render(request, "api/problem.html", context)
