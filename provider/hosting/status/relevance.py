"""Which conditions a tenant has: most always, some only where they have something to tell."""

from __future__ import annotations

from provider.hosting import encryption, migration
from provider.hosting.desired.writepermissions import full, held_back
from provider.hosting.migration import sight
from provider.hosting.storeview import overridden
from provider.hosting.view import View
from provider.manifest.condition import Condition


def told(view: View, condition: Condition) -> bool:
    """Whether this one is written. What nobody asked for needs no condition that says it is so."""
    match condition.type:
        case "WritePermissionsReady":
            return view.tcp.spec.write_permissions.limited or full(view) or held_back(view)
        case "StorageReleased":
            kept = migration.kept(view.move, sight.wanted(view), view.now) | {sight.home(view)}
            return bool(overridden(view.raw) - {each.data_store for each in view.overrides} - kept)
        case "Encrypted":
            return encryption.concerns(view)
        case _:
            return True
