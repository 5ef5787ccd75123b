"""The documents against the code: what exists is documented, and what is documented exists."""

import importlib.metadata
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import BaseCommand, get_commands, load_command_class
from django.core.management.base import CommandParser

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "deploy").glob("*.md"),
        *(ROOT / "tests").rglob("*.md"),
    )
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMED_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)")
QUOTED_PATH = re.compile(
    r"`((?:govcloud|tenants|api|tests|playbooks|docs|deploy|tools|\.ci)/[^`\s{}*…<>]*|[\w.-]+\.(?:in|txt|toml))`"
)
NOT_COMMITTED = ("api/v1/problems/",)  # addresses, not files
MAKE = re.compile(r"(?:^|`|    |=\S+ )make ([a-z][a-z-]*)", re.MULTILINE)
MANAGE = re.compile(r"manage\.py ([a-z_]+)")


def section(text: str, heading: str) -> str:
    """What is below a heading, as far as the next one of its level or above."""
    level = heading.split(" ", 1)[0]
    below = text.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", below, maxsplit=1)[0]


def texts() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        yield document, (ROOT / document).read_text(encoding="utf-8")


# -- settings


def test_every_setting_is_in_the_readme_and_none_that_is_not() -> None:
    source = (ROOT / "govcloud" / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'\b(?:env|flag|listed)\("([A-Z_]+)"', source))
    assert len(read) > 20
    documented = set(NAMED_ROW.findall(section(README, "### Settings")))
    assert documented == read


def test_no_other_module_reads_a_variable_that_settings_do_not() -> None:
    """The sandbox knows no settings, and what Ansible's children get is an allow-list of its own."""
    documented = set(NAMED_ROW.findall(section(README, "### Settings")))
    strangers = {
        f"{path.relative_to(ROOT)}: {name}"
        for top in ("govcloud", "tenants", "api")
        for path in (ROOT / top).rglob("*.py")
        if "sandbox" not in path.parts
        for name in re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', path.read_text(encoding="utf-8"))
        if name not in documented
    }
    assert strangers == set()


# -- commands and targets


def commands() -> set[str]:
    found = (ROOT / "govcloud").glob("*/management/commands/*.py")
    return {path.stem for path in found if path.stem != "__init__"}


def targets() -> set[str]:
    """Without the parts that ``check`` is made of."""
    written = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^(?!check-)([a-z][a-z-]*):(?!=)", written, re.MULTILINE))


def test_every_command_and_every_target_is_in_the_readme() -> None:
    documented = set(NAMED_ROW.findall(section(README, "### Commands")))
    assert documented == commands() | targets()


@pytest.mark.parametrize("command", sorted(commands()))
def test_the_options_that_the_readme_gives_a_command_are_the_ones_it_has(command: str) -> None:
    command_class = load_command_class(get_commands()[command], command)
    inherited = BaseCommand().create_parser("manage.py", command)
    own = (
        long_options(command_class.create_parser("manage.py", command))
        - long_options(inherited)
        - {"--skip-checks"}
    )
    (row,) = re.findall(rf"^\| `{command}` \| .*", section(README, "### Commands"), re.MULTILINE)[:1]
    assert set(re.findall(r"--[a-z-]+", row)) == own


def long_options(parser: CommandParser) -> set[str]:
    options = (option for action in parser._actions for option in action.option_strings)
    return {option for option in options if option.startswith("--")}


def test_documents_name_targets_and_commands_that_exist() -> None:
    django = {
        "shell",
        "migrate",
        "collectstatic",
        "createsuperuser",
        "makemigrations",
        "spectacular",
        "check",
    }
    for document, text in texts():
        assert set(MAKE.findall(text)) <= targets(), document
        assert set(MANAGE.findall(text)) <= commands() | django, document


# -- files


def test_links_lead_to_files_and_headings_that_exist() -> None:
    broken = []
    for document, text in texts():
        for target, anchor in LINK.findall(text):
            if "://" in target:
                continue
            path = (ROOT / document).parent / target
            if not path.exists() or (anchor and anchor not in anchors(path)):
                broken.append(f"{document}: {target}#{anchor}")
    assert broken == []


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_documents_name_files_that_exist() -> None:
    missing = []
    for document, text in texts():
        for name in QUOTED_PATH.findall(text):
            here = [(ROOT / name), (ROOT / document).parent / name]
            if not any(path.exists() for path in here) and not name.startswith(NOT_COMMITTED):
                missing.append(f"{document}: {name}")
    assert missing == []


# -- dependencies


@pytest.mark.parametrize("listing", ["requirements.in", "requirements-dev.in"])
def test_every_direct_dependency_says_why_it_is_there_and_which_one_is_locked(listing: str) -> None:
    wanted = {
        re.split(r"[\[<>=~! ]", line, maxsplit=1)[0]
        for line in (ROOT / listing).read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-"))
    }
    locked = dict(
        re.findall(
            r"^([a-z0-9._-]+)(?:\[.*\])?==([^\s;\\]+)",
            (ROOT / listing).with_suffix(".txt").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    heading = "## In production" if listing == "requirements.in" else "## For development and tests"
    rows = section((ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"), heading)
    documented = dict(re.findall(r"^\| ([a-z0-9-]+) \| (\S+), \d{4}-\d\d-\d\d \| .+ \|$", rows, re.MULTILINE))
    also_in_production = {"requests"} if listing == "requirements-dev.in" else set()
    assert documented == {name: locked[name] for name in wanted - also_in_production}


def test_every_production_dependency_is_used() -> None:
    """By an import, as a Django app, or as a program that a command line or a unit starts."""
    modules = importlib.metadata.packages_distributions()
    by_package: dict[str, set[str]] = {}
    for module, packages in modules.items():
        for package in packages:
            by_package.setdefault(package.lower().replace("_", "-"), set()).add(module)
    files = subprocess.run(
        ["git", "ls-files", "govcloud", "tenants", "api", "manage.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    sources = "\n".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in files
        if name.endswith(".py") and (ROOT / name).exists()
    )
    listed = re.findall(
        r"^([a-z0-9-]+)", (ROOT / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE
    )
    unused = [
        package
        for package in listed
        if not any(
            re.search(rf'(?:^\s*(?:from|import) |")({re.escape(module)})\b', sources, re.MULTILINE)
            for module in by_package[package]
            if not module.startswith("_")
        )
    ]
    assert unused == []
