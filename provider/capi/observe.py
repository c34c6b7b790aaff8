"""Reads what a pass over a KamajiControlPlane needs. Beside `externalcluster`, the only module of the room that lists and gets.

Called by `reconcile`, which says where the control plane is hosted.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.capi import infra
from provider.capi.externalcluster import Host
from provider.capi.model import Cluster, KamajiControlPlane
from provider.capi.view import (
    PURPOSES,
    Infrastructure,
    Place,
    View,
    controller,
    has_arrived,
    is_ours,
    kubeconfig_secret,
    pair_secret,
)
from provider.cluster import client
from provider.cluster.errors import Forbidden, NotFound
from provider.manifest import Manifest, meta


async def owner(cluster: client.Cluster, raw: Manifest) -> Manifest | None:
    """The Cluster that owns the object, in the version that is served first; None without one, or where its kind is unknown."""
    if not (name := owner_name(raw)):
        return None
    try:
        kind = await cluster.discover(names.CAPI_GROUP, kinds.CLUSTER.kind)
    except NotFound:
        return None
    return await cluster.get(kind, name, raw["metadata"]["namespace"])


def owner_name(raw: Manifest) -> str | None:
    """Name of the Cluster that owns the object. Owners of other kinds, such as the topology's shim Secret, do not count."""
    for each in raw["metadata"].get("ownerReferences") or ():
        group = each["apiVersion"].rpartition("/")[0]
        if each["kind"] == "Cluster" and group == names.CAPI_GROUP:
            return str(each["name"])
    return None


def sketch(raw: Manifest, owner: Manifest, now: datetime) -> View:
    """What is known without asking anybody, also not the cluster that hosts the control plane."""
    kcp = KamajiControlPlane.parse(raw)
    place = Place(namespace=kcp.namespace, name=kcp.name)
    return View(kcp=kcp, raw=raw, cluster=Cluster.parse(owner), place=place, now=now)


async def view(cluster: client.Cluster, host: Host, raw: Manifest, owner: Manifest, now: datetime) -> View:
    """The view at the start of a pass. ApiError when the management cluster does not answer, CutOff when the host does not."""
    known, tcp = sketch(raw, owner, now), host.tcp
    wanted = (kubeconfig_secret(known.cluster_name), *(pair_secret(known.cluster_name, each) for each in PURPOSES))
    secrets = await asyncio.gather(*(cluster.get(kinds.SECRET, each, known.namespace) for each in wanted))
    with host.reading():
        admin, *authorities = await _of_tenant(host.cluster, tcp)
    found = replace(
        known,
        place=host.place,
        tcp=tcp,
        admin=meta.decoded(admin),
        authorities={each.name: meta.decoded(data) for each, data in zip(PURPOSES, authorities, strict=True)},
        secrets={each["metadata"]["name"]: each for each in secrets if each is not None},
    )
    if tcp is not None and not is_ours(raw, tcp) and not has_arrived(found):
        # Nothing that another's says is ours to hand out.
        found = replace(found, tcp=None, admin={}, authorities={}, taken=_owner_of(tcp))
    return await _with_infrastructure(cluster, found)


def _owner_of(manifest: Manifest) -> str:
    if uid := meta.labels_of(manifest).get(names.LABEL_CONTROL_PLANE_UID):
        return f"a KamajiControlPlane of another management cluster ({uid})"
    owner = controller(manifest)
    return f"{owner['kind']} {owner['name']} ({owner['uid']})" if owner else "nobody we know of"


async def _of_tenant(cluster: client.Cluster, tcp: Manifest | None) -> list[Manifest | None]:
    """The Secrets that the TenantControlPlane's status names: the admin kubeconfig, and one of each purpose."""
    status = (tcp or {}).get("status") or {}
    blocks = [("kubeconfig", "admin"), *(each.block for each in PURPOSES)]
    found = [(status.get(group) or {}).get(key) or {} for group, key in blocks]
    namespace = (tcp or {}).get("metadata", {}).get("namespace", "")

    async def one(name: str | None) -> Manifest | None:
        return await cluster.get(kinds.SECRET, name, namespace) if name else None

    return list(await asyncio.gather(*(one(each.get("secretName")) for each in found)))


async def _with_infrastructure(cluster: client.Cluster, found: View) -> View:
    """With the infrastructure object, where there is the right to read it: for kinds of the table, and those a user adds.

    What cannot be read holds up nothing: the control plane does not wait for it.
    """
    row, reference = infra.row_of(found), found.cluster.spec.infrastructure_ref
    if row is None or reference is None:
        return found
    try:
        kind: Kind = await cluster.discover(row.group, reference.kind)
        seen = await cluster.get(kind, reference.name, found.namespace)
    except (Forbidden, NotFound) as error:
        return found.seeing(Infrastructure(unreadable=str(error)))
    return found.seeing(Infrastructure(object=seen, endpoint=infra.endpoint(row, seen)))
