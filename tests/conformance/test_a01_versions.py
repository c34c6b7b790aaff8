"""A1: v1alpha1 beside v1alpha2, both ways without loss; contract v1beta1 for cores that read it; objects of older releases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.servers import ApiServer, Etcd
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster import connect
from provider.manifest import Manifest, meta
from tests.conformance.conftest import CONFIG
from tests.conformance.world import World
from tests.unit.provider.capi import fields

OLDER = Kind(
    f"{names.CONTROL_PLANE_GROUP}/{names.CONTROL_PLANE_OLDER}",
    kinds.KAMAJI_CONTROL_PLANE.kind,
    kinds.KAMAJI_CONTROL_PLANE.plural,
)
OLDER_TEMPLATE = Kind(
    OLDER.api_version, kinds.KAMAJI_CONTROL_PLANE_TEMPLATE.kind, kinds.KAMAJI_CONTROL_PLANE_TEMPLATE.plural
)
BY_VERSION = {"v1alpha1": OLDER, "v1alpha2": kinds.KAMAJI_CONTROL_PLANE}
CRD = "kamajicontrolplanes.controlplane.cluster.x-k8s.io"


def content(manifest: Manifest) -> dict[str, Any]:
    """All but the version's name and the API server's own bookkeeping."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in ("managedFields",)}
    return {**manifest, "apiVersion": "", "metadata": metadata}


@pytest.mark.parametrize(("written", "read"), [("v1alpha1", "v1alpha2"), ("v1alpha2", "v1alpha1")])
async def test_a1_what_is_written_in_one_version_is_read_in_the_other_without_loss(
    world: World, written: str, read: str
) -> None:
    made = await world.apply(BY_VERSION[written], "kcp", spec=fields.everything())
    found = await world.get(BY_VERSION[read], "kcp")
    assert found is not None
    assert found["apiVersion"].endswith(read)
    assert content(found) == content(made)
    # And back by a whole-object write, as a client of one version does to what the other made.
    world.put({**found, "metadata": {**found["metadata"], "labels": {"back": "and-forth"}}})
    back = await world.get(BY_VERSION[written], "kcp")
    assert back is not None
    assert back["spec"] == made["spec"]
    assert back["metadata"]["generation"] == 1


async def test_a1_a_template_is_the_same_in_both_versions(world: World) -> None:
    spec = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"dataStoreName": "shared"}}}
    made = await world.apply(OLDER_TEMPLATE, "t", spec=spec)
    found = await world.get(kinds.KAMAJI_CONTROL_PLANE_TEMPLATE, "t")
    assert found is not None
    assert content(found) == content(made)


async def test_a1_a_core_that_speaks_contract_v1beta1_only_finds_all_that_it_reads(world: World) -> None:
    await world.cluster()
    await world.control_plane()
    await world.adopt()
    await world.reconcile()
    crd = await world.everybody.get(kinds.CUSTOM_RESOURCE_DEFINITION, CRD)
    assert crd is not None
    assert meta.labels_of(crd)["cluster.x-k8s.io/v1beta1"] == "v1alpha1"
    status = (await world.get(OLDER, "kcp") or {})["status"]
    assert (status["initialized"], status["ready"], status["unavailableReplicas"]) == (False, False, 2)
    await world.host(numbers=(2, 2, 1))
    await world.reconcile()
    found = await world.get(OLDER, "kcp")
    assert found is not None
    status = found["status"]
    assert (status["initialized"], status["ready"], status["externalManagedControlPlane"]) == (True, True, True)
    assert (status["replicas"], status["updatedReplicas"], status["readyReplicas"]) == (2, 2, 1)
    assert status["unavailableReplicas"] == 1
    assert set(found["spec"]["controlPlaneEndpoint"]) == {"host", "port"}
    lines = world.kubectl("get", "kamajicontrolplanes.v1alpha1.controlplane.cluster.x-k8s.io").stdout.decode()
    assert lines.splitlines()[1].split()[:4] == ["kcp", "v1.36.3", "true", "true"]


def as_it_was(document: Manifest) -> Manifest:
    """A release that knew v1alpha1 only, and took what it was given."""
    older = next(each for each in document["spec"]["versions"] if each["name"] == "v1alpha1")
    anything = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {key: value for key, value in document["spec"].items() if key != "conversion"}
    spec["versions"] = [{**older, "storage": True, "schema": anything}]
    return {**document, "metadata": {"name": CRD, "labels": {"cluster.x-k8s.io/v1beta1": "v1alpha1"}}, "spec": spec}


async def test_a1_objects_that_a_release_before_stored_as_v1alpha1_are_taken_over(
    tmp_path: Path, plain_etcd: Etcd
) -> None:
    server = ApiServer(tmp_path, plain_etcd, prefix="/stored-older").start()
    try:
        file = CONFIG / f"crd/{CRD}.yaml"
        (tmp_path / "older.yaml").write_text(yaml.safe_dump(as_it_was(yaml.safe_load(file.read_text()))))
        install = ("apply", "--server-side", "--force-conflicts")
        server.kubectl(*install, f"--filename={tmp_path}/older.yaml")
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s")
        everybody = await connect.from_kubeconfig(server.kubeconfig())
        # Its endpoint is "not yet", as a Go client of that release writes it: nothing that v1alpha2 would take.
        spec = {"version": "v1.36.3", "controlPlaneEndpoint": {"host": "", "port": 0}}
        await everybody.apply(meta.new(OLDER, "kcp", "default", spec=spec), manager="before")
        server.kubectl(*install, f"--filename={file}")
        server.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s")
        kind = kinds.KAMAJI_CONTROL_PLANE
        crd = await everybody.get(kinds.CUSTOM_RESOURCE_DEFINITION, CRD)
        assert crd is not None
        assert set(crd["status"]["storedVersions"]) == {"v1alpha1", "v1alpha2"}
        held = {"metadata": {"finalizers": [names.FINALIZER_CONTROL_PLANE]}}
        await everybody.merge(kind, "kcp", "default", held, manager="now")
        endpoint = meta.new(kind, "kcp", "default", spec={"controlPlaneEndpoint": {"host": "10.0.0.1", "port": 50000}})
        now = await everybody.apply(endpoint, manager="now")
        assert now["spec"]["controlPlaneEndpoint"] == {"host": "10.0.0.1", "port": 50000}
        assert now["spec"]["version"] == "v1.36.3"
        await everybody.close()
    finally:
        server.stop()
