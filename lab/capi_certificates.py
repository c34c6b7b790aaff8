"""In cert-manager's place: certificates for the webhooks of Cluster API's providers, and their CA where it is asked for.

For every cert-manager Certificate a Secret with a serving certificate of a CA of its own (tls.crt, tls.key, ca.crt); that CA
in the caBundle of each CRD conversion and webhook whose annotation `cert-manager.io/inject-ca-from` names the Certificate.
cert-manager's CRDs are there, the rest of it is not. Level-triggered, because `clusterctl init` makes its Certificates at any
time; renewed at two thirds of their life. Run by the lab's host process with the lab's own administrator kubeconfig.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from provider.api import kinds
from provider.api.kinds import Kind
from provider.cluster.client import Cluster
from provider.cluster.queue import KeyedQueue
from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import Manifest, meta, x509
from provider.manifest.mint import Mint

CERTIFICATE = Kind("cert-manager.io/v1", "Certificate", "certificates")
ADMISSION = "admissionregistration.k8s.io/v1"
MUTATING = Kind(ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", namespaced=False)
VALIDATING = Kind(ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", namespaced=False)
INJECTED = {each.kind: each for each in (kinds.CUSTOM_RESOURCE_DEFINITION, MUTATING, VALIDATING)}
INJECT = "cert-manager.io/inject-ca-from"
MANAGER = "lab-certificates"
LOOK_AGAIN = timedelta(hours=12)  # for renewals; changes are watched

Key = tuple[str, str, str]  # kind, namespace or "", name


def request(certificate: Manifest) -> x509.Request:
    """What the Certificate asks for: a serving certificate for its DNS names."""
    names = certificate["spec"].get("dnsNames") or []
    common = certificate["spec"].get("commonName") or (names[0][:64] if names else certificate["metadata"]["name"])
    return x509.Request(common_name=common, names=frozenset(names), server=True)


def secret(certificate: Manifest, before: Manifest | None, mint: Mint, now: datetime) -> Manifest | None:
    """The Secret to write, None when the one that is there still does."""
    wanted, data = request(certificate), meta.decoded(before)
    leaf = x509.Pair(certificate=data.get("tls.crt", b""), key=data.get("tls.key", b""))
    issuer = x509.Pair(certificate=data.get("ca.crt", b""), key=b"")
    if before is not None and x509.satisfies(leaf, wanted, issuer, now):
        return None
    authority = x509.authority(f"{certificate['metadata']['name']}-ca", mint, now)
    fresh = x509.issue(wanted, authority, mint, now)
    namespace, name = certificate["metadata"]["namespace"], certificate["spec"]["secretName"]
    values = {"tls.crt": fresh.certificate, "tls.key": fresh.key, "ca.crt": authority.certificate}
    return meta.new(kinds.SECRET, name, namespace, type="kubernetes.io/tls", data=meta.secret_data(values))


def injection(target: Manifest, ca: bytes) -> Manifest | None:
    """What to apply to a CRD or webhook configuration so that it trusts `ca`; None when it does or calls nobody."""
    bundle = base64.b64encode(ca).decode()
    configs = list(_client_configs(target))
    if not configs or all(each.get("caBundle") == bundle for each in configs):
        return None
    kind = INJECTED[target["kind"]]
    trusted: dict[str, Any] = {"clientConfig": {"caBundle": bundle}}
    if kind is kinds.CUSTOM_RESOURCE_DEFINITION:
        return meta.new(
            kind, target["metadata"]["name"], spec={"conversion": {"strategy": "Webhook", "webhook": trusted}}
        )
    webhooks = [{"name": each["name"], **trusted} for each in target.get("webhooks") or []]
    return meta.new(kind, target["metadata"]["name"], webhooks=webhooks)


def _client_configs(target: Manifest) -> Iterator[dict[str, Any]]:
    conversion = target.get("spec", {}).get("conversion") or {}
    if conversion.get("strategy") == "Webhook":
        yield conversion.get("webhook", {}).get("clientConfig", {})
    yield from (each["clientConfig"] for each in target.get("webhooks") or [])


@dataclass
class Certificates:
    """The loop: one queue, one pass an object."""

    cluster: Cluster
    mint: Mint = field(default_factory=RandomMint)
    queue: KeyedQueue[Key] = field(default_factory=lambda: KeyedQueue("certificate"))
    asking: dict[Key, str] = field(
        default_factory=dict
    )  # object with the annotation → namespace/name of its Certificate

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.queue.run(self.look, 4))
            tasks.create_task(self._watch_certificates())
            tasks.create_task(self._again())
            for kind in INJECTED.values():
                tasks.create_task(self._watch_asking(kind))

    async def look(self, key: Key) -> None:
        """One pass over a Certificate or over an object that asks for its CA."""
        kind, namespace, name = key
        if kind == CERTIFICATE.kind:
            await self._issue(namespace, name)
        else:
            await self._inject(key)

    async def _issue(self, namespace: str, name: str) -> None:
        certificate = await self.cluster.get(CERTIFICATE, name, namespace)
        if certificate is None:
            return
        before = await self.cluster.get(kinds.SECRET, certificate["spec"]["secretName"], namespace)
        if wanted := secret(certificate, before, self.mint, datetime.now(UTC)):
            await self.cluster.apply(wanted, manager=MANAGER)
        for key in [each for each, source in self.asking.items() if source == f"{namespace}/{name}"]:
            self.queue.add(key)

    async def _inject(self, key: Key) -> None:
        namespace, _, name = self.asking.get(key, "").partition("/")
        certificate = await self.cluster.get(CERTIFICATE, name, namespace) if name else None
        if certificate is None:
            return  # its event comes back here
        found = await self.cluster.get(kinds.SECRET, certificate["spec"]["secretName"], namespace)
        target = await self.cluster.get(INJECTED[key[0]], key[2])
        if target is not None and (ca := meta.decoded(found).get("ca.crt")) and (wanted := injection(target, ca)):
            await self.cluster.apply(wanted, manager=MANAGER)

    async def _watch_certificates(self) -> None:
        async for change in self.cluster.watch(CERTIFICATE):
            if change.object:
                metadata = change.object["metadata"]
                self.queue.add((CERTIFICATE.kind, metadata["namespace"], metadata["name"]))

    async def _watch_asking(self, kind: Kind) -> None:
        async for change in self.cluster.watch(kind, metadata_only=True):
            if change.object and (source := meta.annotations_of(change.object).get(INJECT)):
                key = (kind.kind, "", change.object["metadata"]["name"])
                self.asking[key] = source
                self.queue.add(key)

    async def _again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN.total_seconds())
            for each in await self.cluster.list(CERTIFICATE):
                self.queue.add((CERTIFICATE.kind, each["metadata"]["namespace"], each["metadata"]["name"]))
