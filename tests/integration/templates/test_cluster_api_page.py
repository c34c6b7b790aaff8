"""docs/cluster-api.md: its commands are carried out, in order, before an API server that has all the kinds they are about."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab import capi_repository, programs
from lab.servers import ApiServer
from tests.integration.templates.provider_kinds import documents, providers

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "cluster-api.md").read_text()
AUTOSCALER = ROOT / "docs" / "cluster-autoscaler.yaml"
INSTALL = "Tell clusterctl where this provider is"
STORIES = {
    "openstack": (INSTALL, "OpenStack"),
    "vsphere": (INSTALL, "vSphere"),
    "metal3": (INSTALL, "Metal3", "The same as a class", "Cluster autoscaler"),
}
INSTALLED = {  # by option of `clusterctl init`
    "core": "CoreProvider",
    "bootstrap": "BootstrapProvider",
    "control-plane": "ControlPlaneProvider",
    "infrastructure": "InfrastructureProvider",
    "ipam": "IPAMProvider",
}
FILES = ("clouds.yaml", "username", "password")  # that the page says lie in this folder


def blocks(section: str) -> list[str]:
    """What a section tells the reader to type, but for what needs a running cluster (`sh live`)."""
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(params=STORIES)
def told(request: pytest.FixtureRequest, kinds_of_all: ApiServer, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The story and the folder in which it was carried out, as a new user, in a namespace of its own."""
    story, namespace = request.param, f"page-{request.param}"
    kinds_of_all.kubectl("create", "namespace", namespace)
    for each in FILES:
        (tmp_path / each).write_text("said\n")
    for each in ("clusterctl", "docs"):
        (tmp_path / each).symlink_to(ROOT / each)
    for each in ("clusterctl", "kubectl"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / each).symlink_to(programs.path(each))
    kubeconfig = yaml.safe_load((kinds_of_all.folder / "kubeconfig").read_text())
    kubeconfig["contexts"][0]["context"]["namespace"] = namespace
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    script = "".join(each for section in STORIES[story] for each in blocks(section))
    script = script.replace("--target-namespace default", f"--target-namespace {namespace}")
    script = script.replace("NAMESPACE=default", f"NAMESPACE={namespace}")
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "CLUSTERCTL_DISABLE_VERSIONCHECK": "true",
        "GOPROXY": "off",
    }
    command = ["bash", "-e", "-u", "-o", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    yield story, tmp_path


def test_who_follows_the_page_has_a_cluster_that_the_server_accepted(
    told: tuple[str, Path], kinds_of_all: ApiServer
) -> None:
    story, folder = told
    made = {(each["kind"], each["metadata"]["name"]) for each in documents((folder / "mine.yaml").read_text())}
    assert {("Cluster", "mine"), ("KamajiControlPlane", "mine"), ("MachineDeployment", "mine-md-0")} <= made
    there = kinds_of_all.kubectl(
        *("--namespace", f"page-{story}", "get", "cluster,kamajicontrolplane,machinedeployment", "--output=name")
    )
    assert b"kamajicontrolplane.controlplane.cluster.x-k8s.io/mine" in there.stdout
    if story == "metal3":
        assert b"cluster.cluster.x-k8s.io/classy" in there.stdout
        asked_of_the_autoscaler(kinds_of_all, f"page-{story}")


def asked_of_the_autoscaler(server: ApiServer, namespace: str) -> None:
    """What its ServiceAccount may and may not."""

    def may(verb: str, resource: str, where: str = namespace, subresource: str = "") -> bool:
        account = f"--as=system:serviceaccount:{namespace}:mine-autoscaler"
        options = (account, f"--namespace={where}", f"--subresource={subresource}")
        done = server.kubectl("auth", "can-i", verb, resource, *options, check=False)
        return done.stdout.decode().strip() == "yes"

    group = "cluster.x-k8s.io"
    assert may("list", f"machinedeployments.{group}")
    assert may("patch", f"machinedeployments.{group}", subresource="scale")
    assert not may("patch", f"machinedeployments.{group}")
    assert may("update", f"machines.{group}")
    assert may("get", f"metal3machinetemplates.infrastructure.{group}")
    assert not may("delete", f"machines.{group}")
    assert not may("get", "secrets")
    assert not may("list", f"machinedeployments.{group}", "default")


def test_every_provider_that_the_page_installs_is_one_that_clusterctl_knows(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CLUSTERCTL_DISABLE_VERSIONCHECK": "true"}
    command = [programs.path("clusterctl"), "config", "repositories", "--output", "yaml"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    known = {(each["ProviderType"], each["Name"]) for each in yaml.safe_load(done.stdout)}
    told = re.findall(r"^[A-Z_=a-z]*\s*clusterctl init (--.*)$", PAGE, re.MULTILINE)
    asked = [dict(re.findall(r"--(\S+) (\S+)", each)) for each in told]
    assert {each["infrastructure"] for each in asked} == set(STORIES)
    named = {(INSTALLED[kind], name) for each in asked for kind, name in each.items()}
    assert named <= known
    (metal3,) = [each for each in asked if each["infrastructure"] == "metal3"]
    assert metal3["ipam"] == "metal3", "without the kinds of its provider of addresses Metal3's does not start"


def test_classes_are_switched_on_in_the_file_that_the_page_makes(tmp_path: Path) -> None:
    config = configured(tmp_path)
    manager = capi_repository.module("cluster-api") / "core" / "config" / "manager" / "manager.yaml"
    assert "ClusterTopology=${CLUSTER_TOPOLOGY:=false}" in manager.read_text(), "who says nothing gets no classes"
    assert yaml.safe_load(config.read_text())["CLUSTER_TOPOLOGY"] == "true"


def test_an_image_of_ones_own_is_the_one_that_is_installed(tmp_path: Path) -> None:
    config = configured(tmp_path)
    (section,) = re.findall(rf"^## {INSTALL}\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE)
    (said,) = re.findall(r"^```yaml\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    config.write_text(config.read_text() + said)
    words = ["generate", "provider", "--control-plane", "kamaji:v0.1.0", f"--config={config}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CLUSTERCTL_DISABLE_VERSIONCHECK": "true"}
    command = [programs.path("clusterctl"), *words]
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    images = set(re.findall(r"image: (\S+/provider:\S+)", text))
    assert images == {"registry.example.com/team/provider:v0.1.0"}
    assert next(iter(images)) in section, "it is the one that was built"


def configured(home: Path) -> Path:
    """clusterctl's file of a user who has typed the first section, but for its last line, which asks clusterctl."""
    script = "".join(blocks(INSTALL)).rpartition("clusterctl generate provider")[0]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    subprocess.run(["bash", "-euc", script], cwd=ROOT, env=environment, check=True)
    return home / ".config" / "cluster-api" / "clusterctl.yaml"


def test_the_autoscaler_may_read_the_machine_templates_of_all_our_templates() -> None:
    text = re.sub(r"\$\{\w+\}", "x", AUTOSCALER.read_text())
    (role,) = [each for each in documents(text) if each["kind"] == "Role"]
    (rule,) = [each for each in role["rules"] if each["apiGroups"] == ["infrastructure.cluster.x-k8s.io"]]
    machines = {f"{kind.lower()}s" for each in providers() for kind in each.kinds if kind.endswith("MachineTemplate")}
    assert set(rule["resources"]) == machines


def test_the_page_says_what_every_template_asks_for() -> None:
    for each in providers():
        assert f"`{each.name}`" in PAGE or f"templates/{each.name}/" in PAGE
        missing = [name for name in each.row["variables"] if name not in PAGE]
        assert not missing, each.name
    (metal3,) = [each for each in providers() if each.name == "metal3"]
    assert metal3.row["version"] in PAGE, "the page names the release whose overrides folder it fills"
