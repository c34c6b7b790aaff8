"""Leader election of controller manager and scheduler: none for one replica, unhurried for more. Each renewal is an etcd write.

With one replica two may run side by side for the seconds of a rollout; who cannot have that sets `--leader-elect=true`.
"""

from __future__ import annotations

from collections.abc import Sequence

from provider.hosting.desired.deployment.flags import name_of
from provider.hosting.view import View

UNHURRIED = {
    "leader-elect-lease-duration": "40s",
    "leader-elect-renew-deadline": "30s",
    "leader-elect-retry-period": "8s",
}


def flags(view: View, user: Sequence[str]) -> dict[str, str]:
    """The flags, without dashes. The three times only fit together: where the user writes one, none of ours is beside it."""
    if view.tcp.deployment.replicas < 2:
        return {"leader-elect": "false"}
    times = {} if UNHURRIED.keys() & {name_of(each) for each in user} else UNHURRIED
    return {"leader-elect": "true", **times}
