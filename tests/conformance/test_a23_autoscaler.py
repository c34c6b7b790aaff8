"""A23: docs/cluster-autoscaler.yaml lets the autoscaler ask what its Cluster API provider asks, and core does what it says.

The autoscaler itself is not here, for no registry serves it: its requests are made in its name, each as its provider makes it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import programs
from lab.infrastructure.kinds import MACHINE
from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import Forbidden
from provider.manifest import Manifest, meta
from tests.conformance import core, kubelet
from tests.conformance.core import until
from tests.conformance.test_a09_workers_with_core import MACHINE_DEPLOYMENT, MACHINE_SET
from tests.conformance.test_a22_many_machines import DEV_MACHINE, documents
from tests.conformance.world import World
from tests.integration.in_force import let_through
from tests.integration.templates.provider_kinds import documents as documents_of
from tests.integration.templates.provider_kinds import providers

pytestmark = pytest.mark.nightly

MANIFEST = Path(__file__).parents[2] / "docs" / "cluster-autoscaler.yaml"
ACCOUNT = "c-autoscaler"
DEV_MACHINE_TEMPLATE = Kind("infrastructure.cluster.x-k8s.io/v1beta2", "DevMachineTemplate", "devmachinetemplates")
MACHINE_POOL = Kind(MACHINE.api_version, "MachinePool", "machinepools")
WATCHED = (MACHINE_DEPLOYMENT, MACHINE_SET, MACHINE_POOL, MACHINE)
DELETE = f"{names.CAPI_GROUP}/delete-machine"
CAPACITY = "capacity.cluster-autoscaler.kubernetes.io"
FROM_ZERO = {f"{CAPACITY}/cpu": "2", f"{CAPACITY}/memory": "4Gi"}
POOL = "c-md-0"


def rendered(world: World) -> list[Manifest]:
    """The manifest as docs/cluster-api.md has it made."""
    said = {"CLUSTER_NAME": "c", "NAMESPACE": world.namespace, "KUBERNETES_MINOR": "1.36"}
    command = [str(programs.path("clusterctl")), "generate", "yaml", f"--from={MANIFEST}"]
    offline = {"CLUSTERCTL_DISABLE_VERSIONCHECK": "true", "GOPROXY": "off"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **offline, **said})
    assert done.returncode == 0, done.stderr
    return documents_of(done.stdout)


@asynccontextmanager
async def scaling(world: World) -> AsyncIterator[Cluster]:
    """A connection with the rights that the manifest gives its account, and no others."""
    for each in rendered(world):
        await world.everybody.apply(each, manager="user")
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{world.namespace}", "system:authenticated")
    found = await connect.from_kubeconfig(world.server.kubeconfig(user(world), *groups))
    await let_through(lambda: found.list(MACHINE_DEPLOYMENT, world.namespace), Forbidden)
    yield found
    await found.close()


async def born(world: World, folder: Path, workers: int) -> None:
    """Our template, whose machines run."""
    for each in documents(folder, world, workers):
        await world.everybody.apply(each, manager="user")
    await core.asked(world, "c")
    await world.host("c")
    await until(lambda: are_running(world, workers), "machines that run")


async def machines(world: World) -> list[Manifest]:
    return await world.everybody.list(MACHINE, world.namespace)


async def are_running(world: World, count: int) -> bool:
    await world.reconcile("c")
    found = [(each.get("status") or {}).get("phase") for each in await machines(world)]
    return found == ["Running"] * count


async def resize(autoscaler: Cluster, world: World, replicas: int) -> None:
    """As its provider does: the scale is read, and then nothing but the number is merged into it."""
    group = f"/apis/{MACHINE_DEPLOYMENT.api_version}/namespaces/{world.namespace}"
    assert '"kind":"Scale"' in await autoscaler.text(f"{group}/{MACHINE_DEPLOYMENT.plural}/{POOL}/scale")
    patch = {"spec": {"replicas": replicas}}
    await autoscaler.merge(
        MACHINE_DEPLOYMENT, POOL, world.namespace, patch, subresource="scale", manager="cluster-autoscaler"
    )


async def mark(autoscaler: Cluster, world: World, name: str) -> None:
    """The whole Machine is written back with the annotation, as its provider does."""

    async def written() -> bool:
        seen = await autoscaler.get(MACHINE, name, world.namespace)
        assert seen is not None
        annotations = {**meta.annotations_of(seen), DELETE: "now"}
        file = world.server.folder / "machine.json"
        file.write_text(json.dumps({**seen, "metadata": {**seen["metadata"], "annotations": annotations}}))
        done = world.server.kubectl("replace", f"--filename={file}", f"--as={user(world)}", check=False)
        assert done.returncode == 0 or b"object has been modified" in done.stderr, done.stderr
        return done.returncode == 0

    await until(written, "the annotation")


def user(world: World) -> str:
    """Whom the API server knows the autoscaler by."""
    return f"system:serviceaccount:{world.namespace}:{ACCOUNT}"


async def test_a23_the_autoscaler_scales_up_by_scale_and_down_by_the_machine_that_it_marks(
    in_memory: World, tmp_path: Path
) -> None:
    async with kubelet.running(in_memory, DEV_MACHINE), scaling(in_memory) as autoscaler:
        await born(in_memory, tmp_path, 1)
        (first,) = await machines(in_memory)
        await resize(autoscaler, in_memory, 3)
        await until(lambda: are_running(in_memory, 3), "two machines more")
        # The oldest is not the one that core would take by itself.
        there = {each["metadata"]["name"] for each in await machines(in_memory)}
        marked = first["metadata"]["name"]
        await mark(autoscaler, in_memory, marked)
        await resize(autoscaler, in_memory, 2)

        async def gone() -> bool:
            await in_memory.reconcile("c")
            return {each["metadata"]["name"] for each in await machines(in_memory)} == there - {marked}

        await until(gone, "the end of the marked machine, and of no other")


async def test_a23_all_that_the_autoscaler_asks_is_let_through_and_nothing_else(in_memory: World) -> None:
    async with scaling(in_memory) as autoscaler:
        await in_memory.everybody.apply(template(in_memory), manager="user")
        for kind in WATCHED:
            await autoscaler.list(kind, in_memory.namespace)
        assert await autoscaler.get(DEV_MACHINE_TEMPLATE, "t", in_memory.namespace) is not None
        await autoscaler.list(DEV_MACHINE_TEMPLATE, in_memory.namespace)
        for kind in (kinds.SECRET, kinds.KAMAJI_CONTROL_PLANE, kinds.CLUSTER):
            with pytest.raises(Forbidden):
                await autoscaler.list(kind, in_memory.namespace)
        with pytest.raises(Forbidden):
            await autoscaler.list(MACHINE)  # of all namespaces
        with pytest.raises(Forbidden):
            await autoscaler.delete(MACHINE, "none", in_memory.namespace)
    for each in requests():
        assert await allowed(in_memory, **each), each
    for resource, verb in (("machinedeployments", "update"), ("machines", "create"), ("machines", "delete")):
        assert not await allowed(in_memory, group=names.CAPI_GROUP, resource=resource, verb=verb)


def template(world: World) -> Manifest:
    spec: dict[str, Any] = {"template": {"spec": {"backend": {"inMemory": {}}}}}
    return meta.new(DEV_MACHINE_TEMPLATE, "t", world.namespace, spec=spec)


def requests() -> list[dict[str, str]]:
    """What the autoscaler's Cluster API provider asks of the management cluster, also of kinds that are not installed here."""
    found = []
    scaled = ("machinedeployments", "machinesets", "machinepools")
    for resource in (*scaled, "machines"):
        found += [{"group": names.CAPI_GROUP, "resource": resource, "verb": verb} for verb in ("list", "watch")]
    for resource in scaled:
        scale = {"group": names.CAPI_GROUP, "resource": resource, "subresource": "scale"}
        found += [{**scale, "verb": verb} for verb in ("get", "update", "patch")]
    found += [{"group": names.CAPI_GROUP, "resource": "machines", "verb": verb} for verb in ("get", "update")]
    for provider in providers():
        for kind in provider.kinds:
            if kind.endswith("MachineTemplate"):
                asked = {"group": "infrastructure.cluster.x-k8s.io", "resource": f"{kind.lower()}s"}
                found += [{**asked, "verb": verb} for verb in ("get", "list", "watch")]
    return found


