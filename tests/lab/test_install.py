"""`make install` into a cluster that has nothing of ours and no Cluster API: the README's words, carried out."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab import cluster
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
