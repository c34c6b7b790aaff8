"""The Cluster's Secrets as Cluster API's contract names them: `<cluster>-kubeconfig`, `-ca`, `-proxy`, `-sa` and `-etcd`.

They carry the type and the label that managers' caches look for, and are controlled by the KamajiControlPlane. A Secret of
another type is the user's own and is left alone (contract v1beta2, cluster certificates), and so is a pair that nobody controls
and that says something else. When the TenantControlPlane is called like the Cluster, the hosting room's own `<t>-ca` is
`<cluster>-ca` already, with type and label; upstream's operator gives it no label, so it gets it here.
"""

from __future__ import annotations

from collections.abc import Iterator

from provider.api import kinds, names
from provider.api.verdict import Invalid, NotReady, Verdict
from provider.capi.view import (
    CA,
    PURPOSES,
    Purpose,
    View,
    ca_secret,
    controller,
    kubeconfig_secret,
    pair_secret,
    shared,
)
from provider.manifest import Manifest, kubeconfig, meta
from provider.manifest.kubeconfig import Kubeconfig

WAITING = "WaitingForCertificates"


def build(view: View) -> Iterator[Manifest]:
    """Those that are ours to write. NotReady while the hosting room has not made what they are made of."""
    key = _source_key(view)
    if not view.admin or not view.authority.get("ca.crt") or not view.authority.get("ca.key"):
        raise NotReady(WAITING, "waiting for the TenantControlPlane's kubeconfig and CA")
    if key not in view.admin:
        raise NotReady(WAITING, f"the TenantControlPlane's admin kubeconfig Secret has no key {key} (yet)")
    if _ours(view, kubeconfig_secret(view.cluster_name)):
        yield _secret(view, kubeconfig_secret(view.cluster_name), {"value": _kubeconfig(view, view.admin[key])})
    yield from _label(view)
    for each in PURPOSES:
        name, data = pair_secret(view.cluster_name, each), pair(view, each)
        if data and not (each is CA and shared(view)) and _ours(view, name, data):
            yield _secret(view, name, data)


def _label(view: View) -> Iterator[Manifest]:
    """What Cluster API's caches look for, on a CA Secret of both rooms that lacks it; nothing else of it is ours."""
    name = ca_secret(view.cluster_name)
    found = view.secrets.get(name)
    if shared(view) and found is not None and names.LABEL_CLUSTER_NAME not in meta.labels_of(found):
        yield meta.new(kinds.SECRET, name, view.namespace, labels={names.LABEL_CLUSTER_NAME: view.cluster_name})


def fault(view: View) -> Verdict | None:
    """Why workers could not join with the Secrets that are there; None when they could."""
    return _fault_of_kubeconfig(view) or _fault_of_authority(view)


def concern(view: View) -> Verdict | None:
    """What is wrong with the other pairs, by which no worker joins; None when nothing is."""
    for each in PURPOSES:
        name, data = pair_secret(view.cluster_name, each), pair(view, each)
        found = view.secrets.get(name)
        if each is CA or not data or found is None:
            continue
        signing = view.authorities[each.name][each.certificate]
        if _plain(signing) not in _plain(meta.decoded(found).get("tls.crt", b"")):
            return Invalid(
                "AuthorityMismatch",
                f"Secret {view.namespace}/{name} is not what the control plane uses and is left alone: delete it to have it"
                " made anew",
            )
        if error := _fault_of_owner(view, name):
            return error
    return None


def pair(view: View, purpose: Purpose) -> dict[str, bytes]:
    """The pair as Cluster API calls its halves; empty while the hosted control plane has none.

    While an authority takes another's place, tls.crt is the bundle of both; the one that tls.key belongs to comes first.
    """
    held = view.authorities.get(purpose.name) or {}
    halves = {"tls.crt": purpose.certificate} | ({"tls.key": purpose.key} if purpose.key else {})
    if not all(map(held.get, halves.values())):
        return {}
    bundle = {"tls.crt": held[purpose.bundle]} if purpose.bundle in held else {}
    return {ours: held[theirs] for ours, theirs in halves.items()} | bundle


