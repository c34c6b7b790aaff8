"""What signs: the cluster's CA, the front proxy's CA, and the key pair of service-account tokens.

Made once and kept, also when a user brought them. Another one comes only when somebody asks, by annotation, by deleting the
Secret or by putting another pair into it, and then in phases (`hosting.rotation`): both are trusted until all have followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from provider.api import kinds, names
from provider.api.credentials import tenants
from provider.hosting import credential, rotation
from provider.hosting.desired.pki import standing
from provider.hosting.rotation import keyring, phases
from provider.hosting.rotation.keyring import ACCOUNT, CA, FRONT_PROXY, RINGS, Keyring, Ring
from provider.hosting.rotation.phases import Making
from provider.hosting.view import View
from provider.manifest import Manifest, bridge, meta, privatekey, x509
from provider.manifest.x509 import Pair

NAME = "authorities"
COMMON_NAMES = {CA: "kubernetes", FRONT_PROXY: "front-proxy-ca"}


def build(view: View) -> Iterator[Manifest]:
    """Four Secrets. The one with what is trusted comes last: it must not know of an authority that was never kept."""
    held = {ring: _keys(view, ring) for ring in RINGS}
    for ring, keys in held.items():
        secret = _secret(view, ring, keys)
        yield _for_cluster_api(view, secret) if ring is CA else secret
    trusted = {ring.public: keys.trusted for ring, keys in held.items()}
    yield credential.secret(view, tenants.TRUSTED, trusted)


def report(view: View) -> dict[str, Any]:
    """`certificates.{ca,frontProxyCA,sa}`."""
    return credential.reports(view, *(each.node for each in RINGS))


def _for_cluster_api(view: View, secret: Manifest) -> Manifest:
    """Of a tenant that is called like its Cluster, `<t>-ca` is the Secret Cluster API looks for: with its type and label.

    The type of a Secret cannot change, so one that exists keeps its own.
    """
    if meta.labels_of(view.raw).get(names.LABEL_CLUSTER_NAME) != view.name:
        return secret
    existing = view.seen.get(kinds.SECRET, secret["metadata"]["name"], view.namespace)
    labels = {**meta.labels_of(secret), names.LABEL_CLUSTER_NAME: view.name}
    kind = existing.get("type", "Opaque") if existing else names.CLUSTER_SECRET_TYPE
    return {**secret, "type": kind, "metadata": {**secret["metadata"], "labels": labels}}


def _keys(view: View, ring: Ring) -> Keyring:
    """The ring after this pass. Invalid when the pair that stands cannot be used and nobody asks for another."""
    sort = standing.TOKENS if ring is ACCOUNT else standing.AUTHORITY
    making = Making(fresh=partial(_fresh, view, ring), bridge=partial(_bridge, view, ring), now=view.now)
    stands = standing.keys(view, ring, sort)
    if stands is None:
        fresh = Keyring(signer=making.fresh(), turn=rotation.request(view, ring))
        return standing.remembering(view, ring, sort, fresh)
    held = standing.remembering(view, ring, sort, stands)
    return phases.advanced(held, rotation.facts(view, ring, held), making)


def _fresh(view: View, ring: Ring) -> Pair:
    if ring is ACCOUNT:
        key = view.mint.key()
        return Pair(certificate=privatekey.public_key_pem(key), key=privatekey.private_key_pem(key))
    return x509.authority(COMMON_NAMES[ring], view.mint, view.now)


def _bridge(view: View, ring: Ring, to: bytes, former: Pair) -> bytes | None:
    return None if ring is ACCOUNT else bridge.built(to, former, view.mint, view.now)


def _secret(view: View, ring: Ring, keys: Keyring) -> Manifest:
    """The rotate annotation is obeyed when another pair signs, not before: until then it may be taken back."""
    name, before = ring.secret(view.name), rotation.held(view, ring)
    replaced = before is None or before.signer.certificate != keys.signer.certificate
    notes = keyring.noted(keys) | credential.obeyed(view, name, now=replaced)
    return credential.noted(view, ring.node, keyring.written(ring, keys) | _copies(ring, keys), notes)


def _copies(ring: Ring, keys: Keyring) -> dict[str, bytes]:
    """Cluster API reads a CA under the names of a TLS Secret, and takes all that are to be trusted from there."""
    if ring is not CA:
        return {}
    return {"tls.crt": keys.trusted if keys.rotating else keys.signer.certificate, "tls.key": keys.signer.key}
