"""A page as somebody reads it: its words without the tags, and what the keyboard does in its forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

from django.http import HttpResponse


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def text(response: HttpResponse) -> str:
    """The words of a page, with any white space between them as one space."""
    parser = Words()
    parser.feed(response.content.decode())
    return " ".join(" ".join(parser.words).split())


@dataclass(slots=True)
class Form:
    """``presses`` are its submit buttons, the first of which Enter in one of its fields presses; ``texts`` the names of fields in
    which something is typed.
    """

    action: str = ""
    presses: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


NOT_TYPED = frozenset({"hidden", "checkbox", "radio"})


class Forms(HTMLParser):
    """The forms of a page, or of a template with its tags left out. A button outside names the id of its form."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.named: dict[str, Form] = {}
        self.within: Form | None = None
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        form = self._named(told["form"]) if "form" in told else self.within
        if tag == "form":
            self.within = self._named(told["id"]) if "id" in told else Form()
            self.within.action = told.get("action", "")
            self.found.append(self.within)
        elif form and tag == "button" and told.get("type", "submit") == "submit":
            form.presses.append(f"{told['name']}={told['value']}" if "name" in told else "")
        elif form and (tag == "textarea" or (tag == "input" and told.get("type", "text") not in NOT_TYPED)):
            form.texts.append(told["name"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.within = None

    def _named(self, name: str) -> Form:
        return self.named.setdefault(name, Form())


def forms_of(response: HttpResponse, *, to: str | None = None) -> list[Form]:
    """Those of a page, or those that are sent to this address."""
    found = Forms(response.content.decode()).found
    return [form for form in found if to is None or form.action == to]
