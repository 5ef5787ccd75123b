"""Every refusal that can be met has a page that explains it, in both languages; docs/api.md has what to do by status."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from api import problem_pages, problems
from govcloud.errors import DomainError

ROOT = Path(__file__).resolve().parents[3]

DEFINES = re.compile(r"^    code(?:: ClassVar\[str\])? = ", re.MULTILINE)
NOT_OURS = frozenset({"sandbox", "migrations", "management"})


def declared() -> dict[str, list[type[DomainError]]]:
    """Every refusal in the sources by its code, but for the kinds they are of, whether or not a request has loaded its module."""
    for top in ("govcloud", "tenants", "api"):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if not NOT_OURS & set(parts) and DEFINES.search(path.read_text(encoding="utf-8")):
                import_module(".".join(parts).removesuffix(".__init__"))
    found: dict[str, list[type[DomainError]]] = {}
    for error in _below(DomainError):
        ours = error.__module__.startswith(("govcloud.", "tenants.", "api."))
        if ours and error.__module__ != "govcloud.errors" and error is not problems.HttpProblem:
            found.setdefault(error.code, []).append(error)
    return found


def _below(error: type[DomainError]) -> Iterator[type[DomainError]]:
    for sub in error.__subclasses__():
        yield sub
        yield from _below(sub)


CODES = declared()


def test_a_code_means_one_thing() -> None:
    assert {code: errors for code, errors in CODES.items() if len(errors) > 1} == {}


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_page_of_a_code_tells_what_it_means_and_what_to_do_in_both_languages(code: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    error = problem_pages.errors_by_code()[code]
    assert problems.status_of(error) in problem_pages.ADVICE
    explained = problem_pages.explanations(error)
    assert {each.language for each in explained} == {"zh-hans", "en"}
    for told in ("title", "message", "advice"):
        chinese, english = sorted(str(getattr(each, told)) for each in explained)[::-1]
        assert english.isprintable()
        assert chinese != english, (told, english)


def test_the_api_document_says_what_to_do_for_every_status() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = text.split("| status | means | do |", 1)[1].split("\n\n", 1)[0]
    documented = {int(status) for status in re.findall(r"\b([45]\d\d)\b", table)}
    assert (
        documented
        == set(problem_pages.ADVICE)
        == {problems.status_of(errors[0]) for errors in CODES.values()}
    )


def test_documents_name_codes_that_exist() -> None:
    """A word with a hyphen beside a status of a refusal is a code."""
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        code
        for path in documents
        for code in re.findall(r"\b[45]\d\d \|? ?`([a-z]+(?:-[a-z]+)+)`", path.read_text(encoding="utf-8"))
    }
    assert len(named) >= 4
    assert named <= set(CODES)
