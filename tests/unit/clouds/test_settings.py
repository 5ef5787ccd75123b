"""The keys of credentials as settings: made once where nothing is installed, demanded in production."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PRODUCTION = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SECRET_KEY": "for this test"}
KEYS = "import govcloud.settings as s; print(*s.CREDENTIAL_KEYS)"


def settings(tmp_path: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "GOVCLOUD_VAR": str(tmp_path), **variables}
    return subprocess.run(
        [sys.executable, "-c", KEYS], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_an_embedded_installation_makes_its_key_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first, second = settings(tmp_path), settings(tmp_path)
    assert first.stdout == second.stdout != "\n"
    kept = tmp_path / "credential_key"
    assert kept.read_text() == first.stdout.strip()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"credential_key", "secret_key"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [({}, "CREDENTIAL_KEYS must be set"), ({"CREDENTIAL_KEYS": "too-short"}, "at least 32 characters")],
)
def test_production_demands_a_key_that_is_long_enough(
    tmp_path: Path, keys: dict[str, str], words: str
) -> None:
    refused = settings(tmp_path, **PRODUCTION, **keys)
    assert refused.returncode != 0
    assert words in refused.stderr


def test_several_keys_are_taken_newest_first(tmp_path: Path) -> None:
    new, old = "n" * 40, "o" * 40
    assert settings(tmp_path, **PRODUCTION, CREDENTIAL_KEYS=f"{new}, {old}").stdout.split() == [new, old]
