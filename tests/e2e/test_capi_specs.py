"""Cluster API's own end-to-end specs, as its project runs them, against this provider and the lab's machines.

tests/capi says which, and what a control plane without Machines is waited for by; `lab build` makes the program of it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from lab.infrastructure import kinds
from tests.e2e.conftest import VERSION

pytestmark = pytest.mark.nightly

SPECS = (
    "QuickStart",
    "QuickStartClassy",
    "MachineDeploymentScale",
    "MachineDeploymentRemediation",
    "ClusterDeletion",
    "ClusterClassChanges",
)
AT_ONCE = 3
CHECKED = """
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineHealthCheck
metadata:
  name: ${CLUSTER_NAME}
  namespace: ${NAMESPACE}
spec:
  clusterName: ${CLUSTER_NAME}
  selector:
    matchLabels:
      cluster.x-k8s.io/deployment-name: ${CLUSTER_NAME}-md-0
  checks:
    unhealthyNodeConditions:
      - type: e2e.remediation.condition
        status: "False"
        timeoutSeconds: 5
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """clusterctl's configuration of the lab, with one more flavor: workers under a health check, as a spec asks for."""
    folder = tmp_path_factory.mktemp("specs")
    home = Path(os.environ["XDG_CONFIG_HOME"]) / "cluster-api"
    known = yaml.safe_load((home / "clusterctl.yaml").read_text())
    shutil.copytree(home / kinds.PROVIDER, folder / kinds.PROVIDER)
    (cloud,) = [each for each in known["providers"] if each["type"] == "InfrastructureProvider"]
    components = folder / Path(cloud["url"]).relative_to(home)
    cloud["url"] = str(components)
    plain = (components.parent / "cluster-template.yaml").read_text()
    (components.parent / "cluster-template-md-remediation.yaml").write_text(plain + CHECKED)
    (folder / "clusterctl.yaml").write_text(yaml.safe_dump(known))
    return folder / "clusterctl.yaml"


@pytest.fixture(scope="module")
def said(
    request: pytest.FixtureRequest, config: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, subprocess.CompletedProcess[str]]:
    """What came of each spec that is asked for. Much of what they do is to wait, so a few run at a time."""
    calls = (getattr(each, "callspec", None) for each in request.session.items if each.path == request.path)
    wanted = dict.fromkeys(call.params["spec"] for call in calls if call and "spec" in call.params)

    def run(spec: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path_factory.mktemp(spec)
        words = {"CLUSTERCTL_CONFIG": str(config), "ARTIFACTS": str(folder), "KUBERNETES_VERSION": VERSION}
        command = ["cluster-api-specs", f"--ginkgo.focus={spec} Should", "--ginkgo.v", "--ginkgo.no-color"]
        command.append("--ginkgo.timeout=25m")  # then it says where it stands, and clears up
        return subprocess.run(
            command, env={**os.environ, **words}, cwd=folder, capture_output=True, text=True, timeout=1620, check=False
        )

    with ThreadPoolExecutor(AT_ONCE) as hands:
        return dict(zip(wanted, hands.map(run, wanted), strict=True))


@pytest.mark.parametrize("spec", SPECS)
def test_a21_a_spec_of_cluster_api_passes(spec: str, said: dict[str, subprocess.CompletedProcess[str]]) -> None:
    done = said[spec]
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"Ran 1 of \d+ Specs", done.stdout), done.stdout[-2000:]
