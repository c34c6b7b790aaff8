"""A tenant of two replicas with everything that holds a credential of it, for the tests that rotate it all.

Workers behind a wall, a pod with a projected token, a webhook, an aggregated API, the tunnel, and clients of each kind.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab import images
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta, pem
from provider.manifest.condition import find
from tests.e2e import served
from tests.e2e.conftest import condition, tenant, tenant_session, until, until_condition
from tests.e2e.proving import Client, Identity, Question, Session, get
from tests.e2e.walled import Worker

NAME = "turned"
SIGNED_FOR = "--cluster-signing-duration=3m"
TOKEN_LIFE = 600  # seconds; Kubernetes' least
POD = "holder"  # uses a projected token
FOLDER = "/var/lib/kubelet"
AGNHOST = next(each["name"] for each in images.document()["image"] if each["program"] == "agnhost")
LONG = 600.0  # seconds; a bound against hanging for ever
EXEC_PAUSE = 1.0  # seconds: each starts a process in a container, which ten times a second is a load of its own
RINGS = {
    "certificate authority": (names.ANNOTATION_ROTATE_CA, names.ca_secret, "ca.crt"),
    "front proxy's authority": (
        names.ANNOTATION_ROTATE_FRONT_PROXY_CA,
        names.front_proxy_ca_secret,
        "front-proxy-ca.crt",
    ),
    "service-account key": (names.ANNOTATION_ROTATE_SERVICE_ACCOUNT_KEY, names.service_account_secret, "sa.pub"),
}
"""What signs → annotation that asks for another, Secret, key of who signs."""
LEAVES = (
    names.api_server_secret,
    names.kubelet_client_secret,
    names.front_proxy_client_secret,
    names.admin_kubeconfig_secret,
    names.controller_manager_kubeconfig_secret,
    names.scheduler_kubeconfig_secret,
    names.konnectivity_certificate_secret,
    names.datastore_certificate_secret,
)


def plane(namespace: str, *, labels: dict[str, str] | None = None) -> Manifest:
    deployment = {"replicas": 2, "extraArgs": {"controllerManager": [SIGNED_FOR]}}
    place = {"service": {"serviceType": "LoadBalancer"}, "deployment": deployment}
    made = tenant(NAME, namespace, controlPlane=place, addons={"konnectivity": {"server": {"port": 8132}}})
    made["metadata"]["labels"] = labels or {}
    return made


@dataclass(frozen=True)
class Turned:
    """The tenant, as its user and the management cluster's see it."""

    management: Cluster
    session: Cluster
    namespace: str
    server: str
    workers: tuple[Worker, ...]
    holder: Manifest

    # What is asked for

    async def ask_for(self, annotations: dict[str, str]) -> None:
        patch = {"metadata": {"annotations": annotations}}
        await self.management.merge(kinds.TENANT_CONTROL_PLANE, NAME, self.namespace, patch, manager="e2e")

    async def renew(self, secret: str) -> None:
        """Upstream's way to ask for another leaf."""
        patch = {"metadata": {"annotations": {names.ANNOTATION_ROTATE: ""}}}
        await self.management.merge(kinds.SECRET, secret, self.namespace, patch, manager="e2e")

    async def wake(self) -> None:
        """No event tells of nodes, so the provider would look within ten minutes."""
        await self.ask_for({"e2e/now": datetime.now(UTC).isoformat(timespec="seconds")})

    # What is seen

    async def secret(self, name: str) -> dict[str, bytes]:
        return meta.decoded(await self.management.get(kinds.SECRET, name, self.namespace))

    async def signer(self, ring: str) -> bytes:
        _, secret, key = RINGS[ring]
        return pem.blocks((await self.secret(secret(NAME)))[key])[0]

    async def told(self) -> dict[str, Any]:
        return await condition(self.management, NAME, self.namespace, "RotationComplete")

    async def settled(self) -> bool:
        """Whether every pod there is was started with what is wanted now, and serves."""
        found = await self.management.get(kinds.DEPLOYMENT, NAME, self.namespace)
        status, wanted = (found or {}).get("status") or {}, (found or {})["spec"]["replicas"]
        counts = [status.get(each, 0) for each in ("replicas", "readyReplicas", "updatedReplicas")]
        fresh = status.get("observedGeneration") == (found or {})["metadata"]["generation"]
        labels = {names.LABEL_NAME: NAME, names.LABEL_COMPONENT: "deployment"}
        pods = await self.management.list(kinds.POD, self.namespace, labels=labels)
        return fresh and counts == [wanted] * 3 and len(pods) == wanted

    async def until_settled(self) -> None:
        await until(self.settled, "all pods are of one template", LONG)

    async def renewed(self, secret: str) -> None:
        """Another leaf stands in the Secret, and every pod runs with it."""
        before = await self.secret(secret)
        await self.renew(secret)

        async def other() -> bool:
            return await self.secret(secret) != before

        await until(other, f"Secret {secret} is made anew")
        await self.until_settled()

    async def signed(self, *rings: str) -> None:
        """Another signs for each of these, after it was asked for."""
        before = {each: await self.signer(each) for each in rings}
        turn = datetime.now(UTC).isoformat()
        await self.ask_for({RINGS[each][0]: turn for each in rings})

        async def others() -> bool:
            return all([await self.signer(each) != before[each] for each in rings])

        await until(others, f"another signs: {', '.join(rings)}", LONG)
        await self.until_settled()

    async def completed(self, *rings: str) -> None:
        """The former ones go, once every node has followed; people with copies are not waited for."""

        async def followed() -> bool:
            await self.wake()
            return (await self.told()).get("reason") not in ("Preparing", "Signing", "NodesBehind", "NodesUnknown")

        await until(followed, "every node has followed", LONG)
        called = [pem.fingerprint(await self.signer(each)) for each in rings]
        await self.ask_for({names.ANNOTATION_COMPLETE_ROTATION: ",".join(called)})

        async def over() -> bool:
            said = (await self.told()).get("message", "")
            return not any(each in said for each in called)

        await until(over, f"the former ones are dropped: {', '.join(rings)}", LONG)
        await self.until_settled()

    # Who asks

    def clients(self, pause: float) -> list[Client]:
        """One of each kind, which asks each so many seconds."""
        node = self.workers[0].machine.name
        questions: list[tuple[str, Any, Question]] = [
            ("administrator", self._admin, get("/api/v1/namespaces/default")),
            ("controller manager", self._component("controller-manager"), get("/api/v1/nodes?limit=1")),
            ("scheduler", self._component("scheduler"), get("/api/v1/nodes?limit=1")),
            ("kubelet", self._kubelet, get(f"/api/v1/nodes/{node}")),
            ("in-cluster client", self._projected, get("/api")),
        ]
        tunnelled: list[tuple[str, Any, Question]] = [
            ("aggregated API", self._admin, get(f"/apis/{served.GROUP}/v1")),
            ("webhook", self._admin, _judged),
            ("logs through the tunnel", self._admin, get(_log(self.pod))),
        ]
        asking = [self._client(*each, pause=pause) for each in questions]
        asking += [self._client(*each, pause=pause, tunnelled=True) for each in tunnelled]
        slower = max(pause, EXEC_PAUSE)
        return [*asking, self._client("kubectl exec", self._admin, _ran(self.pod), pause=slower, tunnelled=True)]

    async def copied(self) -> Client:
        """Somebody who fetched the administrator's kubeconfig once, and never looks again."""
        once = await self._admin()

        async def look() -> Identity:
            return once

        return self._client("copied kubeconfig", look, get("/api/v1/namespaces/default"))

    @property
    def pod(self) -> str:
        return str(self.holder["metadata"]["name"])

    def _client(self, name: str, look: Any, question: Question, **also: Any) -> Client:
        return Client(name=name, server=self.server, look=look, question=question, **also)

    async def _admin(self) -> Identity:
        return Identity.of((await self.secret(names.admin_kubeconfig_secret(NAME)))["admin.conf"])

    def _component(self, component: str) -> Any:
        async def look() -> Identity:
            data = await self.secret(f"{NAME}-{component}-kubeconfig")
            return Identity.of(data[f"{component}.conf"])

        return look

    async def _kubelet(self) -> Identity:
        ca, pair = await asyncio.gather(
            self._read(self.workers[0], "/etc/kubernetes/pki/ca.crt"),
            self._read(self.workers[0], f"{FOLDER}/pki/kubelet-client-current.pem"),
        )
        return Identity(ca=ca, certificate=pair)

    async def _projected(self) -> Identity:
        """As the pod's kubelet has put it into the pod's volume."""
        volume = f"{FOLDER}/pods/{self.holder['metadata']['uid']}/volumes/kubernetes.io~projected/access"
        where = next(each for each in self.workers if each.machine.name == self.holder["spec"]["nodeName"])
        ca, token = await asyncio.gather(self._read(where, f"{volume}/ca.crt"), self._read(where, f"{volume}/token"))
        return Identity(ca=ca, token=token.decode())

    @staticmethod
    async def _read(worker: Worker, path: str) -> bytes:
        done = await asyncio.to_thread(worker.machine.exec, ("cat", path), stdin=b"", timeout=30)
        assert done.returncode == 0, f"{path} of {worker.machine.name}: {done.stderr.decode()}"
        return done.stdout


