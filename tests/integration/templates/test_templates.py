"""clusterctl/templates before real CRDs: what clusterctl makes of them is accepted, and both flavours make the same cluster."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
import yaml

from lab.servers import ApiServer
from tests.integration.templates.provider_kinds import (
    TEMPLATES,
    VERSION,
    Manifest,
    Provider,
    documents,
    generated,
    providers,
)

ALL = providers()
CLASSES = [each for each in ALL if each.has_class]
PATIENCE = 300.0  # seconds; a bound against hanging for ever

each_provider = pytest.mark.parametrize("provider", ALL, ids=lambda each: each.name)
each_class = pytest.mark.parametrize("provider", CLASSES, ids=lambda each: each.name)


def namespace(server: ApiServer, name: str) -> str:
    server.kubectl("create", "namespace", name, check=False)
    return name


def refused(server: ApiServer, folder: Path, text: str, *, dry: bool = True) -> str:
    """What the server has against it; nothing when it accepts. Fields that it does not know count."""
    file = folder / "manifests.yaml"
    file.write_text(text)
    arguments = ["--server-side", "--validate=strict", *(["--dry-run=server"] if dry else [])]
    done = server.kubectl("apply", *arguments, f"--filename={file}", check=False)
    return done.stderr.decode() if done.returncode else ""


def accepted(server: ApiServer, folder: Path, text: str) -> list[Manifest]:
    """The objects as the server would store them."""
    file = folder / "manifests.yaml"
    file.write_text(text)
    done = server.kubectl("apply", "--server-side", "--dry-run=server", f"--filename={file}", "--output=json")
    items: list[Manifest] = json.loads(done.stdout)["items"]
    return items


def test_every_folder_of_templates_is_tested() -> None:
    assert {each.name for each in TEMPLATES.iterdir()} == {each.name for each in ALL} | {"lab"}


@each_provider
def test_a_plain_cluster_is_one_that_the_real_kinds_accept(
    kinds_of_all: ApiServer, tmp_path: Path, provider: Provider
) -> None:
    where = namespace(kinds_of_all, "plain")
    text = generated(tmp_path, where, "--from", str(provider.plain), variables=provider.row["variables"])
    assert not refused(kinds_of_all, tmp_path, text)
    assert {each["metadata"]["namespace"] for each in documents(text)} == {where}


@each_class
def test_a_class_and_its_cluster_are_ones_that_the_real_kinds_accept(
    kinds_of_all: ApiServer, tmp_path: Path, provider: Provider
) -> None:
    where = namespace(kinds_of_all, "classes")
    text = generated(tmp_path, where, "--from", str(provider.topology), variables=provider.row["variables"])
    assert not refused(kinds_of_all, tmp_path, text)
    done = kinds_of_all.kubectl(
        *("--namespace", where, "apply", "--server-side", "--dry-run=server", "--validate=strict"),
        f"--filename={provider.cluster_class}",
    )
    assert b"clusterclass" in done.stdout


def test_a_field_that_a_provider_does_not_know_is_found(kinds_of_all: ApiServer, tmp_path: Path) -> None:
    where = namespace(kinds_of_all, "plain")
    for provider in ALL:
        text = generated(tmp_path, where, "--from", str(provider.plain), variables=provider.row["variables"])
        cluster, _, infrastructure, *_ = documents(text)
        assert infrastructure["kind"] == cluster["spec"]["infrastructureRef"]["kind"]
        wrong = {**infrastructure, "spec": {**(infrastructure.get("spec") or {}), "noSuchField": True}}
        assert "noSuchField" in refused(kinds_of_all, tmp_path, yaml.safe_dump(wrong)), provider.name


@each_provider
def test_a_template_asks_for_nothing_that_the_table_of_variables_does_not_say(
    tmp_path: Path, provider: Provider
) -> None:
    for file in [provider.plain, *([provider.topology] if provider.has_class else [])]:
        said = generated(tmp_path, "x", "--from", str(file), "--list-variables", variables={})
        required = said.partition("Required Variables:")[2].partition("Optional Variables:")[0].split("-")
        names = {each.strip() for each in required if each.strip()} - {"CLUSTER_NAME"}
        assert names == set(provider.row["variables"]), file


@each_provider
def test_the_flavours_lie_in_a_repository_as_clusterctl_looks_for_them(tmp_path: Path, provider: Provider) -> None:
    label, release = f"infrastructure-{provider.name}", provider.row["version"]
    home = tmp_path / "releases" / label / release
    home.mkdir(parents=True)
    (home / "infrastructure-components.yaml").write_text("{}\n")
    major, minor, _ = release.removeprefix("v").split(".")
    series = [{"major": int(major), "minor": int(minor), "contract": "v1beta2"}]
    metadata = {"apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3", "kind": "Metadata", "releaseSeries": series}
    (home / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    shutil.copytree(TEMPLATES / provider.name, tmp_path / "overrides" / label / release)
    url = str(home / "infrastructure-components.yaml")
    named = {"name": provider.name, "type": "InfrastructureProvider", "url": url}
    said = {"providers": [named], "overridesFolder": str(tmp_path / "overrides")}
    (tmp_path / "clusterctl.yaml").write_text(yaml.safe_dump(said))
    source = ("--infrastructure", f"{provider.name}:{release}", "--flavor")
    plain = generated(tmp_path, "x", *source, "kamaji", variables=provider.row["variables"])
    assert plain == generated(tmp_path, "x", "--from", str(provider.plain), variables=provider.row["variables"])
    if not provider.has_class:
        return
    topology = documents(generated(tmp_path, "x", *source, "kamaji-topology", variables=provider.row["variables"]))
    assert [each["kind"] for each in topology if each["kind"] in ("ClusterClass", "Cluster")] == [
        "ClusterClass",
        "Cluster",
    ]


def test_azure_has_no_class_because_its_template_cannot_say_that_the_control_plane_is_elsewhere(
    kinds_of_all: ApiServer, tmp_path: Path
) -> None:
    spec = {"template": {"spec": {"location": "westeurope", "controlPlaneEnabled": False}}}
    template = {"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "AzureClusterTemplate"}
    manifest = {**template, "metadata": {"name": "t", "namespace": namespace(kinds_of_all, "plain")}, "spec": spec}
    said = refused(kinds_of_all, tmp_path, yaml.safe_dump(manifest))
    assert "controlPlaneEnabled" in said, "now it can: write the class"


@pytest.fixture(scope="module")
def made(core: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> ApiServer:
    """A cluster of every class, all made by core at once, in a namespace each."""
    folder = tmp_path_factory.mktemp("classes")
    for provider in CLASSES:
        where = namespace(core, f"class-{provider.name}")
        core.kubectl("--namespace", where, "apply", "--server-side", f"--filename={provider.cluster_class}")
        text = generated(folder, where, "--from", str(provider.topology), variables=provider.row["variables"])
        assert not refused(core, folder, text, dry=False)
    return core


@each_class
def test_core_makes_of_a_class_what_the_plain_flavour_says(made: ApiServer, tmp_path: Path, provider: Provider) -> None:
    where = f"class-{provider.name}"
    say_that_it_serves(made, where)
    text = generated(
        tmp_path, namespace(made, "plain"), "--from", str(provider.plain), variables=provider.row["variables"]
    )
    wanted = {each["kind"]: stripped(each) for each in accepted(made, tmp_path, text) if each["kind"] != "Cluster"}
    deadline = time.monotonic() + PATIENCE
    while (found := by_kind(made, where, wanted)).keys() != wanted.keys():
        assert time.monotonic() < deadline, (sorted(found), reconciled(made, where))
        time.sleep(0.3)
    assert found == wanted
    assert reconciled(made, where)["status"] == "True", reconciled(made, where)


def say_that_it_serves(server: ApiServer, where: str) -> None:
    """As our provider would: core makes workers only when the control plane runs the version that is asked for."""
    selector = "--selector=cluster.x-k8s.io/cluster-name=c"
    server.kubectl("--namespace", where, "wait", "--for=create", "kamajicontrolplane", selector, "--timeout=180s")
    (found,) = listed(server, where, "kamajicontrolplane")
    numbers = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "upToDateReplicas"), 2)
    versions = [{"version": VERSION, "replicas": 2}]
    status = {"version": VERSION, "versions": versions, "initialization": {"controlPlaneInitialized": True}, **numbers}
    name, patch = found["metadata"]["name"], json.dumps({"status": status})
    target = ("kamajicontrolplane", name, "--subresource=status", "--type=merge", f"--patch={patch}")
    server.kubectl("--namespace", where, "patch", *target)


def listed(server: ApiServer, where: str, kind: str) -> list[Manifest]:
    selector = "--selector=cluster.x-k8s.io/cluster-name=c"
    items: list[Manifest] = json.loads(
        server.kubectl("--namespace", where, "get", kind, selector, "--output=json").stdout
    )["items"]
    return items


def by_kind(server: ApiServer, where: str, kinds: dict[str, Manifest]) -> dict[str, Manifest]:
    return {each["kind"]: stripped(each) for each in listed(server, where, ",".join(kinds))}


def stripped(manifest: Manifest) -> Manifest:
    """What a user says of it: names that core chooses are left out."""
    spec: Manifest = json.loads(json.dumps(manifest.get("spec") or {}))
    if manifest["kind"] == "MachineDeployment":
        machine = spec["template"]["spec"]
        kept = {key: machine.get(key) for key in ("version", "failureDomain", "clusterName")}
        refs = [machine["infrastructureRef"]["kind"], machine["bootstrap"]["configRef"]["kind"]]
        return {"replicas": spec["replicas"], "machine": kept, "refs": refs}
    return spec


def reconciled(server: ApiServer, where: str) -> Manifest:
    (cluster,) = json.loads(server.kubectl("--namespace", where, "get", "cluster", "--output=json").stdout)["items"]
    conditions = cluster.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == "TopologyReconciled"), {})
