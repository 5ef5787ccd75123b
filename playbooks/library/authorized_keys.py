"""An Ansible module: which public keys some accounts of the guest let in."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: authorized_keys
short_description: Let public keys in to an account, and take others away
description:
  - Works on C(~/.ssh/authorized_keys). A key is known by its own text, whatever options stand before it and whatever comment
    behind; lines of other keys, and all else in a file, stay as they are.
  - All files are worked out before the first is written, and each is put in place whole. Supports check mode.
options:
  account:
    description: The login name.
    type: str
    required: true
  present:
    description: Public keys that are let in to the account, as OpenSSH writes them.
    type: list
    elements: str
    required: true
  absent:
    description: Public keys that are let in no more.
    type: list
    elements: str
    default: []
  elsewhere:
    description: Accounts that C(absent) keys are taken from as well, where the guest has them.
    type: list
    elements: str
    default: []
author: govcloud
attributes:
  check_mode: {support: full, description: Says what would change.}
"""

RETURN = r"""
paths:
  description: Files that were (or would be) changed.
  type: list
  elements: str
  returned: always
"""

OPTIONS: dict[str, dict[str, Any]] = {
    "account": {"type": "str", "required": True},
    "present": {"type": "list", "elements": "str", "required": True},
    "absent": {"type": "list", "elements": "str", "default": []},
    "elsewhere": {"type": "list", "elements": "str", "default": []},
}


def own_text(key: str) -> str:
    """What tells a key from all others: its Base64 part, the second word of how OpenSSH writes it."""
    words = key.split()
    if len(words) < 2:
        raise ValueError("no public key")
    return words[1]


def wanted(before: str, present: list[str], absent: list[str]) -> str:
    """What the file should hold, given what it holds."""
    gone = {own_text(key) for key in absent} - {own_text(key) for key in present}
    lines = [
        line
        for line in before.splitlines(keepends=True)
        if line.lstrip().startswith("#") or gone.isdisjoint(line.split())
    ]
    # a line with options lets in only for what they say
    there = {words[1] for words in map(str.split, lines) if len(words) > 1 and not words[0].startswith("#")}
    new = [key.strip() for key in present if own_text(key) not in there]
    if new and lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join([*lines, *(f"{key}\n" for key in new)])


def read(path: str) -> str:
    """The file's text, empty when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def put_in_place(module: AnsibleModule, account: str, path: str, text: str) -> None:
    """Write the file anew, with the owner and the mode that it has; a new one is its account's alone."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)
        module.set_owner_if_different(folder, account, changed=False)
        module.set_group_if_different(folder, account, changed=False)
    descriptor, name = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as temporary:
        temporary.write(text)
    fresh = not os.path.exists(path)
    module.atomic_move(name, path)
    if fresh:
        module.set_mode_if_different(path, "0600", changed=False)
        module.set_owner_if_different(path, account, changed=False)
        module.set_group_if_different(path, account, changed=False)


def file_of(account: str) -> str | None:
    """The account's file, whether it is there or not; None when there is no such account."""
    home = os.path.expanduser("~" + account)
    return os.path.join(home, ".ssh", "authorized_keys") if os.path.isabs(home) else None


def main() -> None:
    """Compare, then put in place."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    asked = module.params
    if file_of(asked["account"]) is None:
        module.fail_json(msg=f"the guest has no account {asked['account']}")
    changes: list[tuple[str, str, str]] = []
    for account in (asked["account"], *asked["elsewhere"]):
        path = file_of(account)
        if path is None:
            continue
        before = read(path)
        try:
            after = wanted(before, asked["present"] if account == asked["account"] else [], asked["absent"])
        except ValueError as error:
            module.fail_json(msg=str(error))
        if after != before:
            changes.append((account, path, after))
    for account, path, text in [] if module.check_mode else changes:
        put_in_place(module, account, path, text)
    module.exit_json(changed=bool(changes), paths=[path for _account, path, _text in changes])


if __name__ == "__main__":
    main()
