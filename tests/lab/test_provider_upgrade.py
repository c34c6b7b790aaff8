"""`clusterctl upgrade` from an earlier version of this provider, which really runs: image and components of kept sources.

In a lab of its own, for nobody else's tests shall meet the earlier version. A cluster with a worker stands all the while.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import capi, cluster, deploy, steps
from lab.capi_repository import CONTROL_PLANE
from lab.release import Release, ReleaseError
from lab.state import Lab

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(os.geteuid() != 0, reason="a lab makes namespaces: run as root"),
]

# From before backups in buckets, drills and a memory of which key is the last: since then there are new fields, rights and
# states. It is called what an early try of our first release would be.
EARLIER = Release(Path(__file__).parent / "earlier" / "v0.1.0-alpha.1.tar.xz", version="v0.1.0-alpha.1")
NOW = f"v{version('capi-kamaji')}"
NAME, NAMESPACE, VERSION = "kept", "default", "v1.36.3"
PATIENCE = 120.0  # seconds
KCP, TCP = f"kamajicontrolplane/{NAME}", f"tenantcontrolplane/{NAME}"
OURS = "cluster.x-k8s.io/provider=control-plane-kamaji"
LEFT_OVER = f"""
apiVersion: v1
kind: ConfigMap
metadata:
  name: of-the-release-before
  namespace: {deploy.NAMESPACE}
  labels: {{{OURS.replace("=", ": ")}, clusterctl.cluster.x-k8s.io: ""}}
"""


@dataclass
class Site:
    """The management cluster and its tenant, as an administrator of both sees them."""

    lab: Lab
    access: Path  # the tenant's kubeconfig
    answers: int = 0
    silent: list[str] = field(default_factory=list)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return cluster.kubectl(self.lab, arguments, stdin=stdin)

    def found(self, *arguments: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", *arguments, "-o", "json"))["items"]
        return items

    def one(self, *arguments: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return said

    def clusterctl(self, *arguments: str) -> str:
        return capi.clusterctl(self.lab, arguments)

    def tenant(self, *arguments: str) -> str:
        return self.kubectl(f"--kubeconfig={self.access}", *arguments)

    def running(self, *arguments: str) -> dict[str, tuple[str, int]]:
        """Pods or nodes: UID and how often their containers were started again."""
        return {
            f"{each['metadata'].get('namespace')}/{each['metadata']['name']}": (
                each["metadata"]["uid"],
                sum(one["restartCount"] for one in each["status"].get("containerStatuses", ())),
            )
            for each in self.found(*arguments)
        }

    @contextmanager
    def never_silent(self) -> Iterator[None]:
        """The tenant's API answers all the while, each time over a connection of its own."""
        over = threading.Event()

        def ask() -> None:
            while not over.wait(0.2):
                try:
                    self.tenant("get", "configmap", "kept", "--request-timeout=30s")
                    self.answers += 1
                except cluster.ClusterError as error:
                    self.silent.append(str(error))

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            yield
        finally:
            over.set()
            asking.join()
        assert self.answers, "nobody was asked"
        assert not self.silent, f"{len(self.silent)} of {self.answers + len(self.silent)}: {self.silent[0]}"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return EARLIER.sources(tmp_path_factory.mktemp("earlier"))


