"""Two certificate authorities: one for members and their clients, one for members among themselves.

They are apart because the first also signs tenants' client certificates (the DataStore rule of upstream Kamaji): under one
authority a tenant's certificate would open the peer port, which knows no users. Neither key is mounted in any pod.

Another one comes when somebody asks, in phases (`hosting.rotation.stores`). One that is lost or of no use is made anew at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from provider.api import kinds
from provider.hosting.desired.pool import ownership
from provider.hosting.rotation import keyring, phases, stores
from provider.hosting.rotation.keyring import Keyring, Ring
from provider.hosting.rotation.phases import Making
from provider.hosting.storeview import PoolView
from provider.manifest import Manifest, meta, x509
from provider.manifest.x509 import Pair


def build(view: PoolView) -> Iterator[Manifest]:
    """A Secret each. What stands is kept as long as it may sign: a new authority would lock out every tenant for a while."""
    for ring in stores.RINGS:
        keys = _keys(view, ring)
        data = meta.secret_data(keyring.written(ring, keys))
        body = {"type": "Opaque", "data": data, "annotations": keyring.noted(keys)}
        yield ownership.namespaced(view, kinds.SECRET, ring.secret(view.name), body)


def _keys(view: PoolView, ring: Ring) -> Keyring:
    """The ring after this pass."""

    def fresh() -> Pair:
        return x509.authority(ring.secret(view.name), view.mint, view.now)

    held = stores.held(view, ring)
    if held is None or not x509.authority_is_usable(held.signer, view.now):
        bundled = ring is stores.CLIENTS and stores.names_bundle(view)
        return Keyring(signer=fresh(), turn=stores.request(view, ring), bundled=bundled)
    making = Making(fresh=fresh, bridge=lambda *_: None, now=view.now)
    return phases.advanced(held, stores.facts(view, ring, held), making)
