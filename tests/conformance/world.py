"""A namespace of a real API server in which the tests play everybody but the capi room: users, core and the hosting room.

The capi room's own pass runs with the rights of config/rbac/capi.yaml and nothing else. Nobody collects garbage here.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.servers import ApiServer
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.capi.externalcluster import Hosts
from provider.capi.reconcile import ControlPlanePass
from provider.cluster.apply import Applier
from provider.cluster.client import Cluster
from provider.cluster.events import Recorder
from provider.manifest import Manifest, meta

VERSION = "v1.36.3"
USER, CORE, HOSTING = "user", "capi-cluster", names.HOSTING_MANAGER
NUMBERS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
WATCHED = (kinds.CLUSTER, kinds.KAMAJI_CONTROL_PLANE, kinds.TENANT_CONTROL_PLANE, kinds.SECRET)


def other_pairs(tenant: str) -> dict[str, dict[str, bytes]]:
    """A tenant's pairs beside its CA, as the hosting room keeps them; nobody looks into them here."""
    return {
        names.front_proxy_ca_secret(tenant): {"front-proxy-ca.crt": b"proxy", "front-proxy-ca.key": b"proxy key"},
        names.service_account_secret(tenant): {"sa.pub": b"public", "sa.key": b"private"},
        names.datastore_certificate_secret(tenant): {
            "ca.crt": b"the store's",
            "server.crt": b"client",
            "server.key": b"client's key",
        },
    }


