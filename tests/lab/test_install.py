"""`make install` into a cluster that has nothing of ours and no Cluster API: the README's words, carried out.

Then by Helm, which takes over what is there and takes nothing away while there is a tenant.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab import cluster, programs
from lab.state import Lab
from lab.steps import down

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a lab makes namespaces: run as root")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def bare() -> Iterator[Lab]:
    """A management cluster with the provider's image and nothing else."""
    lab = Lab("bare")
    for step in (cluster.boot, cluster.initialize, cluster.services, cluster.load_provider):
        step(lab)
    yield lab
    down(lab)


def tenant_of_the_readme() -> str:
    """The README's example. This cluster has no load balancer, so the Service is one that needs none."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    example = yaml.safe_load(text)
    assert example["spec"]["controlPlane"]["service"]["serviceType"] == "LoadBalancer"
    example["spec"]["controlPlane"]["service"]["serviceType"] = "ClusterIP"
    return yaml.safe_dump(example)


def helm(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Where the cluster's addresses are. Nothing of the machine's own helm is read or written."""
    command = [*cluster.exec_prefix(lab), str(programs.path("helm")), *arguments, "--namespace=kamaji-system"]
    environment = {**cluster.environment(lab), "HELM_NO_PLUGINS": "1"} | {
        f"HELM_{each}_HOME": str(lab.root / "helm") for each in ("CACHE", "CONFIG", "DATA")
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_make_install_is_all_it_takes_also_twice(bare: Lab) -> None:
    for _ in range(2):
        command = [*cluster.exec_prefix(bare), "make", "-C", str(ROOT), "install"]
        done = subprocess.run(command, env=cluster.environment(bare), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    cluster.kubectl(bare, ["wait", "--for=create", "datastore/default", "--timeout=300s"])
    cluster.kubectl(bare, ["wait", "--for=jsonpath={.status.ready}=true", "datastore/default", "--timeout=300s"])
    cluster.kubectl(bare, ["apply", "-f", "-"], stdin=tenant_of_the_readme())
    cluster.kubectl(bare, ["wait", "--for=condition=Ready", "tcp/mine", "--timeout=300s"])
    said = cluster.kubectl(bare, ["get", "clusterrolebinding", "kamaji-bootstrap-reader", "-o", "yaml"])
    assert "${" not in said, "clusterctl's variables have their defaults when clusterctl is not there"
    taken_over_and_not_taken_away(bare)


def taken_over_and_not_taken_away(lab: Lab) -> None:
    """By the chart; `helm uninstall` prints what its Job says, and that is enough to go on either way."""
    chart = str(ROOT / "charts" / "capi-kamaji")
    done = helm(lab, "install", "kamaji", chart, "--take-ownership", "--force-conflicts", "--wait")
    assert done.returncode == 0, done.stderr
    pods = cluster.kubectl(lab, ["get", "pods", "-l", "kamaji.clastix.io/name=mine", "-o", "name"])
    assert pods, "the tenant has pods"

    done = helm(lab, "uninstall", "kamaji")
    assert done.returncode != 0, done.stdout
    said = (done.stdout + done.stderr).replace("\\n", "\n")  # Helm 4 logs all that a hook wrote as one message
    assert "1 TenantControlPlane: default/mine" in said
    (back,) = [line.split() for line in said.splitlines() if "helm rollback" in line]
    done = helm(lab, *back[1 : back.index("-n")])
    assert done.returncode == 0, done.stderr
    cluster.kubectl(lab, ["-n", "kamaji-system", "rollout", "status", "deployment/kamaji-provider", "--timeout=300s"])
    assert cluster.kubectl(lab, ["get", "pods", "-l", "kamaji.clastix.io/name=mine", "-o", "name"]) == pods

    (first,) = [line.split() for line in said.splitlines() if line.strip().startswith("kubectl ")]
    cluster.kubectl(lab, [*first[1:], "--timeout=300s"])
    done = helm(lab, "uninstall", "kamaji")
    assert done.returncode == 0, done.stderr
    left = cluster.kubectl(lab, ["get", "deployments,jobs,clusterroles,serviceaccounts", "-A", "-o", "name"])
    assert "kamaji-provider" not in left
    assert "kamaji-uninstall" not in left
    assert "datastores.kamaji.clastix.io" in cluster.kubectl(lab, ["get", "crds", "-o", "name"])