def _source_key(view: View) -> str:
    """Which of the hosting room's admin kubeconfigs: admin.conf names `advertiseAddress`, which only the nodes may reach.

    admin.svc names the Service, which has no meaning in another management cluster.
    """
    inside = "admin.svc" if view.kcp.spec.network.advertise_address and not view.place.elsewhere else "admin.conf"
    return meta.annotations_of(view.raw).get(names.ANNOTATION_KUBECONFIG_SECRET_KEY) or inside


def _ours(view: View, name: str, data: dict[str, bytes] | None = None) -> bool:
    """Whether we may write it: nobody's yet, or of Cluster API's type and under no other controller.

    A pair (`data`) that nobody controls is taken back when it says what we would say; else somebody brought it.
    """
    found = view.secrets.get(name)
    if found is None:
        return True
    if found.get("type") != names.CLUSTER_SECRET_TYPE:
        return False
    if (owner := controller(found)) is not None:
        return bool(owner["uid"] == view.kcp.uid)
    return data is None or data.items() <= meta.decoded(found).items()


def _fault_of_kubeconfig(view: View) -> Verdict | None:
    name = kubeconfig_secret(view.cluster_name)
    found, where = view.secrets.get(name), f"Secret {view.namespace}/{name}"
    if found is None:
        return NotReady(WAITING, f"waiting for {where}")
    if meta.decoded(found).get("value"):
        return _fault_of_owner(view, name)
    return Invalid(
        "KubeconfigMissing", f"{where} is not ours and has no kubeconfig under `value`: add it, or delete it"
    )


def _fault_of_authority(view: View) -> Verdict | None:
    name = ca_secret(view.cluster_name)
    found, where = view.secrets.get(name), f"Secret {view.namespace}/{name}"
    if found is None:
        return NotReady(WAITING, f"waiting for {where}")
    data, ca = meta.decoded(found), view.authority.get("ca.crt", b"")
    if not data.get("tls.crt") or not data.get("tls.key"):
        return Invalid("AuthorityIncomplete", f"{where} needs both tls.crt and tls.key: add them, or delete it")
    if _plain(ca) not in _plain(data["tls.crt"]):  # it may be a bundle
        return Invalid(
            "AuthorityMismatch",
            f"{where} is not the CA of the control plane, so no worker can join: delete it to have it made anew",
        )
    return None if shared(view) else _fault_of_owner(view, name)


def _fault_of_owner(view: View, name: str) -> Verdict | None:
    found = view.secrets[name]
    owner = controller(found)
    if found.get("type") != names.CLUSTER_SECRET_TYPE or owner is None or owner["uid"] == view.kcp.uid:
        return None
    return Invalid(
        "SecretTaken",
        f"Secret {view.namespace}/{name} is controlled by {owner['kind']} {owner['name']} ({owner['uid']}) and is left"
        " alone: delete it to have it made anew",
    )


def _plain(text: bytes) -> bytes:
    return b"".join(text.split())


def _kubeconfig(view: View, content: bytes) -> bytes:
    """The hosting room's admin kubeconfig under the names that Cluster API's tools look for."""
    try:
        source = kubeconfig.parse(content)
    except ValueError as error:
        raise Invalid("KubeconfigUnreadable", "the TenantControlPlane's admin kubeconfig cannot be read") from error
    cluster, user = view.cluster_name, f"{view.cluster_name}-admin"
    return Kubeconfig(
        cluster=cluster,
        server=source.server,
        ca=source.ca,
        user=user,
        client=source.client,
        context=f"{user}@{cluster}",
    ).render()


def _secret(view: View, name: str, data: dict[str, bytes]) -> Manifest:
    labels = {names.LABEL_CLUSTER_NAME: view.cluster_name}
    body = meta.new(
        kinds.SECRET, name, view.namespace, labels=labels, type=names.CLUSTER_SECRET_TYPE, data=meta.secret_data(data)
    )
    return meta.owned(body, view.raw)
