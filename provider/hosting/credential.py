"""Secrets of a tenant: their shape, when what they hold is made anew, and what status says of them. Used by the builders.

A leaf is kept while it says what is asked (`manifest.x509.satisfies`) and nobody asked for another by the rotate
annotation, whose empty value means "now" and whose other values are the time at which that was done. The pause annotation on
a Secret stops renewal by time, as upstream has it; what no longer fits is made anew all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from provider.api import kinds, names
from provider.api.credentials.node import Node
from provider.hosting.view import NATS, Store, View
from provider.manifest import Manifest, checksum, lifetime, meta, x509
from provider.manifest.condition import timestamp
from provider.manifest.x509 import Pair, Request

PASSWORD = re.compile(r"[A-Za-z0-9._~-]{16,256}")  # in a URL it stands as it is


def secret(view: View, node: Node, data: Mapping[str, bytes]) -> Manifest:
    """An Opaque Secret of the tenant: what stands in it has its place in the graph of credentials."""
    return noted(view, node, data, obeyed(view, node.secret(view.name), now=True))


def noted(view: View, node: Node, data: Mapping[str, bytes], notes: Mapping[str, str]) -> Manifest:
    """The same, where whoever makes it says which annotations it has, also whether the rotate annotation was obeyed."""
    labels = names.tenant_labels(view.name, node.component)
    if node.lifecycle and data:
        labels[names.LABEL_CERTIFICATE_LIFECYCLE] = node.lifecycle
    annotations = {names.ANNOTATION_CHECKSUM: checksum.of(data), **notes}
    manifest = meta.new(
        kinds.SECRET,
        node.secret(view.name),
        view.namespace,
        labels=labels,
        annotations=annotations,
        type="Opaque",
        data=meta.secret_data(data),
    )
    return meta.owned(manifest, view.raw)


def rotation_asked(view: View, name: str) -> bool:
    """Whether someone asked for new content of this Secret."""
    return _annotations(view, name).get(names.ANNOTATION_ROTATE) == ""


def obeyed(view: View, name: str, *, now: bool) -> dict[str, str]:
    """The rotate annotation after a pass: the time where it was obeyed `now`, else as it stands."""
    value = _annotations(view, name).get(names.ANNOTATION_ROTATE)
    return {} if value is None else {names.ANNOTATION_ROTATE: value or (timestamp(view.now) if now else "")}


def leaf(
    view: View, node: Node, before: Pair | None, request: Request, issuer: Pair, former: Iterable[bytes] = ()
) -> Pair:
    """The pair a Secret holds while it still satisfies the request, else a fresh one.

    `former`: certificates of authorities whose leaves are still good beside the issuer's, though none is made any more.
    """
    name, request = node.secret(view.name), replace(request, life=view.settings.leaf_life)
    issuers = [issuer, *(Pair(certificate=each, key=b"") for each in former)]
    if before is not None and not rotation_asked(view, name) and any(x509.fits(before, request, i) for i in issuers):
        end = x509.end(request, issuer, view.now)
        if paused(view, node) or x509.in_time(before, view.now, early(view), end=end):
            return before
    return x509.issue(request, issuer, view.mint, view.now)


def paused(view: View, node: Node) -> bool:
    """Whether somebody stopped its renewal by time."""
    return names.ANNOTATION_PAUSED in _annotations(view, node.secret(view.name))


def early(view: View) -> float:
    """How much of their lives this tenant's leaves are renewed before two thirds of it."""
    return lifetime.spread(view.tcp.metadata.uid)


def store_password(view: View, store: Store) -> str:
    """What the tenant's user logs in to the store with: what stands, until somebody asks for another. Empty with etcd.

    With NATS it is the DataStore's. What kine would not read as it is written is made anew.
    """
    if not store.kine or store.driver == NATS:
        return store.password
    secret = names.datastore_config_secret(view.name)
    standing = view.secret(secret).get("DB_PASSWORD", b"").decode(errors="replace")
    if PASSWORD.fullmatch(standing) and not rotation_asked(view, secret):
        return standing
    return view.password or view.mint.password()


def held(view: View, node: Node) -> Pair | None:
    """The pair in a Secret; None when either half is missing."""
    data = view.secret(node.secret(view.name))
    certificate, key = node.halves or ("", "")
    if certificate in data and key in data:
        return Pair(certificate=data[certificate], key=data[key])
    return None


def reports(view: View, *nodes: Node) -> dict[str, Any]:
    """The status blocks of these Secrets, each where its node says; of one that is not there nothing."""
    found: dict[str, Any] = {}
    for node in nodes:
        before, inner = view.status, found
        for each in node.status[:-1]:
            before, inner = before.get(each) or {}, inner.setdefault(each, {})
        if block := reported(view, node.secret(view.name), before.get(node.status[-1])):
            inner[node.status[-1]] = block
    return found


def reported(view: View, name: str, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The status block of a Secret: name, checksum, when that changed. Empty while there is no such Secret."""
    data = view.secret(name)
    if not data:
        return {}
    return stamped(view, {"secretName": name, "checksum": checksum.of(data)}, before)


def stamped(view: View, block: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The block with `lastUpdate`: the time it had while nothing in it changed, now otherwise."""
    before = before or {}
    same = "lastUpdate" in before and all(before.get(key) == value for key, value in block.items())
    return {**block, "lastUpdate": before["lastUpdate"] if same else timestamp(view.now)}


def _annotations(view: View, name: str) -> dict[str, str]:
    return meta.annotations_of(view.seen.get(kinds.SECRET, name, view.namespace) or {})
