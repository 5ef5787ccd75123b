"""A page as somebody reads it: its words without the tags."""

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
