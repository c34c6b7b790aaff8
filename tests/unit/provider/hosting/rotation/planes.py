"""A control plane in miniature: its Secrets and its Deployment by the real parts, its pods, nodes and people played here.

A pod mounts what its volumes name when it starts, and again when its kubelet looks. Who shows what to whom is judged by
certificates alone.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509 as parsing

from provider.api import kinds
from provider.api.credentials import OF_TENANT
from provider.api.credentials.node import Node as Graphed
from provider.hosting import rotation
from provider.hosting.desired.kubeadm import clusterinfo
from provider.hosting.parts import PARTS
from provider.hosting.rotation import followers
from provider.hosting.rotation.keyring import ACCOUNT, CA, RINGS, Keyring, Ring
from provider.hosting.status import rotation as status
from provider.hosting.view import Follower, Followers, Key, Rollout, View, key_of
from provider.manifest import Manifest, kubeconfig, meta, pem, privatekey, x509, yamltext
from provider.manifest.x509 import Pair, Request
from tests.golden.world import NOW, CountedMint, answered, tenant, view

STEPS = [each for each in PARTS if each.target == "management"]
PKI = "etc-kubernetes-pki"


def accepts(roots: bytes, shown: bytes, now: datetime) -> bool:
    """Whether a verifier that trusts these roots finds its way from the first certificate shown, over the others."""
    leaf, *between = parsing.load_pem_x509_certificates(shown)
    anchors = parsing.load_pem_x509_certificates(roots)

    def reached(certificate: parsing.Certificate, left: list[parsing.Certificate]) -> bool:
        if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
            return False
        if any(_signed(certificate, each) and now < each.not_valid_after_utc for each in anchors):
            return True
        return any(
            _signed(certificate, each) and reached(each, [other for other in left if other != each]) for each in left
        )

    return reached(leaf, between)


def _signed(certificate: parsing.Certificate, authority: parsing.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:
        return False
    return True


@dataclass
class Pod:
    """One of the control plane's pods: what it was started from, and its files."""

    template: Manifest
    files: dict[str, bytes] = field(default_factory=dict)
    phase: str = "Running"

    @property
    def signing(self) -> Pair:
        """What its kube-controller-manager signs certificates with."""
        containers = self.template["spec"]["containers"]
        args = next(each["args"] for each in containers if each["name"] == "kube-controller-manager")
        path = next(each for each in args if each.startswith("--cluster-signing-cert-file=")).rpartition("/")[2]
        return Pair(certificate=self.files[path], key=self.files["ca.key"])


@dataclass
class Node:
    name: str
    born: datetime
    trust: bytes  # as cluster-info said when it joined
    client: Pair
    noted: str = ""


@dataclass
class Person:
    """Somebody who copied a kubeconfig."""

    trust: bytes
    client: Pair


