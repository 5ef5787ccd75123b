"""Links to consoles: whoever has one sees the screen, for as long as its token lives."""

import secrets
from datetime import datetime, timedelta

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.store import Row

LIFE = timedelta(minutes=10)
"""Nova's own default."""


def admit(cloud: Cloud, server: Row, *, at: datetime) -> str:
    """A new token for the server's console."""
    row = {"id": secrets.token_urlsafe(24), "server_id": server["id"], "until": (at + LIFE).isoformat()}
    return str(cloud.new("console_token", row, at=at)["id"])


def admits(cloud: Cloud, server_id: str, token: str | None, *, at: datetime) -> bool:
    """Whether a token opens this server's console still."""
    row = cloud.store.get("console_token", token or "")
    return row is not None and row["server_id"] == server_id and at < datetime.fromisoformat(row["until"])
