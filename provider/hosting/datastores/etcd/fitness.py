"""Whether an etcd is fit to hold tenants: what it says of itself, and whether root can write and read. Called by `store`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from provider.hosting.datastores.errors import Alarmed, AuthOff
from provider.hosting.datastores.etcd import dialing, versions
from provider.hosting.datastores.etcd.ranges import PROBE

ROOT = "root"
ALARMS = {1: "NOSPACE", 2: "CORRUPT"}
LEASE = int.from_bytes(
    b"kamaji"
)  # of the provider's own key, so that tenants can be tried at a lease that is not theirs
LASTS = 3600  # seconds

ADVICE = {
    "NOSPACE": "its database is full: raise --quota-backend-bytes or delete keys, defragment, then disarm the alarm",
    "CORRUPT": "members hold different data: stop it and restore from a backup",
}
"""What to do about an alarm that is on."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a store says of itself."""

    version: str
    auth_enabled: bool
    size: int  # bytes of its database
    alarms: frozenset[str]
    in_use: int = 0  # bytes of that which hold something; the rest comes back by defragmenting
    quota: int = 0  # bytes at which it takes no more
    identity: str = ""  # of the cluster


def judge(health: Health) -> None:
    """AuthOff or Alarmed say what to do."""
    if not health.auth_enabled:
        raise AuthOff(
            "etcd's auth is off, so one tenant could read another's keys:"
            " add the user root with the role root, then `etcdctl auth enable`"
        )
    for alarm in sorted(health.alarms):
        raise Alarmed(f"alarm {alarm} is on: {ADVICE.get(alarm, 'see its log')}")


async def health(wire: Any, limit: float) -> Health:
    """What it says of itself to root, in `limit` seconds a call. IsolationUnsafe for a version that keeps nobody apart."""
    status = await wire.maintenance.status(timeout=limit)
    versions.check(status.version)
    auth = await wire.auth.auth_status(timeout=limit)
    alarms = await wire.maintenance.alarms(timeout=limit)
    return Health(
        version=status.version,
        auth_enabled=auth.enabled,
        size=status.dbSize,
        alarms=frozenset(ALARMS.get(each.alarm, str(each.alarm)) for each in alarms.alarms if each.alarm),
        in_use=status.dbSizeInUse,
        quota=status.dbSizeQuota,
        identity=f"{status.header.cluster_id:x}",
    )


async def probe(wire: Any, limit: float) -> int:
    """Write and read as root, outside of every tenant's range. The revision of what was read: no member is behind it."""
    write = partial(wire.kv.put, PROBE, b"", lease=LEASE, timeout=limit)
    try:
        await dialing.settled(write)
    except grpc.aio.AioRpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        await wire.lease.grant(LASTS, LEASE, timeout=limit)  # it ended, and the key with it
        await dialing.settled(write)
    read = await dialing.settled(partial(wire.kv.get, PROBE, timeout=limit))
    await wire.auth.user_list(timeout=limit)
    return int(read.header.revision)


async def close(wire: Any, limit: float) -> None:
    """Root as user and role, then auth on. Can be done twice, and goes on where it was interrupted."""
    auth = wire.auth
    if ROOT not in (await auth.role_list(timeout=limit)).roles:
        await auth.role_add(ROOT, timeout=limit)
    if ROOT not in (await auth.user_list(timeout=limit)).users:
        await auth.user_add(ROOT, "", no_password=True, timeout=limit)
    if ROOT not in (await auth.user_get(ROOT, timeout=limit)).roles:
        await auth.user_grant_role(ROOT, ROOT, timeout=limit)
    await auth.auth_enable(timeout=limit)
