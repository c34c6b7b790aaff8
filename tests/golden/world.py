"""A tenant without a cluster: a view with fixed keys and clock, and a walk over the catalog that folds as the pass does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from provider.api import kinds
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import NotReady, Verdict
from provider.hosting.catalog import Step
from provider.hosting.parts import PARTS
from provider.hosting.view import Keyspace, Seen, Store, View, key_of
from provider.manifest import Manifest, x509
from provider.manifest.mergepatch import merged
from provider.manifest.mint import Algorithm
from provider.settings import Settings

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
ASLEEP = NotReady("ApiServerStarting", "waiting for a pod whose kube-apiserver answers")
UID = "6f0e6f5e-3b1c-4a57-9d53-1c8c6f1f7a11"


@lru_cache(maxsize=1)
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class CountedMint:
    """Keys, serials and passwords that are the same in every run."""

    def __init__(self, count: int = 1000) -> None:
        self.count = count

    def key(self, algorithm: Algorithm = "ECDSA-P256") -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
        if algorithm == "RSA-2048":
            return rsa_key()
        return ec.derive_private_key(self.serial(), ec.SECP256R1())

    def serial(self) -> int:
        self.count += 1
        return self.count

    def password(self) -> str:
        return f"password-of-tests-{self.serial()}"

    def cipher(self) -> bytes:
        return self.serial().to_bytes(32)


@lru_cache(maxsize=1)
def store() -> Store:
    ca = x509.authority("etcd-ca", CountedMint(), NOW)
    return Store(
        name="default",
        driver="etcd",
        endpoints=("etcd-0.kamaji-system.svc:2379", "etcd-1.kamaji-system.svc:2379"),
        ready=True,
        ca=ca.certificate,
        client_ca=ca,
    )


def database(driver: str, *, tls: bool = True) -> Store:
    """A store behind kine; with TLS, tenants have certificates of its authority."""
    ca = x509.authority("database-ca", CountedMint(), NOW)
    signs = {"ca": ca.certificate, "client_ca": ca} if tls else {}
    secret = {"password": "password-of-root"} if driver == "NATS" else {}
    return Store(
        name="databases",
        driver=driver,
        endpoints=("db-0.databases.svc:5432", "db-1.databases.svc:5432"),
        ready=True,
        user="root",
        **signs,
        **secret,
    )


MINIMAL = """
apiVersion: kamaji.clastix.io/v1alpha1
kind: TenantControlPlane
metadata: {name: demo, namespace: tenants, uid: 6f0e6f5e-3b1c-4a57-9d53-1c8c6f1f7a11, generation: 1}
spec:
  kubernetes: {version: v1.36.3, kubelet: {}}
  controlPlane:
    service: {serviceType: ClusterIP}
    deployment: {replicas: 1}
  networkProfile: {}
"""


def tenant(**changes: Any) -> Manifest:
    """The smallest tenant, with `spec` (and annotations) laid over it."""
    raw: Manifest = yaml.safe_load(MINIMAL)
    annotations = changes.pop("annotations", {})
    raw["metadata"]["annotations"] = annotations
    raw["metadata"] |= changes.pop("metadata", {})
    raw["spec"] = merged(raw["spec"], changes)
    return raw


def view(raw: Manifest, *seen: Manifest, **changes: Any) -> View:
    """What a pass over this tenant knows at its start."""
    start = View(
        tcp=TenantControlPlane.parse(raw),
        raw=raw,
        seen=Seen().with_objects(*seen),
        store=store(),
        keyspace=Keyspace(schema=UID, user=UID),
        tenant=None,
        settings=Settings(),
        now=NOW,
        mint=CountedMint(),
        gateways=Seen(),
    )
    return replace(start, **changes)


@dataclass
class Walked:
    """The view after a walk, what each part said, and who declined."""

    view: View
    said: dict[str, list[Manifest]] = field(default_factory=dict)
    declined: dict[str, Verdict] = field(default_factory=dict)

    def one(self, kind: kinds.Kind, name: str) -> Manifest:
        found = [
            each for all_ in self.said.values() for each in all_ if (each["kind"], name_of(each)) == (kind.kind, name)
        ]
        assert len(found) == 1, f"{len(found)} objects are {kind.kind} {name}"
        return found[0]

    def args(self, container: str) -> list[str]:
        return self.container(container)["args"]

    def container(self, name: str) -> Manifest:
        return next(each for each in self.pod["containers"] if each["name"] == name)

    @property
    def pod(self) -> Manifest:
        return self.one(kinds.DEPLOYMENT, self.view.name)["spec"]["template"]["spec"]


def name_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def walk(start: View, given: Iterable[Manifest] = (), inside: Seen | None = None, *, awake: bool = True) -> Walked:
    """As `reconcile.tenant` walks. `given` are patches by which the management cluster answers what is applied.

    A tenant that is not `awake` has no API server that answers, so nothing is said inside.
    """
    walked, answers = Walked(start), {key_of(each): each for each in given}
    for step in PARTS:
        if step.target == "tenant" and not awake:
            walked.declined[step.name] = ASLEEP
            continue
        if step.target == "tenant" and walked.view.tenant is None:
            walked.view = walked.view.inside(inside or Seen())
        take(walked, step, answers)
    return walked


def take(walked: Walked, step: Step, answers: dict[Any, Manifest]) -> None:
    if any(need in walked.declined for need in step.needs):
        walked.declined[step.name] = Verdict("WaitingForPart", "")
        return
    try:
        said = list(step.part.build(walked.view))
    except Verdict as verdict:
        walked.declined[step.name] = verdict
        return
    walked.said[step.name] = said
    live = [answered(each, answers) for each in said]
    if step.target == "tenant":
        assert walked.view.tenant is not None
        walked.view = walked.view.inside(walked.view.tenant.with_objects(*live))
    else:
        walked.view = walked.view.folded(*live)


def answered(manifest: Manifest, answers: dict[Any, Manifest]) -> Manifest:
    """What the API server makes of an object: a Service gets an address."""
    if manifest["kind"] == "Service" and "clusterIP" not in manifest["spec"]:
        manifest = merged(manifest, {"spec": {"clusterIP": "10.96.7.7"}})
    answer = answers.get(key_of(manifest))
    return merged(manifest, answer) if answer else manifest
