"""Playbook runs on guests: the only code of the project that touches ansible-runner.

`run` supervises one `ansible-playbook` in a child process of its own and answers with what happened on each host.
"""

from govcloud.gateways.ansible.hosts import Host
from govcloud.gateways.ansible.results import Failure, Recap, RunEvent, RunResult, RunStatus
from govcloud.gateways.ansible.supervisor import PlaybookNotFound, end_left_behind, run

__all__ = [
    "Failure",
    "Host",
    "PlaybookNotFound",
    "Recap",
    "RunEvent",
    "RunResult",
    "RunStatus",
    "end_left_behind",
    "run",
]
