"""A command's way to the management cluster: by the user's kubeconfig, context and namespace, as kubectl reads them."""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cli.trouble import NO_ANSWER, Trouble
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import NotFound
from provider.manifest import Manifest, meta

MANAGER = "kamaji-cli"  # as who it writes


@dataclass(frozen=True, kw_only=True)
class Where:
    """What the user said about where to look. None: as the kubeconfig says."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    everywhere: bool = False


@dataclass(frozen=True, kw_only=True)
class Session:
    """An open connection, and the namespace that a bare name is in."""

    cluster: Cluster
    namespace: str
    everywhere: bool = False

    @property
    def where(self) -> str:
        """For people: where tenants are listed."""
        return "any namespace" if self.everywhere else f"namespace {self.namespace}; -A looks everywhere"

    async def tenant(self, said: str) -> Manifest:
        """The TenantControlPlane that `name` or `namespace/name` means. Trouble when there is none, with what there is."""
        namespace, name = self.named(said)
        found = await self.cluster.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
        if found is None:
            raise Trouble(await self._absent(kinds.TENANT_CONTROL_PLANE, namespace, name))
        return found

    async def asked(self, tenant: Manifest) -> tuple[Kind, Manifest]:
        """Who says what the tenant is: its KamajiControlPlane where Cluster API asks for it, else itself.

        Trouble where that one is in another management cluster: it would take back what is written here.
        """
        metadata = tenant["metadata"]
        if who := meta.labels_of(tenant).get(names.LABEL_CONTROL_PLANE):
            raise Trouble(f"KamajiControlPlane {who} of another management cluster asks for it: say it there")
        for owner in metadata.get("ownerReferences") or ():
            if owner.get("kind") == kinds.KAMAJI_CONTROL_PLANE.kind and owner.get("controller"):
                found = await self.cluster.get(kinds.KAMAJI_CONTROL_PLANE, owner["name"], metadata["namespace"])
                if found is not None:
                    return kinds.KAMAJI_CONTROL_PLANE, found
        return kinds.TENANT_CONTROL_PLANE, tenant

    async def tenants(self) -> list[Manifest]:
        """All of the namespace, or of all namespaces, by namespace and name."""
        found = await self.all(kinds.TENANT_CONTROL_PLANE, None if self.everywhere else self.namespace)
        return sorted(found, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"]))

    async def all(self, kind: Kind, namespace: str | None = None) -> list[Manifest]:
        """Every object of a kind. Trouble when the cluster does not know the kind."""
        try:
            return await self.cluster.list(kind, namespace)
        except NotFound as error:
            raise Trouble(
                f"{self.cluster.server} knows no {kind.kind}: is the provider installed there? (`kamaji doctor`)",
                NO_ANSWER,
            ) from error

    def named(self, said: str) -> tuple[str, str]:
        """Namespace and name of what the user wrote."""
        namespace, slash, name = said.partition("/")
        if not slash:
            return self.namespace, said
        if not namespace or not name or "/" in name:
            raise Trouble(f"{said!r} names no tenant: write NAME or NAMESPACE/NAME")
        return namespace, name

    async def _absent(self, kind: Kind, namespace: str, name: str) -> str:
        there = [each["metadata"]["name"] for each in await self.all(kind, namespace)]
        sentence = f"there is no {kind.kind} {name} in namespace {namespace}"
        if close := difflib.get_close_matches(name, there, 1):
            return f"{sentence}; did you mean {close[0]}?"
        elsewhere = [each["metadata"]["namespace"] for each in await self.all(kind) if each["metadata"]["name"] == name]
        if elsewhere:
            return f"{sentence}, but one in {', '.join(sorted(elsewhere)[:3])}: say -n {min(elsewhere)}"
        return f"{sentence}; `kamaji get -A` lists all there are"


@asynccontextmanager
async def opened(where: Where) -> AsyncIterator[Session]:
    """Connected for as long as the block lasts. Unreachable when the kubeconfig cannot be used."""
    cluster = await connect.from_file(where.kubeconfig, where.context)
    try:
        namespace = where.namespace or connect.namespace_of(where.kubeconfig, where.context)
        yield Session(cluster=cluster, namespace=namespace, everywhere=where.everywhere)
    finally:
        await cluster.close()
