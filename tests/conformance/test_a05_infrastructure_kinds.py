"""A5: each row of the infrastructure table against that provider's own CRD, and kinds that are not in the table.

The CRDs come from the providers' Go modules, by version and hash as the table has them; the go command keeps them. Where no
module is served, the fields were written down from the provider's repository; CAPI_KAMAJI_PROVIDER_CRDS=FOLDER takes the real
ones in their place (FOLDER/<provider>/*.yaml).
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from provider.api import kinds, names
from provider.api.kinds import Kind
from provider.capi import infra
from provider.capi.infra import Row
from provider.cluster.errors import Forbidden
from provider.manifest import Manifest
from tests.conformance.conftest import ACCOUNT
from tests.conformance.world import World
from tests.integration.in_force import let_through
from tests.integration.real_controllers import until
from tests.integration.templates.provider_kinds import documents, written

TABLE: dict[str, Any] = tomllib.loads((Path(__file__).parents[2] / "provider/capi/infraclusters.toml").read_text())
SERVED = {kind: row for kind, row in TABLE.items() if "module" in row or "written" in row}
PATCHED = [kind for kind, row in SERVED.items() if row["mode"] == "patch"]
CHECKED = [kind for kind, row in SERVED.items() if row["mode"] == "check"]
LEAST: dict[str, dict[str, Any]] = {
    "AzureCluster": {"location": "here"},
    "DevCluster": {"backend": {"inMemory": {}}},
    "GCPCluster": {"project": "p", "region": "r"},
    "HetznerCluster": {
        "controlPlaneRegions": ["fsn1"],
        "hetznerSecretRef": {"name": "hetzner", "key": {"hcloudToken": "token"}},
        "sshKeys": {},
    },
    "IonosCloudCluster": {"credentialsRef": {"name": "ionos"}},
    "MetalStackCluster": {"partition": "p", "projectID": "p"},
    "OpenStackCluster": {"identityRef": {"name": "cloud", "cloudName": "openstack"}},
    "PacketCluster": {"projectID": "p", "vipManager": "CPEM"},
    "ProxmoxCluster": {
        "dnsServers": ["10.0.0.53"],
        "ipv4Config": {"addresses": ["10.0.1.2-10.0.1.9"], "prefix": 24, "gateway": "10.0.1.1"},
    },
}
"""What each kind cannot be written without."""
MANAGED = {"annotations": {names.ANNOTATION_MANAGED_BY: "kamaji"}}


def crd(row: dict[str, Any]) -> Manifest:
    """The provider's CRD as its module has it, or what was written down of it."""
    if "written" in row:
        found = [each for file in written(row["written"]) for each in documents(file.read_text())]
        (document,) = [each for each in found if each["spec"]["names"]["plural"] == row["plural"]]
        return {**document, "spec": {**document["spec"], "conversion": {"strategy": "None"}}}
    wanted = f"{row['module']}@{row['version']}"
    done = subprocess.run(["go", "mod", "download", "-json", wanted], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout or "{}")
    assert done.returncode == 0, f"go mod download {wanted}: {found.get('Error') or done.stderr}"
    assert found["Sum"] == row["sum"], f"{wanted} is not what the table names"
    (document,) = documents((Path(found["Dir"]) / row["crd"]).read_text())
    return document


@pytest.fixture
async def installed(world: World, request: pytest.FixtureRequest) -> Kind:
    """The kind of the test's parameter `kind`, served by the API server."""
    name = request.getfixturevalue("kind")
    document = crd(SERVED[name])
    file = world.server.folder / f"{name}.json"
    file.write_text(json.dumps(document))
    world.kubectl("apply", "--server-side", f"--filename={file}")
    world.kubectl("wait", "--for=condition=Established", f"crd/{document['metadata']['name']}", "--timeout=180s")
    return await discovered(world, SERVED[name]["group"], name)


async def discovered(world: World, group: str, name: str) -> Kind:
    """A kind, as soon as discovery tells of it: a moment after it is established."""
    await let_through(lambda: world.everybody.discover(group, name))
    kind = await world.everybody.discover(group, name)
    await let_through(lambda: world.everybody.list(kind, world.namespace))
    return kind


