"""An Ansible module: public keys that are let in to an account, and keys that are let in to none."""

from __future__ import annotations

import os
import pwd
import tempfile
from typing import Any, Iterator

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: authorized_keys
short_description: Let public keys in to an account, and take others away from all of them
description:
  - Works on C(~/.ssh/authorized_keys), and takes keys away from C(~/.ssh/authorized_keys2) as well, which OpenSSH reads too. A key
    is known by its own text, whatever options stand before it and whatever comment behind; lines of other keys, and all else
    in a file, stay as they are, to the byte.
  - Images give the key of a new server to more than one account, so C(absent) keys are looked for in those of all accounts.
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
    description: Public keys that are let in to no account.
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
}


def own_text(key: str) -> bytes:
    """What tells a key from all others: its Base64 part, the second word of how OpenSSH writes it."""
    words = key.encode().split()
    if len(words) < 2:
        raise ValueError("no public key")
    return words[1]


def wanted(before: bytes, present: list[str], absent: list[str]) -> bytes:
    """What the file should hold, given what it holds. Lines end with a line feed and nothing else, as for OpenSSH."""
    gone = {own_text(key) for key in absent} - {own_text(key) for key in present}
    lines = before.split(b"\n")
    last = lines.pop()  # empty where the file ends with a line feed
    lines = [*lines, *([last] if last else [])]
    lines = [line for line in lines if line.lstrip().startswith(b"#") or gone.isdisjoint(line.split())]
    there = {
        words[1] for words in map(bytes.split, lines) if len(words) > 1 and not words[0].startswith(b"#")
    }
    lines += [key.strip().encode() for key in present if own_text(key) not in there]
    text = b"\n".join(lines) + (b"\n" if lines else b"")
    return before if text == before + b"\n" else text  # nothing but the last line feed


def read(path: str) -> bytes:
    """What the file holds, nothing when there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return b""


def put_in_place(module: AnsibleModule, account: str, path: str, text: bytes) -> None:
    """Write the file anew, with the owner and the mode that it has; a new one is its account's alone."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)
        module.set_owner_if_different(folder, account, changed=False)
        module.set_group_if_different(folder, account, changed=False)
    descriptor, name = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "wb") as temporary:
        temporary.write(text)
    fresh = not os.path.exists(path)
    module.atomic_move(name, path)
    if fresh:
        module.set_mode_if_different(path, "0600", changed=False)
        module.set_owner_if_different(path, account, changed=False)
        module.set_group_if_different(path, account, changed=False)


def files(account: str) -> Iterator[tuple[str, str]]:
    """The account's own file first, whether it is there or not; then all that there are, each once, with their accounts.

    Where a file is a link to another, it is that one.
    """
    homes = {entry.pw_name: entry.pw_dir for entry in pwd.getpwall()}
    homes[account] = homes.get(account) or os.path.expanduser("~" + account)
    seen = set()
    for name in (account, *homes):
        for leaf in ("authorized_keys", "authorized_keys2"):
            path = os.path.realpath(os.path.join(homes[name], ".ssh", leaf))
            own = name == account and leaf == "authorized_keys"
            if path not in seen and (own or os.path.isfile(path)):
                seen.add(path)
                yield name, path


def main() -> None:
    """Compare, then put in place."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    account, present, absent = (module.params[each] for each in ("account", "present", "absent"))
    if not os.path.isabs(os.path.expanduser("~" + account)):
        module.fail_json(msg=f"the guest has no account {account}")
    changes: list[tuple[str, str, bytes]] = []
    for number, (name, path) in enumerate(files(account)):
        before = read(path)
        try:
            after = wanted(before, present if number == 0 else [], absent)
        except ValueError as error:
            module.fail_json(msg=str(error))
        if after != before:
            changes.append((name, path, after))
    for name, path, text in [] if module.check_mode else changes:
        put_in_place(module, name, path, text)
    module.exit_json(changed=bool(changes), paths=[path for _name, path, _text in changes])


if __name__ == "__main__":
    main()
