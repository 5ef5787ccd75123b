"""The sandbox's memory: rows by kind, in dictionaries, written through to one SQLite file.

Reads never touch the disk. A row is a plain dictionary with at least `id`; whoever changes one calls `save`, and `commit`
writes what changed since the last commit in one transaction. SQLite runs without fsync: the state survives a killed
process, which is what the demo and the tests need, not a power cut.
"""

import json
import sqlite3
from collections import defaultdict
from pathlib import Path
from typing import Any

Row = dict[str, Any]
# An update keeps the row's place, so that what is read back at a start is in the order in which it was made.
_UPSERT = "INSERT INTO objects VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body"

# The columns that lists are searched by; every other filter is a scan of what these leave.
_INDEXED: dict[str, tuple[str, ...]] = {
    "assignment": ("project_id", "user_id"),
    "attachment": ("volume_id", "server_id"),
    "backup": ("project_id", "volume_id", "parent_id"),
    "container": ("project_id",),
    "due": (),
    "floatingip": ("project_id", "port_id"),
    "keypair": ("user_id",),
    "network": ("project_id",),
    "object": ("container_id",),
    "port": ("project_id", "network_id", "device_id"),
    "project": ("name",),
    "router": ("project_id",),
    "security_group": ("project_id",),
    "security_group_rule": ("security_group_id", "project_id"),
    "server": ("project_id",),
    "server_action": ("server_id",),
    "snapshot": ("project_id", "volume_id"),
    "subnet": ("network_id", "project_id"),
    "volume": ("project_id",),
}


class Store:
    """Rows by (kind, id), with equality indexes. Not thread-safe: callers hold the cloud's lock."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
            "CREATE TABLE IF NOT EXISTS objects (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id));"
        )
        self._rows: dict[str, dict[str, Row]] = defaultdict(dict)
        self._index: dict[tuple[str, str, Any], dict[str, Row]] = defaultdict(dict)
        self._indexed_as: dict[tuple[str, str], list[tuple[str, str, Any]]] = {}
        self._dirty: dict[tuple[str, str], None] = {}
        for kind, body in self._db.execute("SELECT kind, body FROM objects ORDER BY rowid"):
            self._place(kind, json.loads(body))

    def get(self, kind: str, row_id: str) -> Row | None:
        """The row, or None."""
        return self._rows[kind].get(row_id)

    def find(self, kind: str, **equal: Any) -> list[Row]:
        """Rows whose columns equal the given values, oldest first; the first indexed column narrows the search."""
        candidates = self._rows[kind]
        for column, value in equal.items():
            if column in _INDEXED.get(kind, ()):
                candidates = self._index.get((kind, column, value), {})
                break
        return [row for row in candidates.values() if all(row.get(k) == v for k, v in equal.items())]

    def save(self, kind: str, row: Row) -> Row:
        """Insert or update `row`."""
        self._place(kind, row)
        self._dirty[kind, row["id"]] = None
        return row

    def delete(self, kind: str, row_id: str) -> None:
        """Forget the row; absent rows are no error."""
        self._rows[kind].pop(row_id, None)
        for key in self._indexed_as.pop((kind, row_id), ()):
            self._index[key].pop(row_id, None)
        self._dirty[kind, row_id] = None

    def commit(self) -> None:
        """Write every change since the last commit."""
        if not self._dirty:
            return
        written, removed = [], []
        for kind, row_id in self._dirty:
            row = self._rows[kind].get(row_id)
            if row is None:
                removed.append((kind, row_id))
            else:
                written.append((kind, row_id, json.dumps(row, separators=(",", ":"))))
        self._db.execute("BEGIN")
        self._db.executemany(_UPSERT, written)
        self._db.executemany("DELETE FROM objects WHERE kind = ? AND id = ?", removed)
        self._db.execute("COMMIT")
        self._dirty.clear()

    def close(self) -> None:
        """Commit and let go of the file."""
        self.commit()
        self._db.close()

    def _place(self, kind: str, row: Row) -> None:
        row_id = row["id"]
        self._rows[kind][row_id] = row
        keys = [(kind, column, row.get(column)) for column in _INDEXED.get(kind, ())]
        known = self._indexed_as.get((kind, row_id))
        if keys == known:
            return
        for key in known or ():
            self._index[key].pop(row_id, None)
        for key in keys:
            self._index[key][row_id] = row
        self._indexed_as[kind, row_id] = keys