async def born_on(world: World, kind: Kind, *, spec: Any = None, **metadata: Any) -> Manifest:
    """A control plane on this infrastructure, up and told; the infrastructure object as it is then."""
    least = {**LEAST.get(kind.kind, {}), **(spec or {})}
    await world.apply(kind, "i", spec=least, **metadata)
    reference = {"apiGroup": kind.api_version.partition("/")[0], "kind": kind.kind, "name": "i"}
    await world.cluster(infrastructureRef=reference)
    await world.control_plane()
    await world.adopt()
    await world.reconcile()
    await world.host()
    await world.reconcile()
    return await seen(world, kind)


async def seen(world: World, kind: Kind) -> Manifest:
    found = await world.get(kind, "i")
    assert found is not None
    return found


async def quiet(world: World, kind: Kind) -> None:
    """A pass more writes nothing, neither here nor there."""
    before, stands = await seen(world, kind), await world.versions()
    world.restart()
    await world.reconcile()
    assert await seen(world, kind) == before
    assert await world.versions() == stands


async def endpoint(world: World) -> tuple[str, int]:
    said = (await world.kcp())["spec"]["controlPlaneEndpoint"]
    return said["host"], said["port"]


def provisioned(manifest: Manifest) -> bool:
    """As a core of either contract reads it."""
    status = manifest.get("status") or {}
    return bool(status.get("ready") or (status.get("initialization") or {}).get("provisioned"))


@pytest.mark.parametrize("kind", PATCHED)
async def test_a5_an_infrastructure_that_has_to_be_told_gets_the_endpoint(
    world: World, kind: str, installed: Kind
) -> None:
    row = infra.table()[kind]
    told = await born_on(world, installed)
    assert infra.endpoint(row, told) == await endpoint(world)
    assert (await world.condition("InfrastructureClusterPatched"))["reason"] == "Succeeded"
    assert provisioned(told) is row.ready
    await quiet(world, installed)


@pytest.mark.parametrize("kind", CHECKED)
async def test_a5_an_infrastructure_that_takes_the_clusters_endpoint_is_not_written(
    world: World, kind: str, installed: Kind
) -> None:
    found = await born_on(world, installed)
    assert found["metadata"]["generation"] == 1
    assert "status" not in found
    assert (await world.condition("InfrastructureClusterPatched"))["reason"] == "Succeeded"
    await quiet(world, installed)


@pytest.mark.parametrize("kind", SERVED)
async def test_a5_one_that_its_provider_leaves_to_us_is_told_and_marked_in_words_that_its_kind_has(
    world: World, kind: str, installed: Kind
) -> None:
    told = await born_on(world, installed, **MANAGED)
    assert infra.endpoint(infra.table()[kind], told) == await endpoint(world)
    assert provisioned(await seen(world, installed))
    await quiet(world, installed)


@pytest.mark.parametrize("kind", SERVED)
async def test_a5_an_endpoint_that_the_infrastructure_says_first_is_kept_and_asked_of_the_tenant(
    world: World, kind: str, installed: Kind
) -> None:
    row = infra.table()[kind]
    spec: dict[str, Any] = {}
    for path, value in ((row.host, "127.0.0.9"), (row.port, 7443)):
        parent = spec
        *parents, last = path.removeprefix("spec.").split(".")
        for each in parents:
            parent = parent.setdefault(each, {})
        parent[last] = value
    found = await born_on(world, installed, spec=spec)
    assert infra.endpoint(row, found) == ("127.0.0.9", 7443)
    assert {"address": "127.0.0.9", "port": 7443}.items() <= (await world.tcp())["spec"]["networkProfile"].items()
    # The hosting room of this test could not follow, and that is told.
    assert (await world.condition("InfrastructureClusterPatched"))["reason"] == "EndpointMismatch"
    assert not provisioned(found)


# --- kinds that are not in the table


