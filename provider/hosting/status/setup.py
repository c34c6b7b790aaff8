"""Two fields of `storage.setup` for who reads upstream's: the checksum of the connection, and when the block last changed.

The keyspace itself is recorded by `reconcile.storage` before its first use and is never said from here.
"""

from __future__ import annotations

from typing import Any

from provider.hosting import credential
from provider.hosting.view import View


def dated(view: View, storage: dict[str, Any]) -> dict[str, Any]:
    """The storage block with the two fields, once a keyspace is recorded and its connection made."""
    setup, config = storage.get("setup") or {}, storage.get("config") or {}
    if not setup.get("schema") or not config.get("checksum"):
        return storage
    before = (view.status.get("storage") or {}).get("setup")
    block = {key: value for key, value in setup.items() if key != "lastUpdate"} | {"checksum": config["checksum"]}
    return {**storage, "setup": credential.stamped(view, block, before)}
