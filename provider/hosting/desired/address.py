"""Whether clients have an address for the tenant's API server. Yields nothing: raises NotReady until the Service has one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.api.verdict import Verdict
from provider.hosting import endpoint
from provider.hosting.view import View
from provider.manifest import Manifest

NAME = "endpoint"


def build(view: View) -> Iterator[Manifest]:
    """Nothing. NotReady while no address is known, Invalid when the tenant's networks do not fit it."""
    endpoint.assigned(view)
    endpoint.advertised(view)
    yield from ()


def report(view: View) -> dict[str, Any]:
    """`controlPlaneEndpoint`; what was said before stays while there is no other, or none that the API server can advertise."""
    try:
        endpoint.advertised(view)
        return {"controlPlaneEndpoint": endpoint.assigned(view).authority}
    except Verdict:
        return {}
