"""Where control planes are hosted: in this management cluster, or in another one, reached by a kubeconfig in a Secret.

The pass asks `Hosts.of`. A connection is shared by all that refer to the same key of a Secret and the same namespace over
there, and stands for as long as one does; when the Secret changes it is made anew. Beside it go two watches, of the Secret
here and of the TenantControlPlanes there, which wake the passes of those who refer to them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from provider.api import kinds, names
from provider.api.verdict import Verdict
from provider.capi.model.hosted import ExternalClusterReference
from provider.capi.view import Place
from provider.cluster import connect
from provider.cluster.apply import Applier
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError, Forbidden, NotFound, Unauthorized, Unreachable
from provider.manifest import Manifest, meta
from provider.settings import EXTERNAL_CLUSTER, EXTERNAL_CLUSTER_CROSS_NAMESPACE

Key = tuple[str, str]
"""(namespace, name) of a KamajiControlPlane."""

RETRY = 30.0  # seconds after which another cluster that did not answer is asked again
SILENCE = 20.0  # seconds in which it is not asked at all: of a hundred control planes one finds out
LINGER = 15.0  # seconds; longer than any request may take
RIGHTS = "config/externalcluster/access.yaml"


class CutOff(Verdict):
    """The other management cluster cannot be asked. `again`: seconds until it is worth a try, None when something will tell."""

    def __init__(self, reason: str, message: str, again: float | None = None) -> None:
        super().__init__(reason, message)
        self.again = again


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What stands in a spec, with its defaults. `own`: whether the Secret is in the control plane's own namespace."""

    secret: str
    key: str
    namespace: str
    deployment: str
    own: bool

    @property
    def access(self) -> str:
        """The Secret, for people."""
        return f"{self.namespace}/{self.secret}"


@dataclass(eq=False)
class Far:
    """Another management cluster, as one or more control planes refer to it."""

    reference: Reference
    users: set[Key] = field(default_factory=set)
    cluster: Cluster | None = None
    applier: Applier | None = None
    identity: str = ""  # of the kubeconfig that the connection was made of
    silent: CutOff | None = None
    until: float = 0.0  # of the loop's clock
    following: asyncio.Task[None] | None = None  # the Secret
    watching: asyncio.Task[None] | None = None  # the TenantControlPlanes
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def cut_off(self, error: ApiError) -> CutOff:
        """What the answer means, and what to do."""
        where = f"the management cluster of Secret {self.reference.access}"
        match error:
            case Unauthorized():
                said = CutOff("ExternalClusterRefuses", f"{where} does not know us: renew its kubeconfig", RETRY)
            case Forbidden():
                advice = f"give its user the rights of {RIGHTS} in namespace {self.reference.deployment}"
                said = CutOff("ExternalClusterForbids", f"{where} says: {error}: {advice}", RETRY)
            case NotFound():
                advice = f"install Kamaji there, and make namespace {self.reference.deployment}"
                said = CutOff("ExternalClusterLacks", f"{where} says: {error}: {advice}", RETRY)
            case _:
                said = CutOff("ExternalClusterUnreachable", f"{where}: {error}", RETRY)
                self.silent, self.until = said, asyncio.get_running_loop().time() + SILENCE
        return said


