"""Certificates of authorities that are given as text: the libraries below want files."""

import atexit
import hashlib
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path


def file_of(pem: str) -> Path:
    """A file of this process's own with the certificates; the same text is written once."""
    path = _directory(os.getpid()) / f"{hashlib.sha256(pem.encode()).hexdigest()}.pem"
    if not path.exists():
        draft = path.with_suffix(f".{os.urandom(4).hex()}")
        draft.write_text(pem)
        draft.replace(path)
    return path


@lru_cache(maxsize=1)
def _directory(pid: int) -> Path:
    """Only the owner can enter it. A forked child makes its own: its parent takes its own away."""
    path = Path(tempfile.mkdtemp(prefix=f"govcloud-certificates-{pid}-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