async def _judged(session: Session) -> None:
    """The webhook was asked: it denies what is marked."""
    path = "/api/v1/namespaces/default/configmaps?dryRun=All"
    said = await session.post(path, served.marked("never"))
    assert served.DENIAL in said, said[:300]


def _log(pod: str) -> str:
    return f"/api/v1/namespaces/default/pods/{pod}/log?tailLines=1"


def _ran(pod: str) -> Question:
    words = urllib.parse.urlencode([("command", "/agnhost"), ("command", "--help"), ("stdout", "1"), ("stderr", "1")])

    async def ask(session: Session) -> None:
        assert "netexec" in await session.ran(f"/api/v1/namespaces/default/pods/{pod}/exec?{words}")

    return ask


def holder(node: str) -> Manifest:
    """A pod that is given a short token and whom to trust, as every pod is."""
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_LIFE}}
    ca = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
    container = {
        "name": "c",
        "image": AGNHOST,
        "args": ["netexec", "--http-port=8080", "--udp-port=-1"],
        "volumeMounts": [{"name": "access", "mountPath": "/access", "readOnly": True}],
    }
    spec = {
        "nodeName": node,
        "containers": [container],
        "volumes": [{"name": "access", "projected": {"sources": [token, ca]}}],
        "terminationGracePeriodSeconds": 0,
    }
    return meta.new(kinds.POD, POD, "default", spec=spec)


