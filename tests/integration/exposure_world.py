"""A management cluster without nodes or controllers, in which passes over tenants and generators are tried.

What Gateway, load balancer and ingress controllers would say, the tests write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509

from lab import capi_repository
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster.apply import Applier
from provider.cluster.client import Cluster
from provider.cluster.errors import NotFound, TooManyRequests
from provider.cluster.session import Tenants
from provider.hosting.reconcile import drivers
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.kubeconfiggenerator import kubeconfig_generator
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.reconcile.pacing import Starts
from provider.hosting.reconcile.storage import Storage
from provider.hosting.reconcile.tenant import TenantPass
from provider.manifest import Manifest, kubeconfig, meta, rbac
from provider.manifest.condition import find
from provider.settings import Settings
from tests.integration import in_force

CRDS = Path(__file__).parents[2] / "config/crd"
RBAC = Path(__file__).parents[2] / "config/rbac"
PROVIDER = "provider"
MANAGER = "tests"
PATIENCE = 180.0  # seconds; a bound against hanging for ever
GATEWAY_CRDS = ("tlsroutes", "gateways")


def gateway_crds() -> list[Manifest]:
    """Gateway API's own CRDs (standard channel) of the kinds we use."""
    folder = capi_repository.module("gateway-api") / "config" / "crd" / "standard"
    files = [folder / f"gateway.networking.k8s.io_{each}.yaml" for each in GATEWAY_CRDS]
    return [yaml.safe_load(file.read_text()) for file in files]


async def rights(cluster: Cluster) -> None:
    """Give user `provider` what the provider's manifests give it; it is in force."""
    for file in ("hosting", "process"):
        for each in yaml.safe_load_all((RBAC / f"{file}.yaml").read_text()):
            if each["kind"] == "ClusterRole":
                await cluster.apply(each, manager=MANAGER)
                name = each["metadata"]["name"]
                binding = rbac.cluster_role_binding(f"tests-{name}", name, {}, rbac.user(PROVIDER))
                await cluster.apply(binding, manager=MANAGER)
                await in_force.rights(cluster, each, PROVIDER)


async def until(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Look until it is true; the truth."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if seen := await look():
            return seen
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:.0f} s"
        await asyncio.sleep(0.05)


@dataclass
class ExposureWorld:
    """The API server, and passes over tenants in one namespace of it. There is no DataStore: pods are not reached.

    Tests act as administrators, passes as `acting`: with the rights that the provider has, and no others.
    """

    cluster: Cluster
    acting: Cluster
    namespace: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def context(self) -> Context:
        return Context(
            cluster=self.cluster, settings=Settings(), clock=self.now, mint=RandomMint(), dial=drivers.opened
        )

    async def generated(self, name: str) -> float | None:
        """One pass over a KubeconfigGenerator, as a provider that has just started takes it."""
        return await kubeconfig_generator(self.context, name)

    async def passed(self, name: str = "demo") -> Manifest:
        """One pass, as a provider that has just started takes it; the tenant afterwards."""
        context = self.context
        tenant_pass = TenantPass(
            context=context,
            tenants=Tenants(),
            starts=Starts(limit=1, monotonic=time.monotonic, wake=lambda key: None),
            storage=Storage(context),
            applier=Applier(self.acting, names.HOSTING_MANAGER),
        )
        await tenant_pass((self.namespace, name))
        return await self.get(kinds.TENANT_CONTROL_PLANE, name)

    async def tenant(self, name: str = "demo", metadata: dict[str, Any] | None = None, **spec: Any) -> None:
        """Say a tenant as its user: what was said before and is not now is gone."""
        base: dict[str, Any] = {
            "kubernetes": {"version": "v1.36.3", "kubelet": {}},
            "controlPlane": {"service": {"serviceType": "ClusterIP"}},
        }
        base["controlPlane"] |= spec.pop("controlPlane", {})
        manifest = meta.new(kinds.TENANT_CONTROL_PLANE, name, self.namespace, spec={**base, **spec})
        manifest["metadata"] |= metadata or {}
        await self.cluster.apply(manifest, manager=MANAGER)

    async def get(self, kind: Kind, name: str = "demo") -> Manifest:
        found = await self.find(kind, name)
        assert found is not None, f"{kind.kind} {name} does not exist"
        return found

    async def find(self, kind: Kind, name: str = "demo") -> Manifest | None:
        return await self.cluster.get(kind, name, self.namespace if kind.namespaced else None)

    async def secret(self, name: str) -> dict[str, bytes]:
        return meta.decoded(await self.get(kinds.SECRET, name))

    async def say(self, kind: Kind, name: str, status: dict[str, Any], namespace: str | None = None) -> None:
        """Write a status as another controller would."""
        where = namespace or (self.namespace if kind.namespaced else None)
        await self.cluster.merge(kind, name, where, {"status": status}, subresource="status", manager=MANAGER)

    async def versions(self, *wanted: Kind) -> dict[str, str]:
        """resourceVersion of every object of these kinds in the namespace."""
        lists = [await self.cluster.list(kind, self.namespace) for kind in wanted]
        objects = [each for found in lists for each in found]
        return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in objects}

    async def certificate_hosts(self, name: str = "demo") -> set[str]:
        """Names and addresses in the API server's certificate."""
        leaf = x509.load_pem_x509_certificate((await self.secret(names.api_server_secret(name)))["apiserver.crt"])
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = {str(each) for each in found.get_values_for_type(x509.IPAddress)}
        return {*found.get_values_for_type(x509.DNSName), *addresses}

    async def server(self, key: str = "admin.conf", name: str = "demo") -> str:
        return kubeconfig.parse((await self.secret(names.admin_kubeconfig_secret(name)))[key]).server

    async def install_gateway_api(self) -> None:
        for crd in gateway_crds():
            await self.cluster.apply(crd, manager=MANAGER)

        async def served() -> bool:
            try:
                for kind in (kinds.TLS_ROUTE, kinds.GATEWAY):
                    await self.cluster.list(kind, self.namespace)
            except (NotFound, TooManyRequests):  # the latter while its storage is made
                return False
            return True

        await until(served, "Gateway API's kinds are served")

    async def remove_gateway_api(self) -> None:
        for crd in gateway_crds():
            await self.cluster.delete(kinds.CUSTOM_RESOURCE_DEFINITION, crd["metadata"]["name"])

        async def gone() -> bool:
            found = [
                await self.find(kinds.CUSTOM_RESOURCE_DEFINITION, each["metadata"]["name"]) for each in gateway_crds()
            ]
            return not any(found)

        await until(gone, "Gateway API's CRDs are gone")

        async def unserved() -> bool:
            for kind in (kinds.TLS_ROUTE, kinds.GATEWAY):
                try:
                    await self.cluster.list(kind, self.namespace)
                except NotFound:
                    continue
                except TooManyRequests:
                    pass
                return False
            return True

        await until(unserved, "Gateway API's kinds are served no more")


def condition(manifest: Manifest, kind: str) -> tuple[str, str]:
    """Status and reason."""
    found = find((manifest.get("status") or {}).get("conditions"), kind)
    assert found is not None, f"no condition {kind}"
    return found["status"], found["reason"]


def message(manifest: Manifest, kind: str) -> str:
    found = find((manifest.get("status") or {}).get("conditions"), kind)
    assert found is not None, f"no condition {kind}"
    return str(found["message"])
