"""The Helm chart renders what config/ says, and the real helm installs, upgrades and removes it at a real API server."""

from __future__ import annotations

import base64
import itertools
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.chart import values
from config.chart.__main__ import CHART
from lab import programs
from lab.servers import ApiServer, Etcd

Manifest = dict[str, Any]
NAMESPACE = "kamaji-system"
TENANT = {
    "apiVersion": "kamaji.clastix.io/v1alpha1",
    "kind": "TenantControlPlane",
    "metadata": {"name": "mine", "namespace": "default"},
    "spec": {
        "kubernetes": {"version": "v1.36.3", "kubelet": {"cgroupfs": "systemd"}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}},
    },
}
KEEP = {"helm.sh/resource-policy": "keep"}
HOOK = "helm.sh/hook"
COUNTER = itertools.count(1)


def helm(*arguments: str | Path, server: ApiServer | None = None, fails: bool = False) -> str:
    """Run it; what it says, of an error if it has to fail."""
    home = tempfile.mkdtemp(prefix="helm-")  # nothing of the machine's own helm is read or written
    environment = {"PATH": "/usr/bin:/bin", "HOME": home, "HELM_NO_PLUGINS": "1"}
    where = ["--kubeconfig", str(server.folder / "kubeconfig")] if server else []
    command = [str(programs.path("helm")), *map(str, arguments), *where]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    shutil.rmtree(home)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


def rendered(*arguments: str, namespace: str = NAMESPACE) -> dict[tuple[str, str], Manifest]:
    """But for hooks, which are no part of what is installed: `hooks`."""
    found = templated(*arguments, namespace=namespace)
    return {key: each for key, each in found.items() if not hooked(each)}


def hooks(*arguments: str, namespace: str = NAMESPACE) -> dict[tuple[str, str], Manifest]:
    found = templated(*arguments, namespace=namespace)
    return {key: each for key, each in found.items() if hooked(each)}


def templated(*arguments: str, namespace: str = NAMESPACE) -> dict[tuple[str, str], Manifest]:
    return keyed(yaml.safe_load_all(helm("template", "kamaji", CHART, "--namespace", namespace, *arguments)))


def hooked(found: Manifest) -> bool:
    return HOOK in (found["metadata"].get("annotations") or {})


def keyed(documents: Any) -> dict[tuple[str, str], Manifest]:
    found = [each for each in documents if each]
    assert len({(each["kind"], each["metadata"]["name"]) for each in found}) == len(found)
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def configured() -> dict[tuple[str, str], Manifest]:
    """All of config/ but the namespace, which is Helm's to make; clusterctl's variables at their defaults."""
    files = [values.CONFIG / "manager" / "deployment.yaml", *(values.CONFIG / "rbac").glob("*.yaml")]
    files += (values.CONFIG / "crd").glob("*.yaml")
    text = "\n---\n".join(file.read_text() for file in files)
    return keyed(yaml.safe_load_all(re.sub(r"\$\{\w+:=([^}]*)\}", r"\1", text)))


def manager(found: dict[tuple[str, str], Manifest]) -> Manifest:
    (container,) = found["Deployment", "kamaji-provider"]["spec"]["template"]["spec"]["containers"]
    return container


