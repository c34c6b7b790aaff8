"""Writes the status of a TenantControlPlane and tells of what changed in it: the last thing a pass does, failed or not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from provider.cluster.errors import ApiError
from provider.hosting.reconcile import stating
from provider.hosting.reconcile.context import Context
from provider.hosting.status import transitions
from provider.hosting.view import View
from provider.manifest import Manifest

log = logging.getLogger(__name__)


async def written(context: Context, view: View, before: Manifest, wanted: Mapping[str, Any]) -> ApiError | None:
    """Why the status could not be written, None when it stands. Nothing is sent when it says what stands.

    `before` is the object as it was when the pass began: what the pass itself recorded on its way is news, too.
    """
    try:
        if not await stating.wanted(context.cluster, view.raw, wanted):
            return None
    except ApiError as error:
        log.warning("status of %s/%s not written: %s", view.namespace, view.name, error)
        return error
    await context.events.record(view.raw, transitions.of(before.get("status") or {}, wanted))
    return None
