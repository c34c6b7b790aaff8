"""The pass over one TenantAutoscaler, every half minute: what containers take, what they shall ask for, and pods resized.

What was decided is its status; the tenant's pass reads it for the Deployment. What was seen is in memory: after a restart
of ours nothing is lowered for ten minutes. Called by the room's queue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from provider.api import kinds, names
from provider.api.autoscaler import TenantAutoscaler
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Invalid, Verdict
from provider.cluster.errors import Conflict, Forbidden, NotFound, Refused
from provider.cluster.session import Tenants
from provider.hosting.autoscaling import pods as resizing
from provider.hosting.autoscaling import requests
from provider.hosting.autoscaling.decision import History
from provider.hosting.autoscaling.plan import Loads, Situation
from provider.hosting.autoscaling.requests import CONTAINERS, Amounts
from provider.hosting.desired.deployment import sizes
from provider.hosting.observe import autoscaler as observe
from provider.hosting.reconcile import stating
from provider.hosting.reconcile.context import Context
from provider.hosting.reconcile.pacing import Key
from provider.hosting.status import autoscaler as status
from provider.hosting.status.autoscaler import Outcome
from provider.manifest import Manifest

PAUSE = 30.0  # seconds between two looks
SHORTEST = 10.0  # and at least between them, unless the bounds change
API_SERVER = "kube-apiserver"


@dataclass
class _Record:
    """Of one tenant."""

    histories: dict[tuple[str, str], History] = field(default_factory=dict)  # by container and resource
    process: tuple[float, observe.Process] | None = None  # its API server, and when it was asked
    generation: int = 0  # of what was looked at last
    looked: float = 0.0  # and when


@dataclass
class Autoscaler:
    """All TenantAutoscalers. `monotonic` is in seconds."""

    context: Context
    tenants: Tenants
    monotonic: Callable[[], float]
    shortest: float = SHORTEST
    patience: float = observe.PATIENCE  # for an API server's word of itself
    _records: dict[Key, _Record] = field(default_factory=dict)

    async def __call__(self, key: Key) -> float | None:
        """One pass. Returns seconds after which to look again, None when the object is gone."""
        namespace, name = key
        cluster, now = self.context.cluster, self.context.clock()
        raw = await cluster.get(kinds.TENANT_AUTOSCALER, name, namespace)
        if raw is None or raw["metadata"].get("deletionTimestamp"):
            self._records.pop(key, None)
            return None
        record, generation = self._records.setdefault(key, _Record()), raw["metadata"]["generation"]
        if record.generation == generation and (left := record.looked + self.shortest - self.monotonic()) > 0:
            return left  # what woke us is what we wrote
        fresh, record.generation, record.looked = not record.generation, generation, self.monotonic()
        try:
            outcome = await self._followed(key, TenantAutoscaler.parse(raw), now)
            if fresh and outcome.unmeasured and raw.get("status"):
                return self.shortest  # after a restart of ours the connection comes with the tenant's pass
            wanted = status.of(raw, outcome, now)
        except Verdict as verdict:
            wanted = status.stopped(raw, verdict, now)
        await stating.wanted(cluster, raw, wanted)
        return PAUSE

    async def _followed(self, key: Key, autoscaler: TenantAutoscaler, now: datetime) -> Outcome:
        """Decide, and resize what runs. A verdict says why not."""
        cluster, (namespace, name) = self.context.cluster, key
        tenant = await cluster.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
        if tenant is None:
            raise status.absent(namespace, name)
        tcp = TenantControlPlane.parse(tenant)
        if not tcp.deployment.replicas:
            self._records[key].histories.clear()
            raise status.asleep()
        pods = resizing.running(await cluster.list(kinds.POD, namespace, labels={names.LABEL_NAME: name}))
        hindrance = await observe.hindrance(cluster, pods, now)
        own = {each: sizes.by_itself(tcp, each) for each in CONTAINERS}
        try:
            loads = await self._loads(key, requests.targets(autoscaler, API_SERVER, own[API_SERVER]))
            situation = Situation(autoscaler=autoscaler, own=own, loads=loads, hindrance=hindrance, now=now)
            asked = situation.planned()
            refusal = "" if hindrance else await self._resized(pods, situation.in_place(asked))
        except ValueError as error:
            raise Invalid("ResourcesInvalid", f"spec.controlPlane.deployment.resources: {error}") from None
        return Outcome(
            asked=asked,
            most=situation.most(),
            unmeasured=situation.unmeasured(),
            hindrance=hindrance,
            refusal=refusal,
        )

    async def _loads(self, key: Key, asked: Amounts) -> Loads:
        """By container and resource. `asked`: what the API server asks for now."""
        record = self._records[key]
        taken = await observe.taken(self.context.cluster, *key) or {API_SERVER: await self._by_itself(key, asked)}
        at = self.monotonic()
        return {
            container: {
                name: record.histories.setdefault((container, name), History()).seen(at, value)
                for name, value in amounts.items()
            }
            for container, amounts in taken.items()
            if amounts
        }

    async def _by_itself(self, key: Key, asked: Amounts) -> dict[str, int]:
        """What the API server says it takes; of CPU from the second time on. One without the breath to say so needs twice."""
        record, session = self._records[key], self.tenants.standing(key)
        before, record.process = record.process, None
        if session is None:
            return {}
        try:
            process = await observe.of_itself(session, self.patience)
        except TimeoutError:
            return {"cpu": 2 * asked["cpu"]} if "cpu" in asked else {}
        if process is None:
            return {}
        at, found = self.monotonic(), {"memory": process.memory}
        record.process = at, process
        if before is not None and before[1].started == process.started and at > before[0]:
            found["cpu"] = max(0, round((process.cpu - before[1].cpu) / (at - before[0]) * 1000))
        return found

    async def _resized(self, pods: list[Manifest], wanted: Mapping[str, Manifest]) -> str:
        """Make pods that run ask for it; what an API server said against it."""
        for pod in pods:
            if containers := resizing.resizes(pod, wanted):
                try:
                    await self.context.cluster.resize(pod, containers, manager=names.HOSTING_MANAGER)
                except (NotFound, Conflict):
                    continue  # it is gone, or was written meanwhile: the next look finds it
                except (Refused, Forbidden) as error:
                    return error.message
        return ""