@pytest.fixture
def server(tmp_path: Path, plain_etcd: Etcd) -> Iterator[ApiServer]:
    """An empty cluster."""
    found = ApiServer(tmp_path / "apiserver", plain_etcd, prefix=f"/chart-{next(COUNTER)}").start()
    yield found
    found.stop()


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The chart as it might have been before TenantControlPlanes told `status.kubeconfig`."""
    copy = tmp_path / "older"
    shutil.copytree(CHART, copy)
    crd = copy / "files" / "crd" / "tenantcontrolplanes.kamaji.clastix.io.yaml"
    document = yaml.safe_load(crd.read_text())
    del document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["kubeconfig"]
    document["spec"]["versions"][0]["additionalPrinterColumns"] = []
    crd.write_text(yaml.safe_dump(document))
    return copy


def test_helm_finds_no_fault() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART)


def test_what_it_renders_is_what_config_says() -> None:
    wanted = configured()
    for (kind, _), each in wanted.items():
        if kind == "CustomResourceDefinition":
            each["metadata"]["annotations"] = KEEP
    found = rendered()
    assert found.keys() == wanted.keys()
    for key, each in found.items():
        assert each == wanted[key], f"{key} of the chart is not the one of config/"


def test_in_another_namespace_all_of_it_is_there() -> None:
    found = templated(namespace="elsewhere")
    assert NAMESPACE not in json.dumps([each for key, each in found.items() if key[0] != "CustomResourceDefinition"])


def test_values_become_what_the_table_says_of_them() -> None:
    said = {
        "image": {"repository": "registry.local/provider", "tag": "v9"},
        "featureGates": {"ExternalClusterReference": True},
        "settings": {"workers": 16, "logFormat": "json", "leaderElect": False, "upgradeDeadline": 1_000_000},
        "defaultDatastoreName": "mine",
        "extraArgs": ["--namespace=tenants"],
        "imagePullSecrets": [{"name": "pull"}],
        "podAnnotations": {"a": "b"},
        "podLabels": {"team": "x"},
        "serviceAccount": {"annotations": {"who": "me"}},
        "resources": {"limits": {"memory": "1Gi"}},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
        "crds": {"install": False},
    }
    found = rendered(*(f"--set-json={key}={json.dumps(value)}" for key, value in said.items()))
    assert not [key for key in found if key[0] == "CustomResourceDefinition"]
    assert found["ServiceAccount", "kamaji-provider"]["metadata"]["annotations"] == {"who": "me"}
    assert "annotations" not in found["ServiceAccount", "kamaji-backup"]["metadata"]
    template = found["Deployment", "kamaji-provider"]["spec"]["template"]
    assert template["metadata"]["annotations"] == {"a": "b"}
    assert template["metadata"]["labels"]["team"] == "x"
    for key in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert template["spec"][key] == said[key]
    container = manager(found)
    assert container["image"] == "registry.local/provider:v9"
    assert container["args"][1].startswith("--feature-gates=ExternalClusterReference=true,")
    assert container["args"][2:] == ["--namespace=tenants"]
    assert container["resources"] == {"limits": {"memory": "1Gi"}, "requests": values.MANAGER["resources"]["requests"]}
    variables = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert variables == {
        "KAMAJI_DEFAULT_DATASTORE": "mine",
        "KAMAJI_WORKERS": "16",
        "KAMAJI_LOG_FORMAT": "json",
        "KAMAJI_LEADER_ELECT": "false",
        "KAMAJI_UPGRADE_DEADLINE": "1000000",
    }


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("replicas=2", "additional properties 'replicas' not allowed"),
        ("settings.workers=many", "at '/settings/workers': got string, want integer"),
        ("settings.metricsPort=1", "additional properties 'metricsPort' not allowed"),
        ("replicaCount=-1", "at '/replicaCount': minimum: got -1, want 0"),
        ("image.pullPolicy=Sometimes", "at '/image/pullPolicy': value must be one of"),
        ("featureGates.Unheard=true", "additional properties 'Unheard' not allowed"),
    ],
)
def test_a_value_that_means_nothing_is_refused_with_where_and_why(said: str, complaint: str) -> None:
    assert complaint in helm("template", "kamaji", CHART, "--set", said, fails=True)


def test_monitoring_comes_when_it_is_asked_for_and_is_the_same_as_in_config() -> None:
    switches = ["podMonitor", "prometheusRule", "dashboards"]
    found = rendered(*(f"--set={each}.enabled=true" for each in switches), "--set=podMonitor.labels.release=prometheus")
    monitor = yaml.safe_load((values.CONFIG / "prometheus" / "podmonitor.yaml").read_text())
    monitor["metadata"]["labels"]["release"] = "prometheus"
    assert found["PodMonitor", "kamaji-provider"] == monitor
    rules = yaml.safe_load((values.CONFIG / "prometheus" / "rules.yaml").read_text())
    assert found["PrometheusRule", "kamaji-provider"] == rules
    for name in ("fleet", "tenant"):
        (text,) = found["ConfigMap", f"kamaji-dashboard-{name}"]["data"].values()
        assert text == (values.CONFIG / "grafana" / f"{name}.json").read_text()
    assert len(found) == len(rendered()) + 4


def test_the_status_page_has_its_rights_when_it_has_a_port_and_in_the_namespace_of_the_release() -> None:
    found = rendered("--set=settings.statusPagePort=8082", namespace="elsewhere")
    said = keyed(yaml.safe_load_all((values.CONFIG / "statuspage" / "rbac.yaml").read_text()))
    said["ClusterRoleBinding", "kamaji-status-page"]["subjects"][0]["namespace"] = "elsewhere"
    without = rendered()
    assert {key: each for key, each in found.items() if key not in without} == said
    assert {"name": "KAMAJI_STATUS_PAGE_PORT", "value": "8082"} in manager(found)["env"]


def test_a_package_of_it_needs_nothing_beside_itself(tmp_path: Path) -> None:
    helm("package", CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("capi-kamaji-*.tgz")
    found = keyed(yaml.safe_load_all(helm("template", "kamaji", package, "--namespace", NAMESPACE)))
    assert found == templated()


def test_a_real_api_server_takes_all_of_it(server: ApiServer) -> None:
    server.kubectl("create", "namespace", NAMESPACE)
    helm("install", "kamaji", CHART, "--namespace", NAMESPACE, "--dry-run=server", server=server)
    assert "kamaji" not in server.kubectl("get", "crd,clusterrole", "-o", "name").stdout.decode()


def test_an_upgrade_upgrades_crds_and_a_removal_leaves_them_with_all_that_is_theirs(
    server: ApiServer, older: Path
) -> None:
    def told_by_crd() -> bool:
        told = server.kubectl("get", "crd", "tenantcontrolplanes.kamaji.clastix.io", "-o", "json").stdout
        schema = json.loads(told)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        return "kubeconfig" in schema["properties"]["status"]["properties"]

    release = ("kamaji", "--namespace", NAMESPACE)
    helm("install", release[0], older, *release[1:], "--create-namespace", server=server)
    server.kubectl("wait", "--for=condition=Established", "--timeout=180s", "crd/tenantcontrolplanes.kamaji.clastix.io")
    assert not told_by_crd()
    helm("upgrade", release[0], CHART, *release[1:], server=server)
    assert told_by_crd()
    file = server.folder / "tenant.json"
    file.write_text(json.dumps(TENANT))
    server.kubectl("create", "-f", str(file))
    helm("uninstall", *release, "--no-hooks", server=server)  # which asks nobody: test_chart_uninstall.py
    assert server.kubectl("get", "tcp", "mine", "-o", "name").stdout.strip()
    left = server.kubectl("get", "deployments,clusterroles,serviceaccounts", "-A", "-o", "name").stdout.decode()
    assert "kamaji" not in left
    helm("install", release[0], CHART, *release[1:], server=server)  # and is taken up again
    assert server.kubectl("get", "tcp", "mine", "-o", "name").stdout.strip()


def test_what_make_install_made_is_taken_over(server: ApiServer) -> None:
    server.kubectl("create", "namespace", NAMESPACE)
    file = server.folder / "config.yaml"
    file.write_text(yaml.safe_dump_all(configured().values()))
    server.kubectl("apply", "--server-side", "-f", str(file))
    told = helm("install", "kamaji", CHART, "--namespace", NAMESPACE, server=server, fails=True)
    assert "cannot be imported into the current release" in told
    helm(
        *("install", "kamaji", CHART, "--namespace", NAMESPACE, "--take-ownership", "--force-conflicts"), server=server
    )
    owned = server.kubectl("get", "crd", "-o", "jsonpath={.items[*].metadata.labels.app\\.kubernetes\\.io/managed-by}")
    assert owned.stdout.split() == [b"Helm"] * len(list((values.CONFIG / "crd").glob("*.yaml")))


def test_a_release_is_far_from_what_a_secret_may_hold(server: ApiServer) -> None:
    helm("install", "kamaji", CHART, "--namespace", NAMESPACE, "--create-namespace", server=server)
    secrets = json.loads(server.kubectl("-n", NAMESPACE, "get", "secrets", "-o", "json").stdout)["items"]
    (release,) = (each for each in secrets if each["type"] == "helm.sh/release.v1")
    size = len(base64.b64decode(release["data"]["release"]))
    assert size < 2**19
