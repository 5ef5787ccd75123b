"""Enter in a field presses the first button of its form: none may do another thing than the field was typed for."""

import re
from pathlib import Path

import pytest

from govcloud import portal
from tests.portal.reading import Forms

TEMPLATES = Path(portal.__file__).parent / "templates"
INCLUDED = re.compile(r'{%\s*include\s+"([^"]+)"[^%]*%}')
LOOP = re.compile(r"{%\s*for\s[^%]*%}((?:(?!{%\s*for\s).)*?){%\s*endfor\s*%}", re.DOTALL)
MARKUP = re.compile(r"{#.*?#}|{%.*?%}", re.DOTALL)
VALUE = re.compile(r"{{\s*([\w.]*).*?}}", re.DOTALL)

SEVERAL = {
    "portal/calendar/page.html": ("do=look", "it only looks at the file"),
    "portal/cloud/form.html": (
        "do=keep",
        "it is what the form is for, the other makes room for a further part",
    ),
    "portal/quota/limit.html": ("look=1", "it only shows what it would do"),
    "portal/writing/new.html": ("do=keep", "it keeps a draft, which asks nothing of anybody"),
    "portal/writing/page.html": (
        "do=keep",
        "it is what the button below the fields does, the others add and leave out",
    ),
}
"""Pages whose form has several buttons beside what is typed: what Enter presses there, and why it may."""


def whole(name: str) -> str:
    """The template with what it includes; what it repeats stands there twice."""
    content = (TEMPLATES / name).read_text(encoding="utf-8")
    content = INCLUDED.sub(lambda found: whole(found[1]), content)
    while LOOP.search(content):
        content = LOOP.sub(lambda found: found[1] * 2, content)
    return VALUE.sub(r"\1", MARKUP.sub("", content))


def pages() -> list[str]:
    return sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))


@pytest.mark.parametrize("name", pages())
def test_enter_does_what_the_field_is_for(name: str) -> None:
    several = [form for form in Forms(whole(name)).found if form.texts and len(form.presses) > 1]
    firsts = [form.presses[0] for form in several]
    assert firsts == ([SEVERAL[name][0]] if name in SEVERAL else [])


def test_buttons_are_found_also_where_they_are_repeated_or_stand_outside() -> None:
    """What this module relies on, at the page with the most of them."""
    form = next(form for form in Forms(whole("portal/writing/new.html")).found if "title" in form.texts)
    assert form.presses.count("do=with-each.slug") > 1
    assert form.presses[:2] == ["do=keep", "do=fix-problem.position"]
