"""`helm uninstall` says no while there are tenants: the real helm before a real API server, and the very command of its Job.

Nobody runs pods here, so the test does what a kubelet and the Job controller would: the command that the Job says, with the
token of its ServiceAccount and no other right, and a status that says how it ended. With pods: tests/lab/test_install.py.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.chart.__main__ import CHART
from docs.evidence import ROOT
from lab.servers import ApiServer
from provider.api import kinds
from provider.cluster import connect
from provider.manifest import Manifest
from tests.integration import test_chart as chart
from tests.integration.test_chart import NAMESPACE, TENANT, helm, hooks, manager, rendered, server

__all__ = ["server"]
NAME = "kamaji-uninstall"
JOB = ("Job", NAME)
RELEASE = ("kamaji", "--namespace", NAMESPACE)


def test_before_it_goes_a_job_asks_which_may_list_tenants_and_nothing_else() -> None:
    found = hooks(namespace="elsewhere")
    assert {kind for kind, _ in found} == {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Job"}
    weights = {kind: int(each["metadata"]["annotations"]["helm.sh/hook-weight"]) for (kind, _), each in found.items()}
    assert weights.pop("Job") > max(weights.values()), "its rights are there before it"
    for each in found.values():
        said = each["metadata"]["annotations"]
        assert said[chart.HOOK] == "pre-delete"
        assert said["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    granted = {
        (group, resource, verb)
        for rule in found["ClusterRole", NAME]["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == {
        ("kamaji.clastix.io", "tenantcontrolplanes", "list"),
        ("controlplane.cluster.x-k8s.io", "kamajicontrolplanes", "list"),
    }
    who = {"kind": "ServiceAccount", "name": NAME, "namespace": "elsewhere"}
    assert found["ClusterRoleBinding", NAME]["subjects"] == [who]
    assert found[JOB]["spec"]["template"]["spec"]["serviceAccountName"] == NAME
    assert not [key for key in rendered() if key[1] == NAME], "nothing of it is there before"


def test_its_pod_is_of_the_providers_image_and_goes_where_that_may() -> None:
    said = {
        "image": {"repository": "registry.local/provider", "tag": "v9"},
        "imagePullSecrets": [{"name": "pull"}],
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"operator": "Exists"}],
        "podLabels": {"team": "x"},
    }
    values = [f"--set-json={key}={json.dumps(value)}" for key, value in said.items()]
    job, provider = hooks(*values)[JOB], rendered(*values)
    template = job["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert container["image"] == manager(provider)["image"] == "registry.local/provider:v9"
    assert container["securityContext"] == manager(provider)["securityContext"]
    assert container["args"] == ["uninstall", f"--release={NAMESPACE}/kamaji", "--revision=1"]
    wanted = provider["Deployment", "kamaji-provider"]["spec"]["template"]["spec"]
    for key in ("securityContext", "imagePullSecrets", "nodeSelector", "tolerations", "volumes"):
        assert template["spec"][key] == wanted[key], key
    labels = template["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/name": NAME, "team": "x"}, "no Service and no budget counts it as the provider"
    assert job["spec"]["backoffLimit"] == 0


@pytest.fixture
def installed(server: ApiServer) -> Iterator[ApiServer]:
    """With a tenant."""
    helm("install", RELEASE[0], CHART, *RELEASE[1:], "--create-namespace", server=server)
    crds = ("crd/tenantcontrolplanes.kamaji.clastix.io", "crd/kamajicontrolplanes.controlplane.cluster.x-k8s.io")
    server.kubectl("wait", "--for=condition=Established", "--timeout=180s", *crds)
    file = server.folder / "tenant.json"
    file.write_text(json.dumps(TENANT))
    server.kubectl("create", "-f", str(file))
    yield server


async def left(server: ApiServer, *, fails: bool) -> tuple[str, subprocess.CompletedProcess[str]]:
    """`helm uninstall`, while its Job is carried out; what it says, and what the Job's command came to."""
    removal = asyncio.create_task(
        asyncio.to_thread(helm, "uninstall", *RELEASE, "--timeout=300s", server=server, fails=fails)
    )
    done = await carried_out(server, removal)
    return await removal, done


async def carried_out(server: ApiServer, removal: asyncio.Task[str]) -> subprocess.CompletedProcess[str]:
    job = await begun(server, removal)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert "command" not in container, "the image's own entry point"
    kubeconfig = await asyncio.to_thread(of_the_service_account, server, pod["serviceAccountName"])
    command = [sys.executable, "-m", "provider", *container["args"], f"--kubeconfig={kubeconfig}"]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, cwd=ROOT, env={"HOME": str(server.folder)}
    )
    ended = finished(done.returncode)
    status = ("-n", NAMESPACE, "patch", "job", NAME, "--subresource=status", "--type=merge", "-p", json.dumps(ended))
    await asyncio.to_thread(server.kubectl, *status)
    return done


