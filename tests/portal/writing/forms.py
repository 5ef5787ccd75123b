"""A form as a browser sends it: what stands in its fields, with some of them typed anew."""

import re
from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse
from django.test import Client


class Form(HTMLParser):
    """The fields of the form with the id ``writing``, by name, and the errors that stand below fields, by their ids."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self.options: dict[str, list[str]] = {}
        self.errors: dict[str, str] = {}
        self._inside = False
        self._select = self._area = self._error = ""
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        name, value = given.get("name") or "", given.get("value") or ""
        self._error = given["id"] or "" if (given.get("id") or "").endswith("-error") else ""
        match tag:
            case "form":
                self._inside = given.get("id") == "writing"
            case "input" if self._inside and name:
                if given.get("type") not in {"checkbox", "radio"} or "checked" in given:
                    self.values.setdefault(name, []).append(value)
            case "textarea" if self._inside:
                self._area, self.values[name] = name, [""]
            case "select" if self._inside:
                self._select, self.values[name], self.options[name] = name, [""], []
            case "option" if self._select:
                self.options[self._select].append(value)
                if "selected" in given:
                    self.values[self._select] = [value]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        if tag == "select":
            self._select = ""
        if tag == "textarea":
            self._area = ""
        self._error = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] = [data.removeprefix("\n")]
        if self._error:
            self.errors[self._error.removesuffix("-error")] = data.strip()

    def sent(self, **typed: str | None) -> dict[str, Any]:
        """What is sent after these were typed, by the names of fields; None unticks a box."""
        values = {**self.values, **{name: [value] for name, value in typed.items() if value is not None}}
        return {name: value for name, value in values.items() if typed.get(name, "") is not None}


def read_along(page: HttpResponse) -> dict[str, str]:
    """What the page of a submission sends along of what was read on it."""
    fields = re.findall(r'type="hidden" name="(version|files|read)" value="([^"]*)"', page.content.decode())
    return dict(fields)


def press(
    browser: Client, page: HttpResponse, deed: str = "keep", typed: dict[str, str | None] | None = None
) -> HttpResponse:
    """Type into the form of the page and press one of its buttons."""
    path = page.request["PATH_INFO"]  # type: ignore[attr-defined]
    return browser.post(path, {**Form(page).sent(**(typed or {})), "do": deed})
