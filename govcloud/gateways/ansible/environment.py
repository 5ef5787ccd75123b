"""The environment of a run: an allow-list, so that no secret of the worker's reaches a playbook or a guest."""

import os
import sys
from pathlib import Path

from govcloud.gateways.ansible.directory import RunDirectory

_PASSED_ON = ("LANG", "LC_ALL", "TZ")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_IDENT = "GOVCLOUD_ANSIBLE_RUN"
_ATTEMPT = "GOVCLOUD_ANSIBLE_ATTEMPT"


def run_variable(ident: str) -> str:
    """The `NAME=value` by which every process of a run is known, whichever attempt it belongs to."""
    return f"{_IDENT}={ident}"


def attempt_variable(directory: RunDirectory) -> str:
    """The `NAME=value` by which every process of one attempt is known."""
    return f"{_ATTEMPT}={directory.path}"


def environment(directory: RunDirectory, *, ident: str, playbooks: Path) -> dict[str, str]:
    """All that the child, `ansible-playbook` and SSH see; `ansible-playbook` is the one beside our interpreter."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        "LC_ALL": "C.UTF-8",
        **passed_on,
        "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
        "HOME": str(directory.home),
        "TMPDIR": str(directory.temporary),
        "PYTHONUTF8": "1",
        "ANSIBLE_CONFIG": str(playbooks / "ansible.cfg"),
        "ANSIBLE_HOME": str(directory.home / ".ansible"),
        "ANSIBLE_LOCAL_TEMP": str(directory.temporary),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(directory.control),
        # Ours to decide per host (see hosts.py); ansible-runner would switch it off.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_NOCOLOR": "1",
        _IDENT: ident,
        _ATTEMPT: str(directory.path),
    }
