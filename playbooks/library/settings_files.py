"""An Ansible module: several settings files in one visit to the guest."""

from __future__ import annotations

import os
import pwd
import re
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: settings_files
short_description: Write several settings files in one visit to the guest
description:
  - Each file is either written whole (C(content)) or has one marked block at its end (C(block)); nothing else in it changes.
  - One visit, because a task costs a guest with an emulated processor about a second, and C(copy) takes five visits.
  - Checks every file before it puts the first in place. Supports check mode and diff.
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The file; missing folders are made. C(~user) is expanded.
        type: path
        required: true
      content:
        description: The whole file. Either this or C(block).
        type: str
      block:
        description: Lines between the markers at the file's end; empty takes the block away.
        type: str
      supersedes:
        description: Keywords that the block sets; other lines that set them are commented out.
        type: list
        elements: str
        default: []
      owner:
        description: The file's owner and its group.
        type: str
        default: root
      mode:
        description: The file's mode, octal.
        type: str
        default: "0644"
      home:
        description:
          - Whether the owner's home becomes its own where it is another account's, as one that an earlier account of that name left.
            OpenSSH takes no key from such a home. What is in it stays as it is.
        type: bool
        default: false
      validate:
        description: A command that accepts the new file, C(%s), by its exit status; none when empty.
        type: list
        elements: str
        default: []
author: govcloud
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: full, description: Shows each file before and after.}
"""

RETURN = r"""
paths:
  description: Files that were (or would be) changed.
  type: list
  elements: str
  returned: always
"""

BEGIN, END = "# BEGIN govcloud", "# END govcloud"
FILE_OPTIONS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str"},
    "block": {"type": "str"},
    "supersedes": {"type": "list", "elements": "str", "default": []},
    "owner": {"type": "str", "default": "root"},
    "mode": {"type": "str", "default": "0644"},
    "home": {"type": "bool", "default": False},
    "validate": {"type": "list", "elements": "str", "default": []},
}


def read(path: str) -> str:
    """The file's text, empty when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def wanted(before: str, file: dict[str, Any]) -> str:
    """What the file should hold, given what it holds."""
    if file["content"] is not None:
        return str(file["content"])
    return with_block(before, file["block"] or "", file["supersedes"])


def with_block(text: str, block: str, supersedes: list[str]) -> str:
    """`text` with exactly one marked block at its end, and no other line that sets one of `supersedes`."""
    marked = re.compile(rf"^{BEGIN}\n.*?^{END}\n?", re.MULTILINE | re.DOTALL)
    rest = marked.sub("", text)
    if supersedes:
        keywords = "|".join(map(re.escape, supersedes))
        rest = re.sub(rf"^(\s*(?:{keywords})(?:\s|=))", r"# \1", rest, flags=re.MULTILINE)
    if not block.strip():
        return rest
    separator = "" if not rest or rest.endswith("\n") else "\n"
    return f"{rest}{separator}{BEGIN}\n{block.strip()}\n{END}\n"


def staged(module: AnsibleModule, file: dict[str, Any], text: str) -> str:
    """A temporary file with the new text, accepted by the file's own check."""
    descriptor, name = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as temporary:
        temporary.write(text)
    if file["validate"]:
        status, out, err = module.run_command([name if word == "%s" else word for word in file["validate"]])
        if status != 0:
            module.fail_json(msg=f"{file['path']} would not be valid", rc=status, stdout=out, stderr=err)
    return name


def attributes(module: AnsibleModule, file: dict[str, Any]) -> bool:
    """Set owner and mode; whether they are others now (in check mode: would be).

    Looked at before and after: a guest of an ordinary user only pretends to change an owner.
    """
    path = file["path"]
    if not os.path.exists(path):
        return True
    before = owner_and_mode(path)
    changed = module.set_owner_if_different(path, file["owner"], changed=False)
    changed = module.set_group_if_different(path, file["owner"], changed=changed)
    changed = module.set_mode_if_different(path, file["mode"], changed=changed)
    return bool(changed) if module.check_mode else owner_and_mode(path) != before


def own_home(module: AnsibleModule, owner: str) -> str | None:
    """Give the owner its home; the home, if it was another's (in check mode: is)."""
    account = pwd.getpwnam(owner)
    home = account.pw_dir
    if not os.path.isdir(home) or os.stat(home).st_uid in {0, account.pw_uid}:
        return None
    before = owner_and_mode(home)
    module.set_owner_if_different(home, str(account.pw_uid), changed=False)
    module.set_group_if_different(home, str(account.pw_gid), changed=False)
    return home if module.check_mode or owner_and_mode(home) != before else None


def owner_and_mode(path: str) -> tuple[int, int, int]:
    """Numbers of the owner and the group, and the mode."""
    status = os.stat(path)
    return status.st_uid, status.st_gid, status.st_mode


def main() -> None:
    """Compare, check, put in place."""
    files = {"type": "list", "elements": "dict", "required": True, "options": FILE_OPTIONS}
    files |= {"required_one_of": [("content", "block")], "mutually_exclusive": [("content", "block")]}
    module = AnsibleModule(argument_spec={"files": files}, supports_check_mode=True)
    nowhere = [file["path"] for file in module.params["files"] if not os.path.isabs(file["path"])]
    if nowhere and not module.check_mode:
        module.fail_json(msg=f"not absolute, or of a user that does not exist: {', '.join(nowhere)}")
    before = {file["path"]: read(file["path"]) for file in module.params["files"]}
    after = {file["path"]: wanted(before[file["path"]], file) for file in module.params["files"]}
    different = [file for file in module.params["files"] if before[file["path"]] != after[file["path"]]]
    paths = [file["path"] for file in different]
    ready = {file["path"]: staged(module, file, after[file["path"]]) for file in different}
    for path in [] if module.check_mode else paths:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        # A link to another file would pass our text on to it: /etc/issue may be one.
        if os.path.islink(path):
            os.unlink(path)
        module.atomic_move(ready[path], path)
    for file in module.params["files"]:
        if attributes(module, file) and file["path"] not in paths:
            paths.append(file["path"])
        home = own_home(module, file["owner"]) if file["home"] and not nowhere else None
        paths += [home] if home and home not in paths else []
    diff = [
        {"before_header": path, "after_header": path, "before": before[path], "after": after[path]}
        for path in sorted(ready)
    ]
    module.exit_json(changed=bool(paths), paths=paths, diff=diff)


if __name__ == "__main__":
    main()