@dataclass
class Plane:
    now: datetime = NOW
    annotations: dict[str, str] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    objects: dict[Key, Manifest] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    requests: list[Manifest] = field(default_factory=list)
    mint: CountedMint = field(default_factory=CountedMint)
    writes: int = 0
    rollout: Rollout | None = None

    def born(self) -> Plane:
        """It runs, with one pod."""
        self.passed()
        self.roll()
        self.passed()
        return self

    # What the provider does

    def passed(self, crash_after: int | None = None) -> int:
        """One pass, which may end after so many writes. How many there were."""
        self.now += timedelta(minutes=1)
        seen, before = self._view(), self.writes
        for step in STEPS:
            said = list(step.part.build(seen))
            applied = []
            for manifest in said:
                if crash_after is not None and self.writes - before >= crash_after:
                    return self.writes - before
                applied.append(self._applied(manifest))
            seen = seen.folded(*applied)
        return self.writes - before

    def _view(self) -> View:
        raw = self._tenant()
        pods = [
            meta.new(
                kinds.POD,
                f"demo-{number}",
                "tenants",
                labels=each.template["metadata"]["labels"],
                status={"phase": each.phase},
            )
            for number, each in enumerate(self.pods)
        ]
        seen = view(raw, *self.objects.values(), *pods, now=self.now, mint=self.mint, rollout=self.rollout)
        return self._looked(seen)

    def _looked(self, seen: View) -> View:
        """As `reconcile.rotation` does."""
        if not (asked := rotation.question(seen)):
            return seen
        signer = rotation.of(seen, CA).signer
        for node in self.nodes:
            if node.name in followers.renewed(self.requests, signer):
                node.noted = pem.fingerprint(signer.certificate)
        nodes = tuple(Follower(name=each.name, born=each.born, key=each.noted) for each in self.nodes)
        return replace(seen, followers=Followers(nodes=nodes if "nodes" in asked else ()))

    def _applied(self, manifest: Manifest) -> Manifest:
        manifest, where = answered(manifest, {}), key_of(manifest)
        stands = self.objects.get(where)
        if stands is not None and _said(stands) == _said(manifest):
            return stands
        self.writes += 1
        if manifest["kind"] == kinds.DEPLOYMENT.kind:
            generation = (stands or {"metadata": {"generation": 0}})["metadata"]["generation"]
            manifest = {**manifest, "metadata": {**manifest["metadata"], "generation": generation + 1}}
            manifest["status"] = (stands or {}).get("status") or {}
        self.objects[where] = manifest
        return manifest

    # What the management cluster does

    @property
    def template(self) -> Manifest:
        found: Manifest = self.deployment["spec"]["template"]
        return found

    @property
    def deployment(self) -> Manifest:
        return self.objects[("Deployment", "tenants", "demo")]

    def start(self) -> None:
        """A pod of the template as it is."""
        pod = Pod(self.template)
        self.pods.append(pod)
        assert self.mount(pod), "a pod starts only with all its files"
        self.count()

    def end(self) -> None:
        """One that is not of the template any more, where one is that is."""
        old = [each for each in self.pods if each.template != self.template]
        if old and len(old) < len(self.pods):
            self.pods.remove(old[0])
        self.count()

    def roll(self) -> None:
        """Until only pods of the template are about."""
        if not any(each.template == self.template for each in self.pods):
            self.start()
        self.pods = [each for each in self.pods if each.template == self.template][:1]
        self.count()

    def mount(self, pod: Pod) -> bool:
        """As a kubelet puts files into a pod's volume; all or none."""
        volume = next(each for each in pod.template["spec"]["volumes"] if each["name"] == PKI)
        found = {}
        for source in volume["projected"]["sources"]:
            data = self.secret(source["secret"]["name"])
            for item in source["secret"]["items"]:
                if item["key"] not in data:
                    return False
                found[item["path"]] = data[item["key"]]
        pod.files = found
        return True

    def count(self) -> None:
        """The Deployment controller's numbers."""
        updated = sum(each.template == self.template for each in self.pods)
        numbers = {"replicas": len(self.pods), "updatedReplicas": updated, "readyReplicas": len(self.pods)}
        self.deployment["status"] = {**numbers, "observedGeneration": self.deployment["metadata"]["generation"]}

    # What nodes and people do

    def join(self) -> Node:
        """A node that learns whom to trust as the tenant says it now, and gets its certificate from the first pod."""
        self.now += timedelta(seconds=1)
        node = Node(f"node-{self.mint.serial()}", self.now, self.trusted, self._signed("", self.pods[0]))
        node.client = self._signed(node.name, self.pods[0])
        self.nodes.append(node)
        return node

    def renew(self, node: Node, pod: Pod) -> None:
        """By a signing request, which stands for a while."""
        node.client = self._signed(node.name, pod)
        certificate = base64.b64encode(node.client.certificate).decode()
        spec = {"signerName": followers.KUBELET_CLIENT, "username": f"system:node:{node.name}"}
        self.requests.append({"spec": spec, "status": {"certificate": certificate}})

    def copied(self) -> Person:
        """Somebody copies the administrator's kubeconfig."""
        found = kubeconfig.parse(self.secret("demo-admin-kubeconfig")["admin.conf"])
        return Person(found.ca, found.client)

    def _signed(self, node: str, pod: Pod) -> Pair:
        request = Request(common_name=f"system:node:{node}", organizations=("system:nodes",), client=True)
        return x509.issue(request, pod.signing, self.mint, self.now)

    # What is to be seen

    @property
    def trusted(self) -> bytes:
        """Whom cluster-info says to trust."""
        said = yamltext.read(clusterinfo.build(self._plain())["data"][clusterinfo.KEY])
        return base64.b64decode(said["clusters"][0]["cluster"]["certificate-authority-data"])

    def secret(self, name: str) -> dict[str, bytes]:
        return meta.decoded(self.objects.get(("Secret", "tenants", name)))

    def keys(self, ring: Ring) -> Keyring:
        return rotation.of(self._plain(), ring)

    def phases(self) -> dict[str, str]:
        """Ring → phase of the rotations that are under way."""
        return {each.ring.component: each.phase for each in rotation.progress(self._view())}

    def told(self) -> tuple[str, str]:
        """Reason and message of the condition; empty words while there is none."""
        found = status.conditions(self._view())
        return (found[0].reason, found[0].message) if found else ("", "")

    @property
    def rotating(self) -> bool:
        return any(self.keys(each).rotating for each in RINGS)

    def _tenant(self) -> Manifest:
        return tenant(annotations=dict(self.annotations), **self.spec)

    def _plain(self) -> View:
        return view(self._tenant(), *self.objects.values(), now=self.now, mint=self.mint)