@pytest.fixture(scope="module")
def site(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The earlier version, by `clusterctl init`, and what a user of it has: a cluster whose worker runs pods."""
    lab, image = Lab("earlier"), EARLIER.build(sources)
    try:
        for _, step in steps.up_steps(lab):
            step()
        cluster.load(lab, image)
        EARLIER.publish(sources, capi.repository(lab).parent)
        capi.init(lab, [*(each if each != "kamaji" else f"kamaji:{EARLIER.version}" for each in deploy.INIT)])
        deploy.store(lab)
        yield born(Site(lab, tmp_path_factory.mktemp("tenant") / "kubeconfig"))
    finally:
        steps.down(lab)


def born(site: Site) -> Site:
    counts = ("--control-plane-machine-count=1", "--worker-machine-count=1", f"--kubernetes-version={VERSION}")
    made = site.clusterctl(
        "generate", "cluster", NAME, "--infrastructure=lab", f"--target-namespace={NAMESPACE}", *counts
    )
    site.kubectl("apply", "-f", "-", stdin=made)
    site.kubectl("wait", f"cluster/{NAME}", "--for=condition=ControlPlaneAvailable", "--timeout=300s")
    site.access.write_text(site.clusterctl("get", "kubeconfig", NAME))
    site.tenant("create", "configmap", "kept", "--from-literal=said=before")
    site.kubectl("wait", f"cluster/{NAME}", "--for=condition=Available", "--timeout=300s")
    site.tenant("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=300s")
    return site


def components(folder: Path) -> list[dict[str, Any]]:
    text = re.sub(r"\$\{\w+:=([^}]*)\}", r"\1", (folder / "control-plane-components.yaml").read_text())
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


def names(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"]) for each in found}


def specs(site: Site) -> dict[str, Any]:
    """What the control plane's user said, as each version of its API tells it."""
    group = "apis/controlplane.cluster.x-k8s.io"
    path = f"namespaces/{NAMESPACE}/kamajicontrolplanes/{NAME}"
    return {
        each: json.loads(site.kubectl("get", "--raw", f"/{group}/{each}/{path}"))["spec"]
        for each in ("v1alpha1", "v1alpha2")
    }


@pytest.mark.parametrize("content", [None, b"", b"no archive"], ids=["absent", "empty", "other"])
def test_sources_that_are_not_kept_whole_are_told_with_how_to_make_them(tmp_path: Path, content: bytes | None) -> None:
    archive = tmp_path / "kept.tar.xz"
    if content is not None:
        archive.write_bytes(content)
    with pytest.raises(ReleaseError, match=r"v0\.0\.0 cannot be read: .*python -m lab\.release"):
        Release(archive, version="v0.0.0").sources(tmp_path)


def test_a17_an_earlier_version_of_ours_is_upgraded_and_its_tenant_notices_nothing(site: Site, sources: Path) -> None:
    ours = ("--all-namespaces", f"--selector={OURS}")
    (before,) = site.found("pods", *ours)
    assert before["spec"]["containers"][0]["image"] == EARLIER.image
    site.kubectl("apply", "-f", "-", stdin=LEFT_OVER)
    plan = site.clusterctl("upgrade", "plan")
    assert re.search(rf"control-plane-kamaji\s+kamaji-system\s+ControlPlaneProvider\s+{EARLIER.version}\s+{NOW}", plan)

    there = site.running("pods", "--all-namespaces", f"--selector=!{OURS.partition('=')[0]}")
    inside, said = site.running("nodes,pods", "--all-namespaces", f"--kubeconfig={site.access}"), specs(site)
    with site.never_silent():
        cluster.load_provider(site.lab)
        site.clusterctl("upgrade", "apply", f"--control-plane=kamaji:{NOW}", "--wait-providers")
        site.kubectl("-n", deploy.NAMESPACE, "rollout", "status", deploy.DEPLOYMENT, "--timeout=300s")
        handed_out_again(site)
        site.kubectl("wait", f"cluster/{NAME}", "--for=condition=Available", "--timeout=300s")
    assert site.running("pods", "--all-namespaces", f"--selector=!{OURS.partition('=')[0]}") == there
    assert site.running("nodes,pods", "--all-namespaces", f"--kubeconfig={site.access}") == inside
    assert site.tenant("get", "configmap", "kept", "-o", "jsonpath={.data.said}") == "before"
    assert specs(site) == said


def handed_out_again(site: Site) -> None:
    """Both rooms of the version that runs now look after what the earlier one has made."""
    for secret in (f"{NAME}-admin-kubeconfig", f"{NAME}-kubeconfig"):
        site.kubectl("-n", NAMESPACE, "delete", "secret", secret)
        site.kubectl("-n", NAMESPACE, "wait", "--for=create", f"secret/{secret}", "--timeout=300s")


def test_a17_nothing_of_the_earlier_version_is_left_and_all_of_this_one_is_there(site: Site, sources: Path) -> None:
    wanted = components(Path(__file__).parents[2] / "clusterctl")
    kinds = sorted({each["kind"].lower() for each in [*wanted, *components(sources / "clusterctl")]} | {"configmap"})
    there = site.found(",".join(kinds), "--all-namespaces", f"--selector={OURS}")
    assert names(there) == names(wanted)
    run = [each for each in site.found("pods", "-n", deploy.NAMESPACE) if ours(each)]
    kept = [each for each in run if not each["metadata"].get("deletionTimestamp")]  # one that ends is no longer there
    assert {each["spec"]["containers"][0]["image"] for each in kept} == {wanted_image(wanted)}
    for each in there:
        if each["kind"] == "CustomResourceDefinition":
            (new,) = [one for one in wanted if one["metadata"]["name"] == each["metadata"]["name"]]
            assert each["spec"]["versions"] == new["spec"]["versions"], each["metadata"]["name"]
            served = {one["name"] for one in each["spec"]["versions"] if one["served"]}
            assert set(each["status"]["storedVersions"]) <= served
    said = site.one("provider", "control-plane-kamaji", "-n", deploy.NAMESPACE)
    assert said["version"] == NOW
    log = site.kubectl("-n", deploy.NAMESPACE, "logs", deploy.DEPLOYMENT)
    assert "Traceback" not in log
    assert "is forbidden" not in log


def ours(pod: dict[str, Any]) -> bool:
    return pod["metadata"]["labels"].get(OURS.partition("=")[0]) == CONTROL_PLANE


def wanted_image(found: list[dict[str, Any]]) -> str:
    (deployment,) = [each for each in found if each["kind"] == "Deployment"]
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def test_a17_what_the_earlier_version_made_ends_under_this_one_without_a_trace(site: Site) -> None:
    site.kubectl("delete", f"cluster/{NAME}", "--timeout=300s")
    left = "secrets,deployments,services,configmaps,kamajicontrolplanes,tenantcontrolplanes,machines"
    deadline = time.monotonic() + PATIENCE  # the garbage collector comes when it comes
    while traces := [each for each in names(site.found(left, "-n", NAMESPACE)) if each[1].startswith(NAME)]:
        assert time.monotonic() < deadline, traces
        time.sleep(1)
