"""A KubeconfigGenerator hands out kubeconfigs that work, for whom it selects, and takes them back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import Forbidden
from provider.manifest import Manifest, meta, rbac
from tests.e2e.conftest import kubectl, tenant, tenant_session, until, until_condition

REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {"name": ""}}


@pytest.fixture
def generator(namespace: str) -> Iterator[Manifest]:
    """As upstream's sample, for tenants of the test's namespace that carry a label; gone afterwards."""
    spec = {
        "controlPlaneEndpointFrom": "admin.svc",
        "user": {"fromDefinition": "metadata.name"},
        "groups": [{"stringValue": "custom.group.tld"}, {"fromDefinition": "metadata.namespace"}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "tenantControlPlaneSelector": {"matchExpressions": [{"key": "tenant.clastix.io", "operator": "Exists"}]},
    }
    yield meta.new(kinds.KUBECONFIG_GENERATOR, namespace, spec=spec)
    kubectl("delete", "kubeconfiggenerator", namespace, "--ignore-not-found", "--wait=true", "--timeout=300s")


async def made(management: Cluster, secret: str, namespace: str) -> bytes:
    """The kubeconfig, once there is one."""

    async def look() -> bytes | None:
        return meta.decoded(await management.get(kinds.SECRET, secret, namespace)).get("value")

    found = await until(look, f"Secret {namespace}/{secret}")
    assert isinstance(found, bytes)
    return found


async def until_status(management: Cluster, name: str, **wanted: Any) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = await management.get(kinds.KUBECONFIG_GENERATOR, name)
        status = (found or {}).get("status") or {}
        return status if all(status.get(key) == value for key, value in wanted.items()) else None

    found = await until(look, f"{name} says {wanted}")
    assert isinstance(found, dict)
    return found


async def test_a_generated_kubeconfig_lets_in_who_it_says_and_no_more(
    management: Cluster, namespace: str, generator: Manifest
) -> None:
    name = generator["metadata"]["name"]
    await management.apply(generator, manager="e2e")
    await until_status(management, name, resources=0, availableResources=0)
    manifest = tenant("served", namespace)
    manifest["metadata"]["labels"] = {"tenant.clastix.io": "served"}
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "Ready")
    content = await made(management, f"served-{name}", namespace)
    await until_status(management, name, resources=1, availableResources=1)

    administrator = await tenant_session(management, "served", namespace)
    session = await connect.from_kubeconfig(content)
    who = (await session.create(REVIEW))["status"]["userInfo"]
    assert who["username"] == "served"
    assert set(who["groups"]) == {"custom.group.tld", namespace, "system:authenticated"}
    with pytest.raises(Forbidden):
        await session.list(kinds.SECRET, "kube-system")
    binding = rbac.cluster_role_binding("e2e-readers", "view", {}, rbac.group("custom.group.tld"))
    await administrator.apply(binding, manager="e2e")

    async def let_in() -> bool:
        try:
            return await session.list(kinds.CONFIG_MAP, "kube-system") is not None
        except Forbidden:
            return False

    await until(let_in, "the tenant's own binding lets the group in")
    await session.close()
    await administrator.close()


async def test_what_is_deleted_comes_again_and_what_is_let_go_is_taken_back(
    management: Cluster, namespace: str, generator: Manifest
) -> None:
    name = generator["metadata"]["name"]
    manifest = tenant("chosen", namespace)
    manifest["metadata"]["labels"] = {"tenant.clastix.io": "chosen"}
    await management.apply(manifest, manager="e2e")
    await management.apply(generator, manager="e2e")
    first = await made(management, f"chosen-{name}", namespace)
    kubectl("delete", "secret", "-n", namespace, f"chosen-{name}")

    async def again() -> bool:
        found = meta.decoded(await management.get(kinds.SECRET, f"chosen-{name}", namespace)).get("value")
        return found is not None and found != first

    await until(again, "the kubeconfig is made again")
    second = await made(management, f"chosen-{name}", namespace)
    rotate = {"metadata": {"annotations": {names.ANNOTATION_ROTATE: ""}}}
    kubectl("patch", "secret", "-n", namespace, f"chosen-{name}", "--type=merge", "-p", json.dumps(rotate))

    async def rotated() -> bool:
        found = meta.decoded(await management.get(kinds.SECRET, f"chosen-{name}", namespace)).get("value")
        return found is not None and found != second

    await until(rotated, "it is made anew when somebody asks")

    async def gone() -> bool:
        return await management.get(kinds.SECRET, f"chosen-{name}", namespace) is None

    kubectl("label", "tcp", "-n", namespace, "chosen", "tenant.clastix.io-")
    await until(gone, "it is taken back when the tenant's label goes")
    kubectl("label", "tcp", "-n", namespace, "chosen", "tenant.clastix.io=again")
    await made(management, f"chosen-{name}", namespace)
    here = {"spec": {"namespaceSelector": {"matchLabels": {"environment": "production"}}}}
    kubectl("patch", "kubeconfiggenerator", name, "--type=merge", "-p", json.dumps(here))
    await until(gone, "it is taken back when the namespace is not meant any more")
    kubectl("label", "namespace", namespace, "environment=production")
    await made(management, f"chosen-{name}", namespace)
    kubectl("delete", "kubeconfiggenerator", name, "--timeout=300s")
    await until(gone, "with the generator go its kubeconfigs")


async def test_what_cannot_be_made_is_told_and_made_once_it_can(
    management: Cluster, namespace: str, generator: Manifest
) -> None:
    name = generator["metadata"]["name"]
    generator["spec"]["user"] = {"fromDefinition": r"metadata.annotations.example\.com/owner"}
    manifest = tenant("unowned", namespace)
    manifest["metadata"]["labels"] = {"tenant.clastix.io": "unowned"}
    await management.apply(manifest, manager="e2e")
    await until_condition(management, manifest, "CertificatesReady")
    await management.apply(generator, manager="e2e")
    found = await until_status(management, name, resources=1, availableResources=0)
    (error,) = found["errors"]
    assert error["resource"] == f"{namespace}/unowned"
    assert "leads nowhere in this tenant: add the field" in error["message"]
    kubectl("annotate", "tcp", "-n", namespace, "unowned", "example.com/owner=system:masters")

    async def refused() -> bool:
        status = (await management.get(kinds.KUBECONFIG_GENERATOR, name) or {}).get("status") or {}
        return any("Kubernetes' own" in each["message"] for each in status.get("errors") or ())

    await until(refused, "a name of Kubernetes' own is refused")
    kubectl("annotate", "tcp", "-n", namespace, "unowned", "example.com/owner=alice", "--overwrite")
    await made(management, f"unowned-{name}", namespace)
    await until_status(management, name, resources=1, availableResources=1)