async def allowed(world: World, **asked: str) -> bool:
    """What the API server itself says of the account."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {"name": ""},
        "spec": {"user": user(world), "resourceAttributes": {**asked, "namespace": world.namespace}},
    }
    return bool((await world.everybody.create(review))["status"]["allowed"])


async def test_a23_a_pool_that_has_no_machine_says_what_one_would_have_and_gets_its_first(
    in_memory: World, tmp_path: Path
) -> None:
    async with kubelet.running(in_memory, DEV_MACHINE), scaling(in_memory) as autoscaler:
        await born(in_memory, tmp_path, 0)
        for annotation, value in FROM_ZERO.items():
            await in_memory.annotate(MACHINE_DEPLOYMENT, POOL, annotation, value)

        async def told() -> bool:
            """Core hands them on to the MachineSet, in whose place the autoscaler may look."""
            await in_memory.reconcile("c")
            sets = await autoscaler.list(MACHINE_SET, in_memory.namespace)
            return bool(sets) and all(FROM_ZERO.items() <= meta.annotations_of(each).items() for each in sets)

        await until(told, "the capacity of a machine that is not there")
        (pool,) = await autoscaler.list(MACHINE_DEPLOYMENT, in_memory.namespace)
        assert FROM_ZERO.items() <= meta.annotations_of(pool).items()
        reference = pool["spec"]["template"]["spec"]["infrastructureRef"]
        assert await autoscaler.get(DEV_MACHINE_TEMPLATE, reference["name"], in_memory.namespace) is not None
        await resize(autoscaler, in_memory, 1)
        await until(lambda: are_running(in_memory, 1), "the first machine")


def test_a23_the_manifests_autoscaler_looks_at_its_own_cluster_and_reads_its_kubeconfig() -> None:
    (deployment,) = [each for each in yaml.safe_load_all(MANIFEST.read_text()) if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    assert "--cloud-provider=clusterapi" in arguments
    assert "--node-group-auto-discovery=clusterapi:namespace=${NAMESPACE},clusterName=${CLUSTER_NAME}" in arguments
    (kubeconfig,) = [each for each in arguments if each.startswith("--kubeconfig=")]
    (mount,) = pod["containers"][0]["volumeMounts"]
    assert kubeconfig == f"--kubeconfig={mount['mountPath']}/value"  # the key of the contract
    (volume,) = pod["volumes"]
    assert volume["secret"]["secretName"] == "${CLUSTER_NAME}-kubeconfig"