def any_crd(*, with_endpoint: bool) -> Manifest:
    """A kind of somebody's own, by the contract, with or without the endpoint in it."""
    text = {"type": "string"}
    said = {"type": "object", "properties": {"host": text, "port": {"type": "integer"}}}
    spec = {"type": "object", "properties": {"controlPlaneEndpoint": said} if with_endpoint else {"zone": text}}
    name = "AnyCluster" if with_endpoint else "OtherCluster"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": spec,
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        },
    }
    plural = f"{name.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.infrastructure.example.com"},
        "spec": {
            "group": "infrastructure.example.com",
            "names": {"kind": name, "listKind": f"{name}List", "plural": plural, "singular": name.lower()},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


async def own_kind(world: World, *, with_endpoint: bool, granted: bool) -> Kind:
    """Such a kind, served, and the right to it, as docs/infrastructure.md says."""
    document = any_crd(with_endpoint=with_endpoint)
    plural = document["spec"]["names"]["plural"]
    role, named = "rbac.authorization.k8s.io", f"own-{plural}"
    _, _, account = ACCOUNT.rpartition(":")
    rules = [
        {"apiGroups": [document["spec"]["group"]], "resources": [plural], "verbs": ["get", "patch"]},
        {"apiGroups": [document["spec"]["group"]], "resources": [f"{plural}/status"], "verbs": ["patch"]},
    ]
    rights = [
        {"apiVersion": f"{role}/v1", "kind": "ClusterRole", "metadata": {"name": named}, "rules": rules},
        {
            "apiVersion": f"{role}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": named},
            "roleRef": {"apiGroup": role, "kind": "ClusterRole", "name": named},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "kamaji-system"}],
        },
    ]
    file = world.server.folder / f"{plural}.yaml"
    file.write_text(yaml.safe_dump_all([document]))
    world.kubectl("apply", "--server-side", f"--filename={file}")
    world.kubectl("wait", "--for=condition=Established", f"crd/{document['metadata']['name']}", "--timeout=180s")
    file.write_text(yaml.safe_dump_all(rights))
    world.kubectl(*(("apply", "--server-side") if granted else ("delete", "--ignore-not-found")), f"--filename={file}")
    kind = await discovered(world, document["spec"]["group"], document["spec"]["names"]["kind"])

    async def so() -> bool:
        try:
            await world.provider.get(kind, "none", world.namespace)
        except Forbidden:
            return not granted
        return granted

    await until(so, "the right to the kind is as it was written")
    return kind


async def test_a5_any_kind_is_told_by_the_contracts_path_once_the_provider_may(world: World) -> None:
    kind = await own_kind(world, with_endpoint=True, granted=False)
    untold = await born_on(world, kind, **MANAGED)
    assert untold["spec"] == {}
    condition = await world.condition("InfrastructureClusterPatched")
    assert (condition["status"], condition["reason"]) == ("False", "KindNotInTable")
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}  # it holds up nothing
    await own_kind(world, with_endpoint=True, granted=True)
    world.restart()
    await world.reconcile()
    told = await seen(world, kind)
    assert infra.endpoint(Row(group="", plural="", mode="patch"), told) == await endpoint(world)
    assert provisioned(told)
    assert (await world.condition("InfrastructureClusterPatched"))["reason"] == "Succeeded"
    await quiet(world, kind)


async def test_a5_a_kind_that_has_no_endpoint_is_told_apart_and_holds_up_nothing(world: World) -> None:
    kind = await own_kind(world, with_endpoint=False, granted=True)
    await born_on(world, kind)
    condition = await world.condition("InfrastructureClusterPatched")
    assert (condition["status"], condition["reason"]) == ("False", "EndpointNotTaken")
    assert "spec.controlPlaneEndpoint.host" in condition["message"]
    assert (await world.status())["initialization"] == {"controlPlaneInitialized": True}


async def test_a5_an_infrastructure_object_that_is_replaced_is_told_again(world: World) -> None:
    kind = await own_kind(world, with_endpoint=True, granted=True)
    first = await born_on(world, kind, **MANAGED)
    await world.delete(kind, "i")
    await world.reconcile()
    assert (await world.condition("InfrastructureClusterPatched"))["reason"] in ("NotFound", "KindNotInTable")
    await world.apply(kind, "i", spec={}, **MANAGED)
    await world.reconcile()
    again = await seen(world, kind)
    assert again["metadata"]["uid"] != first["metadata"]["uid"]
    assert again["spec"] == first["spec"]
    assert provisioned(again)
    assert (await world.get(kinds.TENANT_CONTROL_PLANE, "kcp") or {})["metadata"]["generation"] == 1
