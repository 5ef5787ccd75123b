"""What a step in a guest that was skipped leaves to the department: written to the step in these words, told in the reader's language."""

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

NOT_OURS = "its guest was taken over without our key: this is to be done in it by hand"
OWN_FILES = "what is on the volume, and where it is mounted, is its department's"
_OWN_FILES_BEFORE = "the volume was taken over: what is on it, and where it is mounted, is its department's"
"""Of steps that earlier releases skipped."""
AT_RESTART = "the guest takes up the room of its system volume when it next starts"
SWITCHED_OFF = "the server is stopped: its file system is grown when it is started"

_STORAGE = frozenset({"grow", "mount", "let_go"})
_MOUNT_YOURSELVES = _(
    "What is on the volume was not put there by us: mount, enlarge or unmount its file system in the server yourselves."
)
_WORDS: Mapping[str, Promise] = {
    NOT_OURS: _(
        "The server was taken over, and its guest does not have our key: mount or enlarge the file system in it yourselves."
    ),
    OWN_FILES: _MOUNT_YOURSELVES,
    _OWN_FILES_BEFORE: _MOUNT_YOURSELVES,
    SWITCHED_OFF: _(
        "The volume is larger already; its server is stopped, and the file system takes up the room when the server is started here."
    ),
    AT_RESTART: _(
        "The system volume is larger already; the server's root file system takes up the room when it next starts. "
        "Restart the server when it suits you."
    ),
}


def left_by(*, kind: str, reason: Any) -> str:
    """What the department has to do, in the reader's language; empty if nothing. ``reason`` is that of the step's outputs, if any."""
    words = _WORDS.get(reason) if isinstance(reason, str) and kind in _STORAGE else None
    return str(words) if words is not None else ""