@dataclass(frozen=True, kw_only=True)
class Host:
    """Where a control plane is hosted, what stands there under its name, and who applies there."""

    cluster: Cluster
    applier: Applier
    place: Place
    tcp: Manifest | None
    far: Far | None = None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """An answer of the other cluster that is no success is CutOff; one of this cluster stays what it is."""
        try:
            yield
        except ApiError as error:
            if self.far is None:
                raise
            raise self.far.cut_off(error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The same; but what is refused there for what it says is told as it is here."""
        try:
            yield
        except (Unreachable, Unauthorized, NotFound) as error:
            if self.far is None:
                raise
            raise self.far.cut_off(error) from error


class Hosts:
    """`here` and every other cluster that somebody refers to. `wake` is told whose pass something over there concerns."""

    def __init__(
        self,
        here: Cluster,
        applier: Applier,
        gates: frozenset[str] = frozenset(),
        wake: Callable[[Key], None] = lambda _: None,
        dial: Callable[[bytes], Awaitable[Cluster]] = connect.from_access,
    ) -> None:
        self._here, self._applier = here, applier
        self._gates, self._wake, self._dial = gates, wake, dial
        self._far: dict[Reference, Far] = {}
        self._refers: dict[Key, Reference] = {}
        self._lingering: dict[asyncio.Task[None], Cluster] = {}

    async def of(self, raw: Manifest) -> Host:
        """Where the KamajiControlPlane `raw` is hosted. CutOff when that cannot be asked."""
        namespace, name = raw["metadata"]["namespace"], raw["metadata"]["name"]
        reference = _reference(raw)
        if reference is None:
            await self.leave((namespace, name))
            tcp = await self._here.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
            return Host(cluster=self._here, applier=self._applier, place=Place(namespace=namespace, name=name), tcp=tcp)
        self._allowed(reference)
        far = await self._joined((namespace, name), reference)
        async with far.turn:
            cluster, applier = await self._opened(far)
        place = Place(
            namespace=reference.deployment, name=names.hosted_elsewhere(namespace, name), access=reference.access
        )
        return await _found(Host(cluster=cluster, applier=applier, place=place, tcp=None, far=far), raw)

    async def leave(self, key: Key) -> None:
        """The control plane is gone or refers elsewhere; what nobody refers to any more is closed."""
        reference = self._refers.pop(key, None)
        far = self._far.get(reference) if reference else None
        if far is None:
            return
        far.users.discard(key)
        if not far.users:
            del self._far[far.reference]
            await _ended(far.following)
            async with far.turn:
                await self._closed(far)

    async def close(self) -> None:
        """Close every connection."""
        for key in list(self._refers):
            await self.leave(key)
        for task, cluster in list(self._lingering.items()):
            await _ended(task)
            await cluster.close()

    def _allowed(self, reference: Reference) -> None:
        if not self._gates & {EXTERNAL_CLUSTER, EXTERNAL_CLUSTER_CROSS_NAMESPACE}:
            raise CutOff(
                "FeatureGateDisabled", _gate_needed("spec.deployment.externalClusterReference", EXTERNAL_CLUSTER)
            )
        if not reference.own and EXTERNAL_CLUSTER_CROSS_NAMESPACE not in self._gates:
            what = f"Secret {reference.access} of another namespace"
            raise CutOff("FeatureGateDisabled", _gate_needed(what, EXTERNAL_CLUSTER_CROSS_NAMESPACE))

    async def _joined(self, key: Key, reference: Reference) -> Far:
        if self._refers.get(key) != reference:
            await self.leave(key)
            self._refers[key] = reference
        far = self._far.setdefault(reference, Far(reference))
        far.users.add(key)
        if far.following is None:
            far.following = asyncio.create_task(self._follow(far))
        return far

    async def _opened(self, far: Far) -> tuple[Cluster, Applier]:
        """The connection, made anew when the Secret says something else. Without a usable Secret there is none."""
        secret = await self._here.get(kinds.SECRET, far.reference.secret, far.reference.namespace)
        content = meta.decoded(secret).get(far.reference.key)
        identity = hashlib.sha256(content).hexdigest() if content else ""
        if identity != far.identity:
            await self._closed(far)
        if not content:
            lacks = f"has no kubeconfig under {far.reference.key}" if secret else "does not exist"
            message = (
                f"Secret {far.reference.access} {lacks}: put it there; the control plane over there is left as it is"
            )
            raise CutOff("KubeconfigMissing", message)
        if far.cluster is None or far.applier is None:
            try:
                far.cluster = await self._dial(content)
            except ValueError as error:
                message = f"the kubeconfig in Secret {far.reference.access} cannot be used: {error}"
                raise CutOff("KubeconfigUnusable", message) from error
            far.applier, far.identity = Applier(far.cluster, names.CAPI_MANAGER), identity
            far.watching = asyncio.create_task(self._watch(far, far.cluster))
        if far.silent and asyncio.get_running_loop().time() < far.until:
            raise CutOff(far.silent.reason, far.silent.message, far.silent.again)
        far.silent = None
        return far.cluster, far.applier

    async def _closed(self, far: Far) -> None:
        """Without the connection, which is closed once the passes that have it are over."""
        await _ended(far.watching)
        if far.cluster is not None:
            task = asyncio.create_task(_lingering(far.cluster))
            self._lingering[task] = far.cluster
            task.add_done_callback(lambda done: self._lingering.pop(done, None))
        far.cluster, far.applier, far.watching, far.identity, far.silent = None, None, None, "", None

    async def _follow(self, far: Far) -> None:
        where, name = far.reference.namespace, far.reference.secret
        async for change in self._here.watch(kinds.SECRET, where, fields={"metadata.name": name}, metadata_only=True):
            far.until = 0.0
            for key in far.users if change.object else ():
                self._wake(key)

    async def _watch(self, far: Far, cluster: Cluster) -> None:
        labels, where = {names.LABEL_CONTROL_PLANE: "*"}, far.reference.deployment
        async for change in cluster.watch(kinds.TENANT_CONTROL_PLANE, where, labels=labels, metadata_only=True):
            said = meta.labels_of(change.object).get(names.LABEL_CONTROL_PLANE) if change.object else ""
            for key in far.users:
                if said == names.control_plane_digest(*key):
                    self._wake(key)


def _reference(raw: Manifest) -> Reference | None:
    said = (raw["spec"].get("deployment") or {}).get("externalClusterReference")
    if not said:
        return None
    read, namespace = ExternalClusterReference.parse(said), raw["metadata"]["namespace"]
    where = read.kubeconfig_secret_namespace or namespace
    return Reference(
        secret=read.kubeconfig_secret_name,
        key=read.kubeconfig_secret_key,
        namespace=where,
        deployment=read.deployment_namespace,
        own=where == namespace,
    )


async def _found(host: Host, raw: Manifest) -> Host:
    """With the TenantControlPlane. One that upstream's provider made keeps its name, and after a move is found by our label."""
    metadata = raw["metadata"]
    labels = {names.LABEL_CONTROL_PLANE: names.control_plane_digest(metadata["namespace"], metadata["name"])}
    with host.reading():
        for name in (host.place.name, names.upstream_hosted_elsewhere(metadata["uid"])):
            if tcp := await host.cluster.get(kinds.TENANT_CONTROL_PLANE, name, host.place.namespace):
                return _standing(host, tcp)
        found = await host.cluster.list(kinds.TENANT_CONTROL_PLANE, host.place.namespace, labels=labels)
    return _standing(host, found[0]) if found else host


def _standing(host: Host, tcp: Manifest) -> Host:
    return replace(host, tcp=tcp, place=replace(host.place, name=tcp["metadata"]["name"]))


def _gate_needed(what: str, gate: str) -> str:
    variable = "CACPPK_EXTERNAL_CLUSTER_REFERENCE" + ("_CROSS_NAMESPACE" if gate != EXTERNAL_CLUSTER else "")
    return (
        f"{what} needs the provider's feature gate {gate}: start it with --feature-gates={gate}=true"
        f" (clusterctl: {variable}=true), or make the control plane without it"
    )


async def _lingering(cluster: Cluster) -> None:
    """Passes under way may end over it."""
    await asyncio.sleep(LINGER)
    await cluster.close()


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
