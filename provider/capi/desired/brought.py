"""Pairs that were there before the control plane: a user's own CA, or those of a tenant that was lost. Called by `reconcile`.

They are put where the hosting room looks for one. A control plane with a CA of its own could never be joined by workers that
trust the one that was brought. An etcd's CA cannot be brought: the store is the DataStore's.
"""

from __future__ import annotations

from collections.abc import Iterator

from provider.api import kinds
from provider.api.verdict import Invalid
from provider.capi.view import CA, PURPOSES, Purpose, View, controller, pair_secret, shared
from provider.manifest import Manifest, meta, pem


def pairs(view: View) -> Iterator[Manifest]:
    """Before the birth: Secrets for the hosting room to find. Invalid when one that a user brought cannot be used."""
    if view.tcp is not None:
        return
    for each in PURPOSES:
        found = view.secrets.get(pair_secret(view.cluster_name, each))
        if found is not None and each.place is not None and (said := _of(view, each, found)):
            name, namespace = each.place(view.place.name), view.place.namespace
            yield meta.new(kinds.SECRET, name, namespace, type="Opaque", data=meta.secret_data(said))


def _of(view: View, purpose: Purpose, found: Manifest) -> dict[str, bytes]:
    """The pair under the hosting room's names; empty when there is nothing to hand on."""
    data, where = meta.decoded(found), f"Secret {view.namespace}/{found['metadata']['name']}"
    owner = controller(found)
    if owner is not None and (owner["uid"] != view.kcp.uid or not _whole(data)):
        return {}  # another's, or ours and damaged
    if not _whole(data):
        raise Invalid(
            "AuthorityIncomplete", f"{where} is the Cluster's own and needs both tls.crt and tls.key: add them"
        )
    if purpose is CA and shared(view):
        return _adopted(data, where)
    # Of what we wrote ourselves while one authority took another's place, the first one is the one with the key.
    certificate = data["tls.crt"] if owner is None else (*pem.blocks(data["tls.crt"]), data["tls.crt"])[0]
    said = {purpose.certificate: certificate, purpose.key: data["tls.key"]}
    return said | ({"tls.crt": certificate, "tls.key": data["tls.key"]} if purpose is CA else {})


def _adopted(data: dict[str, bytes], where: str) -> dict[str, bytes]:
    """Of a tenant called like its Cluster, the brought Secret is in its place, and never written over."""
    if data.get("ca.crt") and data.get("ca.key"):
        return {}
    raise Invalid(
        "AuthorityNotAdopted",
        f"{where} is also where the control plane of the same name keeps its CA, under ca.crt and ca.key: add a copy of"
        " tls.crt and tls.key under these names",
    )


def _whole(data: dict[str, bytes]) -> bool:
    return bool(data.get("tls.crt") and data.get("tls.key"))