@asynccontextmanager
async def built(
    management: Cluster, namespace: str, *, workers: int = 2, labels: dict[str, str] | None = None
) -> AsyncIterator[Turned]:
    """All of it runs; its machines are gone afterwards."""
    manifest = plane(namespace, labels=labels)
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    found = await management.get(kinds.TENANT_CONTROL_PLANE, NAME, namespace)
    assert found is not None
    endpoint = found["status"]["controlPlaneEndpoint"]
    session = await tenant_session(management, NAME, namespace)
    short = namespace.removeprefix("e2e-")
    machines = tuple(Worker.called(f"turned-{number}-{short}") for number in range(workers))
    try:
        async with asyncio.TaskGroup() as joining:
            for each in machines:
                joining.create_task(each.join(session, endpoint))
        for each in [*served.manifests(), holder(machines[0].machine.name)]:
            await session.apply(each, manager="e2e")
        await until_condition(management, manifest, "KonnectivityReady", reason="TunnelWorks")
        await until(lambda: _runs(session), "the pods run")
        pod = await session.get(kinds.POD, POD, "default")
        assert pod is not None
        turned = Turned(management, session, namespace, f"https://{endpoint}", machines, pod)
        await until(lambda: _answers(turned), "the webhook, the aggregated API and the tunnel answer")
        yield turned
    finally:
        await session.close()
        for each in machines:
            await each.end()


async def _runs(session: Cluster) -> bool:
    found = [await session.get(kinds.POD, each, "default") for each in (POD, served.NAME)]
    return all(
        (find(((each or {}).get("status") or {}).get("conditions"), "Ready") or {}).get("status") == "True"
        for each in found
    )


async def _answers(turned: Turned) -> bool:
    """A dozen times in turn, whichever API server it is."""
    for _ in range(12):
        try:
            assert served.GROUP in await turned.session.text(f"/apis/{served.GROUP}/v1")
            await turned.session.text(_log(POD))
            await turned.session.create(served.marked("never"))
        except ApiError as error:
            if served.DENIAL not in str(error):
                return False
        except AssertionError:
            return False
    return True