def wrongs(plane: Plane, people: Sequence[Person] = ()) -> Iterator[str]:
    """Who cannot reach whom, or is not believed, in words; nobody, as long as all is well."""
    now = plane.now
    for pod in plane.pods:
        signing = pod.signing
        if len(pem.blocks(signing.certificate)) != 1 or not x509.authority_is_usable(signing, now):
            yield "kube-controller-manager has no pair to sign with"
        if not accepts(pod.files["ca.crt"], signing.certificate, now):
            yield "what is signed is not trusted where it was signed"
        for node in plane.nodes:
            if not accepts(node.trust, pod.files["apiserver.crt"], now):
                yield f"{node.name} does not trust the API server"
            if not accepts(node.trust, pod.files["apiserver-kubelet-client.crt"], now):
                yield f"{node.name} does not let the API server in"
            if not accepts(pod.files["ca.crt"], node.client.certificate, now):
                yield f"{node.name} is not let in"
        for person in [plane.copied(), *people]:
            if not accepts(person.trust, pod.files["apiserver.crt"], now):
                yield "a person does not trust the API server"
            if not accepts(pod.files["ca.crt"], person.client.certificate, now):
                yield "a person is not let in"
        for other in plane.pods:
            if privatekey.public_half(other.files["sa.key"]) not in pem.blocks(pod.files["sa.pub"]):
                yield "a pod's tokens are not believed by another"
            if not accepts(pod.files["front-proxy-ca.crt"], other.files["front-proxy-client.crt"], now):
                yield "a pod's front proxy is not believed by another"


def dropped(plane: Plane) -> Iterator[Graphed]:
    """Credentials in Secrets that were signed by none of those who are trusted."""
    for node in OF_TENANT:
        ring = next((each for each in RINGS if each.node in node.ancestors() and each is not ACCOUNT), None)
        data = plane.secret(node.secret("demo"))
        if ring is None or node.sort == "trust":
            continue
        leaves = [data[node.halves[0]]] if node.halves and node.halves[0] in data else []
        leaves += [kubeconfig.parse(data[file]).client.certificate for file in node.files if file in data]
        trusted = pem.blocks(plane.keys(ring).trusted)
        if not all(any(x509.verifies(leaf, each) for each in trusted) for leaf in leaves):
            yield node


def _said(manifest: Manifest) -> dict[str, Any]:
    metadata = {key: each for key, each in manifest["metadata"].items() if key != "generation"}
    rest = {key: each for key, each in manifest.items() if key not in ("metadata", "status")}
    return {**rest, "metadata": metadata}
