"""Runs a command that ends with its parent: ``tether.py COMMAND ARGUMENT…``.

A script and not a module, so that starting it imports nothing of the project. Linux sends the signal when the parent dies,
even by SIGKILL (prctl(2), PR_SET_PDEATHSIG); it survives the exec below.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent is gone already")
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606  an argument list from the supervisor, no shell
