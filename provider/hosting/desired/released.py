"""Whether something of the tenant is left in a store that its overrides no longer name. Yields nothing.

`reconcile.overrides` looks, erases, and says so in this part's place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider.hosting.view import View
from provider.manifest import Manifest

NAME = "released"


def build(view: View) -> Iterator[Manifest]:
    """Nothing."""
    yield from ()


def report(view: View) -> dict[str, Any]:
    """Nothing: which stores hold something is in the finalizers."""
    return {}
