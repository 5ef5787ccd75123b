"""What the domain refuses, said once.

A refusal is a class beside its raiser, a subclass of one of the five kinds below. It has a stable ``code``, a
translatable ``message`` with named parameters, and the JSON pointers of the fields it is about. Only
``api/problems.py`` turns it into HTTP (RFC 9457); only the portal turns it into a page.
"""

from typing import Any, ClassVar

from django.utils.functional import Promise


class DomainError(Exception):
    """A rule said no. Nothing has been written, or the surrounding transaction takes it back."""

    code: ClassVar[str] = "refused"
    message: ClassVar[str | Promise] = "refused"

    def __init__(self, *, pointers: tuple[str, ...] = (), **params: Any) -> None:
        super().__init__(self.code, params)
        self.params = params
        self.pointers = pointers

    @property
    def detail(self) -> str:
        """The message in the language active now, with its parameters filled in."""
        return str(
            self.message % self.params
        )  # by the parameter that it counts by, if its text is ``ngettext_lazy``

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class Invalid(DomainError):
    """What was sent breaks a rule of its own: change it and send it again."""

    code = "invalid"


class Forbidden(DomainError):
    """The actor may know of it but not do it."""

    code = "forbidden"


class Absent(DomainError):
    """There is no such thing, or not for this actor: both answer alike."""

    code = "not-found"


class Conflict(DomainError):
    """Right in itself, but not in the present state: look again, then decide."""

    code = "conflict"


class Unavailable(DomainError):
    """Something this service depends on does not answer; nothing was lost."""

    code = "unavailable"


class Invalids(Invalid):
    """Several refusals found in one go, so that a form can mark every field at once."""

    code = "invalid"

    def __init__(self, errors: "list[DomainError]") -> None:
        super().__init__(pointers=tuple(p for e in errors for p in e.pointers))
        self.errors = errors

    @property
    def detail(self) -> str:
        return " ".join(dict.fromkeys(e.detail for e in self.errors))
