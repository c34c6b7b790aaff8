"""Whether tenants' API servers answer, as a metric: what passes and the watches beside sessions see; nothing more is asked.

It tells of the pod that we speak to. A tenant that was never up, sleeps or is paused has no such series: nobody waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from provider import telemetry
from provider.cluster.errors import ApiError, Unreachable
from provider.hosting.view import View
from provider.telemetry import subjects, table

Key = tuple[str, str]
"""(namespace, name) of a TenantControlPlane."""


@contextmanager
def asked(key: Key) -> Iterator[None]:
    """While a pass asks an API server: that it answers, whatever it says, is being up."""
    began = time.monotonic()
    try:
        yield
    except ApiError as error:
        answered = not isinstance(error, Unreachable) and error.status < 500
        _told(key, time.monotonic() - began, answered=answered)
        raise
    _told(key, time.monotonic() - began, answered=True)


def stands(key: Key, up: bool) -> None:
    """A watch stands again, or could not be taken up again for a while."""
    subjects.show(table.API_UP, key, {(): float(up)})


def silent(key: Key, view: View) -> None:
    """None of its pods serves: that is a failure of one that served and should."""
    served = ((view.status.get("kubernetesResources") or {}).get("version") or {}).get("version")
    wanted = ((view.deployment or {}).get("spec") or {}).get("replicas", 0)
    if served and wanted and not view.restoring:
        stands(key, up=False)
    else:
        gone(key)


def gone(key: Key) -> None:
    """Nobody waits for it any more."""
    subjects.show(table.API_UP, key, {})


def _told(key: Key, seconds: float, *, answered: bool) -> None:
    telemetry.API_SECONDS.labels("answered" if answered else "unanswered").observe(seconds)
    stands(key, up=answered)
