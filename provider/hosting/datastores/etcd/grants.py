"""What a tenant's role permits: its own range and nothing else, to write or only to read. Called by `store.EtcdStore`."""

from __future__ import annotations

from typing import Any

from etcd3aio.auth import PermissionType

from provider.hosting.datastores.etcd.ranges import KeyRange


def permission(own: KeyRange, writable: bool) -> tuple[int, bytes, bytes]:
    """(type, first key, end) of the one permission, as etcd says it."""
    return int(PermissionType.READWRITE if writable else PermissionType.READ), own.start, own.end


async def exact(wire: Any, role: str, own: KeyRange, *, writable: bool, limit: float) -> bool:
    """Make the role's permissions be the one, no more and no less. True when something changed. `limit`: seconds a call.

    What is right is granted before what is wrong is revoked: an API server that runs loses nothing in between. A grant of the
    range takes the place of the one before in one step, so writing ends and begins for all members at one entry of their log.
    """
    kind, wanted = PermissionType.READWRITE if writable else PermissionType.READ, permission(own, writable)
    found = {(each.permType, each.key, each.range_end) for each in (await wire.auth.role_get(role, timeout=limit)).perm}
    if wanted not in found:
        await wire.auth.role_grant_permission(role, own.start, own.end, perm_type=kind, timeout=limit)
    for _, key, end in found - {wanted}:
        if (key, end) != (own.start, own.end):  # of the same range it was replaced by the grant
            await wire.auth.role_revoke_permission(role, key, end or None, timeout=limit)
    return found != {wanted}