@dataclass(kw_only=True)
class World:
    """One Cluster `c` with its control plane `kcp`, unless a test says other names."""

    server: ApiServer
    everybody: Cluster  # an administrator: users, core and the hosting room
    provider: Cluster
    namespace: str
    tenant: ApiServer | None = None  # the control plane that is hosted; None: the very API server
    gates: frozenset[str] = frozenset()
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __post_init__(self) -> None:
        self._opened: list[Hosts] = []
        self.restart()

    def restart(self, **known: Any) -> None:
        """The provider's process as new: nothing is remembered."""
        applier = Applier(self.provider, names.CAPI_MANAGER)
        events = Recorder(self.provider, "tests")
        hosts = Hosts(self.provider, applier, self.gates)
        self._opened.append(hosts)
        self._pass = ControlPlanePass(
            cluster=self.provider,
            applier=applier,
            hosts=hosts,
            clock=lambda: self.now,
            events=events,
            **known,
        )

    async def close(self) -> None:
        """Close what the passes opened to other management clusters."""
        for each in self._opened:
            await each.close()

    async def reconcile(self, name: str = "kcp") -> float | None:
        """One pass of the capi room."""
        return await self._pass((self.namespace, name))

    # --- what is there

    async def get(self, kind: Kind, name: str) -> Manifest | None:
        return await self.everybody.get(kind, name, self.namespace)

    async def kcp(self, name: str = "kcp") -> Manifest:
        found = await self.get(kinds.KAMAJI_CONTROL_PLANE, name)
        assert found is not None
        return found

    async def tcp(self, name: str = "kcp") -> Manifest:
        found = await self.get(kinds.TENANT_CONTROL_PLANE, name)
        assert found is not None
        return found

    async def secret(self, name: str) -> Manifest:
        found = await self.get(kinds.SECRET, name)
        assert found is not None
        return found

    async def status(self, name: str = "kcp") -> dict[str, Any]:
        return (await self.kcp(name)).get("status") or {}

    async def condition(self, kind: str, name: str = "kcp") -> dict[str, Any]:
        found = {each["type"]: each for each in (await self.status(name)).get("conditions") or ()}
        result: dict[str, Any] = found.get(kind, {})
        return result

    async def versions(self) -> dict[tuple[str, str], str]:
        """Resource version of every object that the capi room could write."""
        objects = [each for kind in WATCHED for each in await self.everybody.list(kind, self.namespace)]
        return {(each["kind"], each["metadata"]["name"]): each["metadata"]["resourceVersion"] for each in objects}

    # --- users

    async def apply(self, kind: Kind, name: str, *, manager: str = USER, **body: Any) -> Manifest:
        return await self.everybody.apply(meta.new(kind, name, self.namespace, **body), manager=manager)

    async def cluster(self, name: str = "c", *, kcp: str | None = "kcp", **spec: Any) -> Manifest:
        """A Cluster that names this control plane."""
        reference = {"apiGroup": names.CONTROL_PLANE_GROUP, "kind": "KamajiControlPlane", "name": kcp}
        said = {"clusterNetwork": {"services": {"cidrBlocks": ["10.96.0.0/16"]}}, **spec}
        said |= {"controlPlaneRef": reference} if kcp else {}
        said = {key: value for key, value in said.items() if value is not None}
        return await self.apply(kinds.CLUSTER, name, spec=said or {"paused": False})

    async def control_plane(self, name: str = "kcp", *, annotations: Any = None, **spec: Any) -> Manifest:
        spec = {"version": VERSION, "network": {"serviceType": "ClusterIP"}, **spec}
        return await self.apply(kinds.KAMAJI_CONTROL_PLANE, name, annotations=annotations, spec=spec)

    async def change(self, kind: Kind, name: str, patch: dict[str, Any], subresource: str | None = None) -> Manifest:
        return await self.everybody.merge(
            kind, name, self.namespace, patch, subresource=subresource, manager=USER if subresource is None else HOSTING
        )

    async def annotate(self, kind: Kind, name: str, annotation: str, value: str | None) -> None:
        await self.change(kind, name, {"metadata": {"annotations": {annotation: value}}})

    async def delete(self, kind: Kind, name: str) -> None:
        assert await self.everybody.delete(kind, name, self.namespace)

    def put(self, manifest: Manifest) -> None:
        """Replace the whole object, as `kubectl edit` does."""
        file = self.server.folder / "edited.json"
        file.write_text(json.dumps(manifest))
        self.kubectl("replace", f"--filename={file}")

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return self.server.kubectl("--namespace", self.namespace, *arguments)

    # --- core

    async def adopt(self, kcp: str = "kcp", cluster: str = "c", *, api: str = kinds.CLUSTER.api_version) -> None:
        """As core does for Clusters without topology: its label, and an owner reference that is no controller's."""
        owner = await self.get(kinds.CLUSTER, cluster)
        assert owner is not None
        reference = {"apiVersion": api, "kind": "Cluster", "name": cluster, "uid": owner["metadata"]["uid"]}
        before = (await self.kcp(kcp))["metadata"].get("ownerReferences") or []
        patch = {"labels": {names.LABEL_CLUSTER_NAME: cluster}, "ownerReferences": [*before, reference]}
        await self.change(kinds.KAMAJI_CONTROL_PLANE, kcp, {"metadata": patch})

    async def born(self, **spec: Any) -> None:
        """Cluster and control plane as a user and core make them, and everything done that there is to do."""
        await self.cluster()
        await self.control_plane(**spec)
        await self.adopt()
        await self.reconcile()
        await self.host()
        await self.reconcile()

    # --- the hosting room

    async def host(
        self,
        name: str = "kcp",
        *,
        version: str | None = VERSION,
        phase: str = "Ready",
        ready: bool = True,
        numbers: tuple[int, int, int] = (2, 2, 2),
        endpoint: str | None = None,
    ) -> None:
        """Make its Secrets and say how the control plane does. `numbers`: pods there, of the wanted spec, ready."""
        tcp = await self.tcp(name)
        await self.hand_out(tcp)
        there, updated, answering = numbers
        counted = dict(zip(NUMBERS, (there, updated, answering, answering), strict=True))
        selector = f"{names.LABEL_NAME}={name}"
        deployment = {"name": name, "namespace": self.namespace, "selector": selector, **counted}
        told = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
        wait = {"type": "Ready", "status": "False", "reason": "PodsStarting", "message": "waiting for the first pod"}
        moment = {"lastTransitionTime": self.now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        status = {
            "observedGeneration": tcp["metadata"]["generation"],
            "conditions": [(told if ready else wait) | moment],
            "controlPlaneEndpoint": endpoint or self._hosted.url.removeprefix("https://"),
            "kubeconfig": {"admin": {"secretName": names.admin_kubeconfig_secret(name)}},
            "certificates": {
                "ca": {"secretName": names.ca_secret(name)},
                "frontProxyCA": {"secretName": names.front_proxy_ca_secret(name)},
                "sa": {"secretName": names.service_account_secret(name)},
            },
            "storage": {"certificate": {"secretName": names.datastore_certificate_secret(name)}},
            "kubernetesResources": {"version": {"version": version, "status": phase}, "deployment": deployment},
        }
        await self.change(kinds.TENANT_CONTROL_PLANE, name, {"status": status}, "status")

    async def hand_out(self, tcp: Manifest) -> None:
        """The tenant's pairs and admin kubeconfig. CA and kubeconfig are those of a real API server, so that they work.

        What is there already is kept, as the hosting room does.
        """
        name, pair = tcp["metadata"]["name"], self._hosted.authority.pair
        ca = {"ca.crt": pair.certificate, "ca.key": pair.key, "tls.crt": pair.certificate, "tls.key": pair.key}
        shared = meta.labels_of(tcp).get(names.LABEL_CLUSTER_NAME) == name
        like_a_clusters = {"labels": {names.LABEL_CLUSTER_NAME: name}, "type": names.CLUSTER_SECRET_TYPE}
        made = {
            names.ca_secret(name): ca,
            names.admin_kubeconfig_secret(name): self._kubeconfigs(),
            **other_pairs(name),
        }
        kept = [*other_pairs(name), names.ca_secret(name)]
        for secret, fresh in made.items():
            there = await self.get(kinds.SECRET, secret) if secret in kept else None
            data = meta.decoded(there) or fresh
            body = like_a_clusters if shared and secret == names.ca_secret(name) else {"type": "Opaque"}
            found = meta.new(kinds.SECRET, secret, self.namespace, data=meta.secret_data(data), **body)
            await self.everybody.apply(meta.owned(found, tcp), manager=HOSTING)

    def _kubeconfigs(self) -> dict[str, bytes]:
        return {"admin.conf": self._hosted.kubeconfig("kubernetes-admin", "system:masters")}

    @property
    def _hosted(self) -> ApiServer:
        return self.tenant or self.server
