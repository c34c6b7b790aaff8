"""The status page served with the provider's rights, tenants and stores whose status the test writes, and people who look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from lab.servers import ApiServer, free_port
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.runtime import Runtime
from provider.cluster.transport import Request, Wire
from provider.manifest import meta, rbac
from provider.settings import Settings
from provider.statuspage import server
from tests.integration import in_force
from tests.integration.tenant_world import MANAGER, PROVIDER, VERSION, TenantWorld

RIGHTS = Path(__file__).parents[2] / "config/statuspage/rbac.yaml"
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script> \u202ejavascript:"
PASSWORD = "aHVudGVyMg=="
GIB = 2**30


@dataclass(frozen=True)
class Page:
    """Where it is, and the tokens of those who look."""

    url: str
    server: ApiServer
    admin: Cluster
    mine: str  # a namespace with two tenants
    other: str  # one with a tenant
    asked: list[Request]  # of the API server, by the page

    async def get(self, path: str, token: str = "", method: str = "GET", **headers: str) -> tuple[int, Any, Any]:
        """Status, answer, headers."""
        given = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.url}{path}", headers=given | headers) as answer,
        ):
            json = answer.content_type == "application/json"
            return answer.status, await answer.json() if json else await answer.text(), answer.headers

    async def token(self, name: str, *here: str, everywhere: Iterable[str] = ()) -> str:
        """Of a ServiceAccount that may get and list these resources in its namespace, and those everywhere."""
        await self.admin.apply(meta.new(kinds.SERVICE_ACCOUNT, name, self.mine), manager=MANAGER)
        who, called = {"kind": "ServiceAccount", "name": name, "namespace": self.mine}, f"{self.mine}-{name}"
        for kind, binding, where, resources in (
            (kinds.ROLE, kinds.ROLE_BINDING, self.mine, here),
            (kinds.CLUSTER_ROLE, kinds.CLUSTER_ROLE_BINDING, None, everywhere),
        ):
            rule = {"apiGroups": [names.KAMAJI_GROUP, names.EXTENSION_GROUP, "", "apps"], "verbs": ["get", "list"]}
            rules = [{**rule, "resources": list(resources)}] if resources else []
            await self.admin.apply(meta.new(kind, called, where, rules=rules), manager=MANAGER)
            role = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind.kind, "name": called}
            await self.admin.apply(meta.new(binding, called, where, roleRef=role, subjects=[who]), manager=MANAGER)
        made = await asyncio.to_thread(self.server.kubectl, "create", "token", name, "-n", self.mine)
        return made.stdout.decode().strip()

    async def seen(self, path: str, token: str) -> Any:
        """The answer, once the rights are in force."""
        async with asyncio.timeout(60):
            while (found := await self.get(path, token))[0] == 403:
                await asyncio.sleep(0.2)
        assert found[0] == 200, found[1]
        return found[1]


async def tenant(admin: Cluster, namespace: str, name: str, **status: Any) -> None:
    """One whose status the test writes."""
    spec = {
        "dataStore": "one-of-pages",
        "kubernetes": {"version": VERSION, "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 1}},
    }
    await admin.apply(meta.new(kinds.TENANT_CONTROL_PLANE, name, namespace, spec=spec), manager=MANAGER)
    await tell(admin, namespace, name, **status)


async def tell(admin: Cluster, namespace: str, name: str, ready: bool = True, message: str = "") -> None:
    condition = {
        **{"type": "Ready", "status": "True" if ready else "False", "reason": "Ready" if ready else "PodsNotReady"},
        **{"message": message, "lastTransitionTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"},
    }
    status = {
        "conditions": [condition],
        "observedGeneration": 1,
        "controlPlaneEndpoint": "192.0.2.1:6443",
        "kubernetesResources": {"version": {"version": VERSION, "status": "Ready"}},
        "storage": {"dataStoreName": "one-of-pages", "usage": {"bytes": 5 << 20}},
    }
    await admin.merge(
        kinds.TENANT_CONTROL_PLANE, name, namespace, {"status": status}, subresource="status", manager=MANAGER
    )


async def store(admin: Cluster, name: str, full: float, *users: str) -> None:
    """A DataStore of a pool whose status the test writes."""
    door = {"username": {"content": "cm9vdA=="}, "password": {"content": PASSWORD}}
    spec = {"driver": "NATS", "endpoints": ["192.0.2.1:4222"], "basicAuth": door}
    labels = {names.LABEL_POOL: "pool-of-pages"}
    await admin.apply(meta.new(kinds.DATA_STORE, name, labels=labels, spec=spec), manager=MANAGER)
    status = {
        "ready": True,
        "usedBy": list(users),
        "load": {"quota": 2 * GIB, "inUse": int(2 * GIB * full)},
        "conditions": [],
    }
    await admin.merge(kinds.DATA_STORE, name, None, {"status": status}, subresource="status", manager=MANAGER)


@dataclass
class Recording:
    """A wire that notes what is asked by it."""

    wire: Wire
    asked: list[Request] = field(default_factory=list)

    @property
    def server(self) -> str:
        return self.wire.server

    async def send(self, request: Request) -> bytes:
        self.asked.append(request)
        return await self.wire.send(request)

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        self.asked.append(request)
        return self.wire.stream(request)

    async def close(self) -> None:
        await self.wire.close()


@asynccontextmanager
async def served(hosting: TenantWorld, api_server: ApiServer, namespace: str) -> AsyncIterator[Page]:
    """It is served, with three tenants and two stores to tell of."""
    admin, other = hosting.admin, f"{namespace}-other"
    await admin.apply(meta.new(kinds.NAMESPACE, other), manager=MANAGER)
    for each in yaml.safe_load_all(RIGHTS.read_text()):
        if each["kind"] == "ClusterRole":
            await admin.apply(each, manager=MANAGER)
            bound = rbac.cluster_role_binding("pages", each["metadata"]["name"], {}, rbac.user(PROVIDER))
            await admin.apply(bound, manager=MANAGER)
            await in_force.rights(admin, each, PROVIDER)
    await tenant(admin, namespace, "well")
    await tenant(admin, namespace, "ill", ready=False, message=HOSTILE)
    await tenant(admin, other, "hidden")
    port = {"ports": [{"port": 6443}]}
    label = {names.LABEL_NAME: "ill", names.LABEL_PART: "service"}
    await admin.apply(meta.new(kinds.SERVICE, "ill", namespace, labels=label, spec=port), manager=MANAGER)
    await store(admin, "one-of-pages", 0.4, f"{namespace}/well", f"{namespace}/ill", f"{other}/hidden")
    await store(admin, "two-of-pages", 0.95)
    settings = Settings(status_page_port=free_port())
    recording = Recording(hosting.provider._transport)
    runtime = Runtime(
        cluster=Cluster(recording), settings=settings, leader=asyncio.Event(), clock=lambda: datetime.now(UTC)
    )
    serving = asyncio.create_task(server.serve(runtime))
    found = Page(f"http://127.0.0.1:{settings.status_page_port}", api_server, admin, namespace, other, recording.asked)
    async with asyncio.timeout(30):
        while not serving.done():
            try:
                await found.get("/")
                break
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    yield found
    serving.cancel()
    await asyncio.wait([serving])
    for where, name in ((namespace, "well"), (namespace, "ill"), (other, "hidden")):
        await admin.delete(kinds.TENANT_CONTROL_PLANE, name, where)
    for name in ("one-of-pages", "two-of-pages"):
        await admin.delete(kinds.DATA_STORE, name)