async def begun(server: ApiServer, removal: asyncio.Task[str]) -> Manifest:
    """The Job, once Helm has made it."""
    cluster = await connect.from_kubeconfig(server.kubeconfig())
    try:
        async with asyncio.timeout(240):
            while (found := await cluster.get(kinds.JOB, NAME, NAMESPACE)) is None or over(found):
                assert not removal.done(), removal.result()
                await asyncio.sleep(0.1)
    finally:
        await cluster.close()
    return found


def over(job: Manifest) -> bool:
    """One of before, which is about to be deleted."""
    return bool(job.get("status", {}).get("conditions"))


def finished(status: int) -> dict[str, Any]:
    """As the Job controller says it."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    said = {"status": "True", "lastProbeTime": now, "lastTransitionTime": now}
    if status == 0:
        conditions = [{"type": each, **said} for each in ("SuccessCriteriaMet", "Complete")]
        return {"status": {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions}}
    why = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
    conditions = [{"type": each, **said, **why} for each in ("FailureTarget", "Failed")]
    return {"status": {"startTime": now, "failed": 1, "conditions": conditions}}


def of_the_service_account(server: ApiServer, name: str) -> Path:
    """A kubeconfig with a token of it."""
    token = server.kubectl("create", "token", name, "-n", NAMESPACE).stdout.decode().strip()
    document = yaml.safe_load(server.kubeconfig())
    document["users"][0]["user"] = {"token": token}
    file = server.folder / "kubeconfig-of-the-job"
    file.write_text(yaml.safe_dump(document))
    return file


async def test_with_a_tenant_it_is_refused_with_its_name_and_nothing_is_gone(installed: ApiServer) -> None:
    told, done = await left(installed, fails=True)
    assert NAME in told, "of its words Helm picks others from time to time"
    assert (done.returncode, done.stderr) == (1, "")
    assert "1 TenantControlPlane: default/mine" in done.stdout
    assert "kubectl -n default delete tenantcontrolplanes.kamaji.clastix.io mine" in done.stdout
    there = installed.kubectl("get", "deployments,serviceaccounts,clusterroles", "-A", "-o", "name").stdout.decode()
    assert {"deployment.apps/kamaji-provider", "clusterrole.rbac.authorization.k8s.io/kamaji-hosting"} <= set(
        there.split()
    )
    assert NAME not in there, "the Job's rights go with its no"

    # What it says about the release is so: Helm upgrades it no more, until it is taken back by the command that is printed.
    assert "has no deployed releases" in helm("upgrade", RELEASE[0], CHART, *RELEASE[1:], server=installed, fails=True)
    (back,) = [line.split() for line in done.stdout.splitlines() if "helm rollback" in line]
    helm(*back[1:], server=installed)
    helm("upgrade", RELEASE[0], CHART, *RELEASE[1:], server=installed)

    told, done = await left(installed, fails=True)
    assert "helm rollback kamaji 3 " in done.stdout, "of the revision that is about to go"
    (first,) = [line.split() for line in done.stdout.splitlines() if line.startswith("    kubectl ")]
    installed.kubectl(*first[1:])
    told, done = await left(installed, fails=False)
    assert (done.returncode, done.stdout) == (0, "There are no tenants.\n")
    assert "uninstalled" in told
    assert (
        "kamaji" not in installed.kubectl("get", "deployments,jobs,clusterroles,sa", "-A", "-o", "name").stdout.decode()
    )


async def test_who_cannot_tell_whether_there_are_tenants_says_so_and_the_provider_stays(
    server: ApiServer, tmp_path: Path
) -> None:
    """No right, no API server; a cluster without the kinds has no tenants."""
    stranger = tmp_path / "stranger"
    stranger.write_bytes(server.kubeconfig("stranger", "strangers"))
    nobody = tmp_path / "nobody"
    document = yaml.safe_load(stranger.read_text())
    document["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    nobody.write_text(yaml.safe_dump(document))
    admin = server.folder / "kubeconfig"
    for file, status, words in (
        (stranger, 3, "is forbidden"),
        (nobody, 3, "so the provider stays"),
        (admin, 0, "no tenants"),
    ):
        arguments = ["uninstall", "--release=a/b", "--revision=1", "--patience=1", f"--kubeconfig={file}"]
        command = [sys.executable, "-m", "provider", *arguments]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, cwd=ROOT)
        said = done.stdout if status == 0 else done.stderr
        assert (done.returncode, words in said) == (status, True), done
        assert "Traceback" not in done.stderr
