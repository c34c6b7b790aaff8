"""Births: from the creation of a TenantControlPlane to a kubeconfig that works and to a `kubeadm join` that would work.

Joinable is measured as kubeadm sees it: a bootstrap token exists, and cluster-info carries a signature for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.cluster.connect import from_kubeconfig
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta

NAMESPACE = "bench"
PATIENCE = 900.0
NO_ANSWER = 10.0
ADDONS = ("coreDNS", "kubeProxy", "konnectivity")
# Seconds between two looks at anything: each of twenty is looked at a twentieth as often, or looking would take their CPU.
LOOK = 0.05


@dataclass
class Birth:
    """Seconds from creation to each milestone, and what its pods went through."""

    kubeconfig_works: float = 0.0
    joinable: float = 0.0
    restarts: int = 0


@dataclass
class Seen:
    """Of a tenant while others are born: how long each answer took, in seconds, and restarts of its containers."""

    answers: list[float] = field(default_factory=list)
    restarts: int = 0


@dataclass(kw_only=True)
class Births:
    """Makes tenants in a namespace of their own and takes them away again."""

    management: Cluster
    version: str
    count: int = field(default=0)

    async def leave(self) -> None:
        """The namespace goes, and is gone when this returns: whoever comes next makes it anew."""
        await self.management.delete(kinds.NAMESPACE, NAMESPACE)
        async with asyncio.timeout(PATIENCE):
            while await self.management.get(kinds.NAMESPACE, NAMESPACE) is not None:
                await asyncio.sleep(LOOK)

    async def at_once(self, number: int, *, whole: bool = False) -> list[Birth]:
        """So many tenants created in one moment; each one's birth. They are gone afterwards. `whole`: with all add-ons."""
        await self.management.apply(meta.new(kinds.NAMESPACE, NAMESPACE), manager="bench")
        tenants = [self._tenant(whole=whole) for _ in range(number)]
        try:
            return list(await asyncio.gather(*(self._birth(each, LOOK * number) for each in tenants)))
        finally:
            await asyncio.gather(*(self._end(each, LOOK * number) for each in tenants))

    async def beside_one(self, number: int) -> tuple[list[Birth], Seen]:
        """The same, and what is seen meanwhile of a tenant that ran before."""
        async with self.living() as name:
            session, seen = await self.session(name), Seen()
            asking = asyncio.create_task(_asked(session, seen))
            born = await self.at_once(number)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await session.close()
            seen.restarts = await self._restarts(name)
        return born, seen

    @asynccontextmanager
    async def living(self, replicas: int = 1) -> AsyncIterator[str]:
        """A tenant that is joinable, by its name; gone on leaving."""
        await self.management.apply(meta.new(kinds.NAMESPACE, NAMESPACE), manager="bench")
        manifest = self._tenant(replicas=replicas)
        try:
            await self._birth(manifest)
            yield manifest["metadata"]["name"]
        finally:
            await self._end(manifest)

    def _tenant(self, *, whole: bool = False, replicas: int = 1) -> Manifest:
        self.count += 1
        spec = {
            "kubernetes": {"version": self.version, "kubelet": {"cgroupfs": "cgroupfs"}},
            "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": replicas}},
            "networkProfile": {},
            "addons": {each: {} for each in ADDONS if whole},
        }
        return meta.new(kinds.TENANT_CONTROL_PLANE, f"birth-{self.count}", NAMESPACE, spec=spec)

    async def waking(self, runs: int) -> list[float]:
        """Seconds from replicas 0 → 1 to joinable, of one tenant that sleeps and wakes so many times."""
        async with self.living() as name:
            return [await self._waking(name) for _ in range(runs)]

    async def _waking(self, name: str) -> float:
        """The token of its birth is there: what is asked is whether it answers and is signed for, as a join needs."""
        await self._scale(name, 0)
        session = await self.session(name)
        async with asyncio.timeout(PATIENCE):
            while await self.management.list(kinds.POD, NAMESPACE, labels={names.LABEL_NAME: name}):
                await asyncio.sleep(LOOK)
            start = time.monotonic()
            await self._scale(name, 1)
            await _signed(session)
            seconds = time.monotonic() - start
        await session.close()
        return seconds

    async def _scale(self, name: str, replicas: int) -> None:
        patch = {"spec": {"controlPlane": {"deployment": {"replicas": replicas}}}}
        await self.management.merge(kinds.TENANT_CONTROL_PLANE, name, NAMESPACE, patch, manager="bench")

    async def _birth(self, manifest: Manifest, look: float = LOOK) -> Birth:
        birth, start, name = Birth(), time.monotonic(), manifest["metadata"]["name"]
        async with asyncio.timeout(PATIENCE):
            await self.management.create(manifest)
            session = await self.session(name, look)
            await _answers(session, look)
            birth.kubeconfig_works = time.monotonic() - start
            await _signed(session, look)
            birth.joinable = time.monotonic() - start
            await session.close()
        birth.restarts = await self._restarts(name)
        return birth

    async def _restarts(self, name: str) -> int:
        pods = await self.management.list(kinds.POD, NAMESPACE, labels={names.LABEL_NAME: name})
        return sum(c["restartCount"] for p in pods for c in p["status"].get("containerStatuses", ()))

    async def session(self, name: str, look: float = LOOK) -> Cluster:
        """Its administrator's, once the Secret is there; whoever asks for one closes it."""
        while True:
            secret = await self.management.get(kinds.SECRET, names.admin_kubeconfig_secret(name), NAMESPACE)
            if kubeconfig := meta.decoded(secret).get("admin.svc"):
                return await from_kubeconfig(kubeconfig)
            await asyncio.sleep(look)

    async def _end(self, manifest: Manifest, look: float = LOOK) -> None:
        name = manifest["metadata"]["name"]
        await self.management.delete(kinds.TENANT_CONTROL_PLANE, name, NAMESPACE)
        async with asyncio.timeout(PATIENCE):
            while await self.management.list(kinds.POD, NAMESPACE, labels={names.LABEL_NAME: name}):
                await asyncio.sleep(look)


async def _asked(session: Cluster, seen: Seen) -> None:
    """Ask ten times a second, until cancelled; what is no answer counts as the longest that is waited for."""
    while True:
        start = time.monotonic()
        try:
            await session.list(kinds.NAMESPACE)
        except ApiError:
            seen.answers.append(max(NO_ANSWER, time.monotonic() - start))
        else:
            seen.answers.append(time.monotonic() - start)
        await asyncio.sleep(0.1)


async def _answers(session: Cluster, look: float) -> None:
    """The admin's kubeconfig lists namespaces."""
    while True:
        with contextlib.suppress(ApiError):
            await session.list(kinds.NAMESPACE)
            return
        await asyncio.sleep(look)


async def _signed(session: Cluster, look: float = LOOK) -> None:
    """A token is there, and cluster-info is signed for it, as kubeadm's discovery needs (KEP-130)."""
    identity, secret = "abcdef", "0123456789abcdef"
    token = meta.new(
        kinds.SECRET,
        f"bootstrap-token-{identity}",
        "kube-system",
        type="bootstrap.kubernetes.io/token",
        data=meta.secret_data(
            {"token-id": identity, "token-secret": secret, "usage-bootstrap-signing": "true"},
        ),
    )
    made = False
    while True:
        with contextlib.suppress(ApiError):
            if not made:
                await session.apply(token, manager="bench")
                made = True
            info = await session.get(kinds.CONFIG_MAP, "cluster-info", "kube-public")
            if f"jws-kubeconfig-{identity}" in ((info or {}).get("data") or {}):
                return
        await asyncio.sleep(look)
