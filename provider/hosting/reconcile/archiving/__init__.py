"""What the Jobs of a TenantBackup and a TenantRestore do, in a process of their own beside the volume. Called by `__main__`.

`taking` writes a backup to a file and reads it back, `bringing` makes a tenant of one; where files lie is a `places.Place`.
Each can be killed at any point and begun again. `Declined` is what another try does not mend; everything else is tried again by
the Job.
"""

from __future__ import annotations

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.hosting.backup import envelope
from provider.hosting.backupview import KEY
from provider.manifest import meta


class Declined(Exception):
    """The user must act. The message says what is wrong and what to do."""


class NotFound(Declined):
    """There is no such file."""


class NotYet(Exception):
    """Tried again."""


async def key_in(cluster: Cluster, namespace: str, name: str) -> bytes:
    """The key by which backups are sealed. Declined when there is none that can be one."""
    data = meta.decoded(await cluster.get(kinds.SECRET, name, namespace))
    found = data.get(KEY, b"")
    if len(found) != envelope.KEY:
        raise Declined(
            f"Secret {namespace}/{name} has no {KEY!r} of {envelope.KEY} bytes: make one"
            f" (head -c {envelope.KEY} /dev/urandom > {KEY}; kubectl create secret generic {name} --from-file={KEY}), and keep"
            " a copy elsewhere, for without it no backup can be read"
        )
    return found
