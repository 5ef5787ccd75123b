"""Nothing that is committed tells of the machine or the network it was written on."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[3]
INDEXES = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|jsdelivr|unpkg|artifactory|devpi)\.[a-z]{2,}", re.IGNORECASE
)
EVERYWHERE = frozenset({"", "opt", "srv", "tmp", "home", "root", "src", "usr", "var"})
"""Folders that say nothing about a machine."""
INDEX_OPTIONS = re.compile(r"^\s*(?:-i|--(?:extra-)?index-url|--find-links|--trusted-host)\b", re.MULTILINE)
CREDENTIALS = re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n[A-Za-z0-9+/=]{20}")


def committed() -> Iterator[tuple[str, str]]:
    """Tracked text files; what is vendored is not ours to change, and this page holds the patterns."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        path = ROOT / name
        if name and "vendor" not in path.parts and path != Path(__file__) and path.is_file():
            try:
                yield name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def found(pattern: re.Pattern[str]) -> list[str]:
    return [f"{name}: {match[0]}" for name, text in committed() if (match := pattern.search(text))]


def of_this_machine() -> set[str]:
    """Where this checkout lies, whose it is, and where pip is told to look for packages."""
    options = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    sources = {
        word.strip("'\"")
        for line in options.splitlines()
        if re.search(r"index-url|find-links|trusted-host|proxy", line.split("=", 1)[0])
        for word in line.split("=", 1)[1].split()
    }
    places = {f"{place}/" for place in (ROOT, ROOT.parent, Path.home()) if place.name not in EVERYWHERE}
    names = places | {urlsplit(source).hostname or urlsplit(source).path for source in sources}
    return {name for name in names if len(name) > 5}


def test_no_file_names_this_checkout_or_where_its_packages_came_from() -> None:
    traces = of_this_machine()
    told = [
        f"{name}: {trace}"
        for name, text in committed()
        for trace in traces
        if re.search(rf"(?<![\w.\-]){re.escape(trace)}", text)
    ]
    assert told == []


def test_no_file_names_the_host_of_a_package_index() -> None:
    """Which index is asked is the business of whoever installs: of pip's and uv's own configuration."""
    assert found(INDEXES) == []
    assert found(INDEX_OPTIONS) == []


def test_no_file_holds_a_private_key() -> None:
    assert found(CREDENTIALS) == []
