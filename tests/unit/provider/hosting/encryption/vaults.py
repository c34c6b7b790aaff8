"""A tenant's API servers in miniature: Secrets and Deployment by the real parts, pods that read and write as they are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from provider.api import kinds, names
from provider.api.verdict import Invalid, Verdict
from provider.hosting import encryption
from provider.hosting.desired.deployment.volumes import ENCRYPTION
from provider.hosting.encryption import document, wish
from provider.hosting.encryption.document import ENCRYPTED, FILE, Document
from provider.hosting.parts import PARTS
from provider.hosting.status import tenant as status
from provider.hosting.view import Stored, View, key_of
from provider.manifest import Manifest, meta
from provider.manifest.condition import find
from tests.golden.world import tenant, view
from tests.unit.provider.hosting.rotation.planes import Plane

STEPS = [each for each in PARTS if each.target == "management"]
CONCERNED = [each for each in STEPS if each.name in ("encryption", "deployment")]
PLAIN = b"{}"
MAIN, COPY = names.encryption_secret("demo"), names.encryption_copy_secret("demo")


@dataclass
class Pod:
    """One kube-apiserver: what it was started from, and what its process has read."""

    template: Manifest
    document: Document | None = None
    runs: bool = False  # not before its kubelet found all that it mounts

    def writes(self, resource: str) -> bytes:
        """How an object begins that it stores."""
        wanted = self.document.wanted(resource) if self.document and resource in self.document.writers else b""
        return wanted or PLAIN

    def reads(self, resource: str, stored: bytes) -> bool:
        """Whether it can make anything of an object."""
        if not stored.startswith(ENCRYPTED):
            return True
        found = self.document
        return found is not None and resource in found.writers and any(stored == each.prefix for each in found.readers)


def wanted(template: Manifest) -> set[str]:
    """Keys of the Secret without which its kubelet does not start a pod."""
    volumes = template["spec"]["volumes"]
    return {each["key"] for volume in volumes if volume["name"] == ENCRYPTION for each in volume["secret"]["items"]}


@dataclass
class Vault(Plane):
    """Pods with the volume of the configuration, and a store."""

    servers: list[Pod] = field(default_factory=list)
    store: dict[tuple[str, str], bytes] = field(default_factory=dict)
    former: list[Manifest] = field(default_factory=list)  # Secrets as they were written
    serving: bool = True
    status: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=lambda: {"controlPlane": {"deployment": {"replicas": 2}}})

    def say(self, **annotations: str | None) -> None:
        """By names of `provider.api.names`; None takes one off."""
        for each, value in annotations.items():
            key = getattr(names, f"ANNOTATION_{each.upper()}")
            self.annotations.pop(key, None)
            if value is not None:
                self.annotations[key] = value

    # What the provider does

    def look(self, crash_after: int | None = None, *, backwards: bool = False) -> int:
        """A pass, in which what is stored is looked at; it may end after so many writes. How many there were.

        Those of one part are applied side by side, so that they may come `backwards` too.
        """
        self.now += timedelta(minutes=1)
        seen, before, declined = self.seen(), self.writes, dict[str, Verdict]()
        for step in CONCERNED if ("Deployment", "tenants", "demo") in self.objects else STEPS:
            try:
                said = list(step.part.build(seen))
            except Verdict as verdict:
                assert step.name in ("encryption", "deployment"), verdict
                declined[step.name] = verdict
                continue
            applied = []
            for manifest in reversed(said) if backwards else said:
                if crash_after is not None and self.writes - before >= crash_after:
                    return self.writes - before
                applied.append(self._applied(manifest))
            seen = seen.folded(*applied)
            if step.name == "encryption":
                self._pruned({key_of(each) for each in said})
        self.status = status.of(seen, PARTS, declined, {})
        return self.writes - before

    def _applied(self, manifest: Manifest) -> Manifest:
        """What is on its way out stays so, and goes when nothing holds it any more: who applies that is told what was said."""
        where = key_of(manifest)
        if where[2] in (MAIN, COPY) and manifest not in self.former:
            self.former.append(manifest)
        stands = self.objects.get(where)
        ends = (stands or {"metadata": {}})["metadata"].get("deletionTimestamp")
        if not ends:
            return super()._applied(manifest)
        ending = {**manifest, "metadata": {**manifest["metadata"], "deletionTimestamp": ends}}
        if not manifest["metadata"].get("finalizers"):
            self.writes += 1
            del self.objects[where]
            return ending
        return super()._applied(ending)

    def delete(self, name: str) -> None:
        """As a user does."""
        where = ("Secret", "tenants", name)
        if not (found := self.objects.get(where)):
            return
        if found["metadata"].get("finalizers"):
            ends = {**found["metadata"], "deletionTimestamp": "2026-11-24T12:00:00Z"}
            self.objects[where] = {**found, "metadata": ends}
        else:
            del self.objects[where]

    def put_back(self, name: str, which: int = 0) -> None:
        """As a user does who has one of before."""
        own = [each for each in self.former if each["metadata"]["name"] == name]
        if own:
            self.objects[("Secret", "tenants", name)] = own[which % len(own)]

    def _pruned(self, said: set[Any]) -> None:
        for name in (MAIN, COPY, names.encryption_brought_secret("demo")):
            where = ("Secret", "tenants", name)
            if where not in said and where in self.objects:
                self.delete(name)
                self.writes += 1

    def seen(self) -> View:
        """What a pass knows when it comes to the part."""
        raw = tenant(annotations=dict(self.annotations), **self.spec)
        raw["status"] = self.status
        pods = [self._pod(number, each) for number, each in enumerate(self.servers)]
        found = view(raw, *self.objects.values(), *pods, now=self.now, mint=self.mint)
        return replace(found, stored=self._stored(found))

    def _pod(self, number: int, pod: Pod) -> Manifest:
        state = {"name": "kube-apiserver", "ready": True}
        serves = self.serving and pod.runs
        said = {"phase": "Running", "podIP": f"10.0.0.{number}", "containerStatuses": [state]} if serves else {}
        return meta.new(kinds.POD, f"demo-{number}", "tenants", labels=pod.template["metadata"]["labels"], status=said)

    def _stored(self, found: View) -> Stored | None:
        """As `reconcile.encrypting` tells of it."""
        try:
            order = encryption.order(found)
            if encryption.begins(found):
                return Stored(foreign=any(each.startswith(ENCRYPTED) for each in self.store.values()))
        except Invalid:
            return None
        if order is None:
            return None
        left = len(list(self.others(order)))
        return Stored(document=order.document, done=not left, proven=True, total=len(self.store), left=left)

    def others(self, order: encryption.Order) -> Iterator[tuple[str, str]]:
        """Objects that were written by another than is wanted."""
        for key, stored in self.store.items():
            if key[0] in order.resources and stored != (order.resources[key[0]][1] or PLAIN):
                yield key

    def rewrite(self, count: int = 10_000) -> None:
        """So many of them, where the provider is asked to."""
        try:
            order = encryption.order(self.seen())
        except Invalid:
            return
        for key in list(self.others(order))[:count] if order else []:
            self.write(*key)

    # What the management cluster does

    def begin(self) -> Vault:
        """It runs, with two pods."""
        self.look()
        for _ in range(2):
            self.start_server()
        self.look()
        return self

    def start_server(self) -> None:
        pod = Pod(self.template)
        self.servers.append(pod)
        self.restart(pod)
        self.count()

    def restart(self, pod: Pod, late: Manifest | None = None) -> None:
        """Its container starts again, with the file as it is by now, or as it was when the Secret went.

        A pod that never had the file does not start without, and its kubelet tries again. `late`: the Secret as its kubelet has
        it in its cache. It mounts nothing of one that lacks a key that the volume names.
        """
        found = meta.decoded(late) if late else self.secret(MAIN)
        if encryption.LABEL not in meta.labels_of(pod.template):
            pod.runs = True
        elif wanted(pod.template) <= found.keys():
            pod.document, pod.runs = document.read(found[FILE]), True

    def retry(self) -> None:
        """Kubelets look again at what waits."""
        for each in self.servers:
            if not each.runs:
                self.restart(each)
        self.count()

    def replace_server(self, which: int, *, counted: bool = True, late: int | None = None) -> None:
        """One goes, and its ReplicaSet makes another of the same template, on a node whose cache may be so `late`."""
        pod = self.servers[which % len(self.servers)] = Pod(self.servers[which % len(self.servers)].template)
        cached = [each for each in self.former if each["metadata"]["name"] == MAIN] if late is not None else []
        self.restart(pod, cached[-1 - (late or 0) % len(cached)] if cached else None)
        if counted:
            self.count()

    def end_server(self) -> None:
        old = [each for each in self.servers if each.template != self.template]
        if old and len(old) < len(self.servers):
            self.servers.remove(old[0])
        self.count()

    def roll(self) -> None:
        """Until two pods of the template are about, and no others; those stay for as long as there are not two that run."""
        while sum(each.template == self.template for each in self.servers) < 2:
            self.start_server()
        self.retry()
        now = [each for each in self.servers if each.template == self.template]
        running = [each for each in now if each.runs]
        if len(running) >= 2:
            self.servers = running[:2]
        self.count()

    def count(self) -> None:
        updated = sum(each.template == self.template for each in self.servers)
        ready = sum(each.runs for each in self.servers)
        numbers = {"replicas": len(self.servers), "updatedReplicas": updated, "readyReplicas": ready}
        self.deployment["status"] = {**numbers, "observedGeneration": self.deployment["metadata"]["generation"]}

    # What clients do

    def write(self, resource: str, name: str, which: int = 0) -> None:
        """By any pod that runs; nobody answers where none does."""
        if running := [each for each in self.servers if each.runs]:
            self.store[(resource, name)] = running[which % len(running)].writes(resource)

    def unreadable(self) -> list[str]:
        """What some pod cannot read."""
        return [
            f"{resource}/{name} by pod {number}"
            for (resource, name), stored in self.store.items()
            for number, pod in enumerate(self.servers)
            if pod.runs and not pod.reads(resource, stored)
        ]

    # What is to be seen

    def told(self) -> tuple[str, str, str]:
        """Status, reason and message of the condition."""
        found = find(self.status["conditions"], "Encrypted") or {}
        return str(found.get("status", "")), str(found.get("reason", "")), str(found.get("message", ""))

    def held(self) -> encryption.Held | None:
        return encryption.held(self.seen())

    def wish(self) -> encryption.Wish:
        return wish.of(self.seen())

    def settle(self, passes: int = 8) -> None:
        """Left alone, with pods that follow."""
        for _ in range(passes):
            self.look()
            self.roll()
            self.rewrite()


def encrypted() -> Vault:
    """One whose secrets are."""
    vault = Vault().begin()
    vault.write("secrets", "a")
    vault.say(encrypt="secrets")
    vault.settle(5)
    assert vault.told()[:2] == ("True", "Encrypted")
    return vault
