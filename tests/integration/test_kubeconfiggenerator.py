"""KubeconfigGenerators before real API servers: one that manages, and one that is a tenant and says who came."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.servers import ApiServer, Authority, Etcd, free_port
from provider.api import kinds, names
from provider.cluster import connect
from provider.cluster.client import Cluster
from provider.cluster.errors import Forbidden, Refused
from provider.hosting.reconcile.kubeconfiggenerator import CHECK_LONGEST, CHECK_REFUSED
from provider.manifest import Manifest, kubeconfig, lifetime, meta, rbac
from provider.manifest.x509 import Pair
from tests.integration.exposure_world import (
    MANAGER,
    PROVIDER,
    ExposureWorld,
    condition,
    message,
    rights,
    until,
)
from tests.integration.fixtures import COUNTER
from tests.integration.in_force import refused

REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {"name": ""}}


@pytest.fixture
async def world(api_server: ApiServer, management: Cluster, namespace: str) -> AsyncIterator[ExposureWorld]:
    await rights(management)
    acting = await connect.from_kubeconfig(api_server.kubeconfig(PROVIDER, "system:authenticated"))
    yield ExposureWorld(management, acting, namespace)
    await acting.close()


@pytest.fixture
async def name(world: ExposureWorld) -> AsyncIterator[str]:
    """A name for a generator, which ends with the test."""
    name = f"team-{next(COUNTER)}"
    yield name
    if await world.find(kinds.KUBECONFIG_GENERATOR, name):
        patch = {"metadata": {"finalizers": None}}
        await world.cluster.delete(kinds.KUBECONFIG_GENERATOR, name)
        if await world.find(kinds.KUBECONFIG_GENERATOR, name):
            await world.cluster.merge(kinds.KUBECONFIG_GENERATOR, name, None, patch, manager=MANAGER)


def generator(world: ExposureWorld, name: str, **spec: Any) -> Manifest:
    """One that selects the test's namespace."""
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}}
    return meta.new(kinds.KUBECONFIG_GENERATOR, name, spec={"user": {"stringValue": "ops"}, **here, **spec})


async def made(world: ExposureWorld, manifest: Manifest) -> Manifest:
    """Say it, take a pass, and read it again."""
    await world.cluster.apply(manifest, manager=MANAGER)
    await world.generated(manifest["metadata"]["name"])
    return await world.get(kinds.KUBECONFIG_GENERATOR, manifest["metadata"]["name"])


async def client(world: ExposureWorld, secret: str) -> Pair:
    return kubeconfig.parse((await world.secret(secret))["value"]).client


async def test_the_kubeconfig_lets_in_who_it_says_with_his_groups_and_no_more(
    world: ExposureWorld, name: str, tmp_path: Path, plain_etcd: Etcd
) -> None:
    port = free_port()
    await world.tenant(networkProfile={"address": "127.0.0.1", "port": port})
    await world.passed()
    ca = await world.secret(names.ca_secret("demo"))
    signer = Authority(Pair(certificate=ca["ca.crt"], key=ca["ca.key"]))
    spec = {
        "controlPlaneEndpointFrom": "admin.conf",
        "user": {"fromDefinition": "metadata.name"},
        "groups": [{"stringValue": "customers"}, {"fromDefinition": "metadata.namespace"}],
    }
    found = await made(world, generator(world, name, **spec))
    assert (found["status"]["resources"], found["status"]["availableResources"]) == (1, 1)
    assert condition(found, "Ready") == ("True", "Ready")
    tenant = ApiServer(tmp_path, plain_etcd, prefix=f"/{name}", authority=signer, port=port).start()
    try:
        session = await connect.from_kubeconfig((await world.secret(f"demo-{name}"))["value"])
        who = (await session.create(REVIEW))["status"]["userInfo"]
        assert who["username"] == "demo"
        assert set(who["groups"]) == {"customers", world.namespace, "system:authenticated"}
        with pytest.raises(Forbidden):
            await session.list(kinds.SECRET, "default")
        administrator = await connect.from_kubeconfig(tenant.kubeconfig())
        binding = rbac.cluster_role_binding("customers", "cluster-admin", {}, rbac.group("customers"))
        await administrator.apply(binding, manager=MANAGER)

        async def let_in() -> bool:
            try:
                return await session.list(kinds.SECRET, "default") is not None
            except Forbidden:
                return False

        await until(let_in, "the binding is in force")
        await session.close()
        await administrator.close()
    finally:
        tenant.stop()


async def test_its_secret_is_upstreams_in_every_word(world: ExposureWorld, name: str) -> None:
    await world.tenant()
    await world.passed()
    await made(world, generator(world, name))
    secret = await world.get(kinds.SECRET, f"demo-{name}")
    labels = meta.labels_of(secret)
    assert labels["kamaji.clastix.io/managed-by"] == name
    assert labels["kamaji.clastix.io/managed-for"] == "demo"
    assert labels["kamaji.clastix.io/certificate_lifecycle_controller"] == "kubeconfig"
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("TenantControlPlane", "demo", True)
    read = kubeconfig.parse((await world.secret(f"demo-{name}"))["value"])
    assert (read.cluster, read.user, read.context) == ("demo", name, name)
    assert read.server == f"https://demo.{world.namespace}.svc:6443"


async def test_tenants_are_selected_and_let_go_by_their_labels(world: ExposureWorld, name: str) -> None:
    for each, tier in (("one", "gold"), ("two", "silver"), ("three", "gold")):
        await world.tenant(each, metadata={"labels": {"tier": tier}})
        await world.passed(each)
    gold = {"tenantControlPlaneSelector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold"]}]}}
    found = await made(world, generator(world, name, **gold))
    assert found["status"]["resources"] == found["status"]["availableResources"] == 2
    assert await world.find(kinds.SECRET, f"two-{name}") is None
    before = await client(world, f"one-{name}")
    await world.tenant("three", metadata={"labels": {"tier": "silver"}})
    await world.generated(name)
    assert await world.find(kinds.SECRET, f"three-{name}") is None
    assert await client(world, f"one-{name}") == before
    await made(world, generator(world, name, **gold, namespaceSelector={"matchLabels": {"no": "such"}}))
    assert await world.find(kinds.SECRET, f"one-{name}") is None


@pytest.mark.keeps("better.generators")
async def test_with_the_generator_go_its_kubeconfigs_and_nobody_elses(world: ExposureWorld, name: str) -> None:
    await world.tenant()
    await world.passed()
    await made(world, generator(world, name))
    labels = {names.LABEL_MANAGED_BY: name, names.LABEL_MANAGED_FOR: "demo"}
    mine = meta.new(kinds.SECRET, "mine", world.namespace, labels=labels)
    await world.cluster.apply(mine, manager=MANAGER)
    await world.cluster.delete(kinds.KUBECONFIG_GENERATOR, name)
    assert (await world.get(kinds.KUBECONFIG_GENERATOR, name))["metadata"]["finalizers"]
    await world.generated(name)
    assert await world.find(kinds.KUBECONFIG_GENERATOR, name) is None
    assert await world.find(kinds.SECRET, f"demo-{name}") is None
    assert await world.find(kinds.SECRET, "mine") is not None
    assert await world.find(kinds.SECRET, names.ca_secret("demo")) is not None


async def test_a_secret_of_the_same_name_that_is_not_ours_is_left_and_told(world: ExposureWorld, name: str) -> None:
    await world.tenant()
    await world.passed()
    await world.cluster.apply(
        meta.new(kinds.SECRET, f"demo-{name}", world.namespace, data=meta.secret_data({"mine": "x"})), manager=MANAGER
    )
    found = await made(world, generator(world, name))
    assert found["status"]["availableResources"] == 0
    assert "exists and is not this generator's" in found["status"]["errors"][0]["message"]
    await world.cluster.delete(kinds.KUBECONFIG_GENERATOR, name)
    await world.generated(name)
    assert await world.secret(f"demo-{name}") == {"mine": b"x"}


async def test_one_tenants_failure_is_its_own_and_is_over_when_it_is(world: ExposureWorld, name: str) -> None:
    await world.tenant("born")
    await world.passed("born")
    await world.tenant("unborn")
    found = await made(world, generator(world, name))
    assert (found["status"]["resources"], found["status"]["availableResources"]) == (2, 1)
    (error,) = found["status"]["errors"]
    assert error["resource"] == f"{world.namespace}/unborn"
    assert "its admin kubeconfig is not made yet" in error["message"]
    assert condition(found, "Ready") == ("False", "KubeconfigsMissing")
    await world.passed("unborn")
    await world.generated(name)
    found = await world.get(kinds.KUBECONFIG_GENERATOR, name)
    assert "errors" not in found["status"]
    assert found["status"]["availableResources"] == 2
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]


async def test_what_is_lost_tampered_or_asked_for_anew_is_made_again(world: ExposureWorld, name: str) -> None:
    await world.tenant()
    await world.passed()
    await made(world, generator(world, name))
    secret = f"demo-{name}"
    await world.cluster.delete(kinds.SECRET, secret, world.namespace)
    await world.generated(name)
    first = await client(world, secret)
    patch = {"data": meta.secret_data({"value": b"tampered"})}
    await world.cluster.merge(kinds.SECRET, secret, world.namespace, patch, manager=MANAGER)
    await world.generated(name)
    second = await client(world, secret)
    assert second != first
    asked = {"metadata": {"annotations": {names.ANNOTATION_ROTATE: ""}}}
    await world.cluster.merge(kinds.SECRET, secret, world.namespace, asked, manager=MANAGER)
    await world.generated(name)
    assert await client(world, secret) != second
    done = meta.annotations_of(await world.get(kinds.SECRET, secret))[names.ANNOTATION_ROTATE]
    assert datetime.fromisoformat(done) > datetime.now(UTC) - timedelta(minutes=5)


async def test_the_authority_and_the_address_of_a_tenant_are_followed(world: ExposureWorld, name: str) -> None:
    await world.tenant(networkProfile={"address": "192.0.2.1"})
    await world.passed()
    await made(world, generator(world, name, controlPlaneEndpointFrom="admin.conf"))
    secret = f"demo-{name}"
    first = kubeconfig.parse((await world.secret(secret))["value"])
    await world.tenant(networkProfile={"address": "192.0.2.2"})
    await world.passed()
    await world.generated(name)
    moved = kubeconfig.parse((await world.secret(secret))["value"])
    assert (first.server, moved.server) == ("https://192.0.2.1:6443", "https://192.0.2.2:6443")
    assert moved.client == first.client
    await world.cluster.delete(kinds.SECRET, names.ca_secret("demo"), world.namespace)
    await world.passed()
    await world.generated(name)
    rotated = kubeconfig.parse((await world.secret(secret))["value"])
    assert rotated.ca != moved.ca
    assert rotated.client != moved.client


@pytest.mark.keeps("better.generators")
async def test_renewal_is_by_deadline_and_nothing_is_written_before(world: ExposureWorld, name: str) -> None:
    await world.tenant()
    await world.passed()
    await made(world, generator(world, name))
    before = await world.versions(kinds.SECRET)
    reported = await world.get(kinds.KUBECONFIG_GENERATOR, name)
    assert await world.generated(name) == CHECK_LONGEST
    assert await world.versions(kinds.SECRET) == before
    assert await world.get(kinds.KUBECONFIG_GENERATOR, name) == reported
    first = await client(world, f"demo-{name}")
    tenant = await world.get(kinds.TENANT_CONTROL_PLANE, "demo")
    share = lifetime.RENEW_AFTER - lifetime.spread(tenant["metadata"]["uid"])
    due = datetime.now(UTC) + timedelta(days=365) * share
    soon = replace(world, now=lambda: due - timedelta(minutes=30))
    again = await soon.generated(name)
    assert again is not None
    assert 0 < again < 3600
    assert await client(world, f"demo-{name}") == first
    later = replace(world, now=lambda: due + timedelta(minutes=30))
    assert await later.generated(name) == CHECK_LONGEST
    assert await client(world, f"demo-{name}") != first


async def test_a_tenant_that_is_being_deleted_keeps_its_kubeconfig_until_it_goes(
    world: ExposureWorld, name: str
) -> None:
    await world.tenant(metadata={"finalizers": ["tests/hold"]})
    await world.passed()
    await made(world, generator(world, name))
    await world.cluster.delete(kinds.TENANT_CONTROL_PLANE, "demo", world.namespace)
    await world.generated(name)
    assert (await world.get(kinds.KUBECONFIG_GENERATOR, name))["status"]["resources"] == 0
    assert await world.find(kinds.SECRET, f"demo-{name}") is not None
    await world.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, "demo", world.namespace, {"metadata": {"finalizers": None}}, manager=MANAGER
    )
    await world.generated(name)
    assert await world.find(kinds.SECRET, f"demo-{name}") is None


async def test_a_paused_generator_does_nothing_and_can_still_go(world: ExposureWorld, name: str) -> None:
    await world.tenant()
    await world.passed()
    await made(world, generator(world, name))
    paused = {"metadata": {"annotations": {names.ANNOTATION_PAUSED: "true"}}}
    await world.cluster.merge(kinds.KUBECONFIG_GENERATOR, name, None, paused, manager=MANAGER)
    await world.cluster.delete(kinds.SECRET, f"demo-{name}", world.namespace)
    assert await world.generated(name) is None
    assert await world.find(kinds.SECRET, f"demo-{name}") is None
    await world.cluster.delete(kinds.KUBECONFIG_GENERATOR, name)
    await world.generated(name)
    assert await world.find(kinds.KUBECONFIG_GENERATOR, name) is None


async def test_a_selector_that_means_nothing_takes_nothing_away(world: ExposureWorld, name: str) -> None:
    await world.tenant()
    await world.passed()
    await made(world, generator(world, name))
    unclear = {"matchExpressions": [{"key": "tier", "operator": "Is", "values": ["gold"]}]}
    found = await made(world, generator(world, name, tenantControlPlaneSelector=unclear))
    assert condition(found, "Ready") == ("False", "SelectorInvalid")
    assert "write In or NotIn with values" in message(found, "Ready")
    assert await world.find(kinds.SECRET, f"demo-{name}") is not None


async def test_what_the_management_cluster_refuses_is_told_and_tried_again(world: ExposureWorld, name: str) -> None:
    await world.tenant()
    await world.passed()
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full", "namespace": world.namespace}}
    await world.cluster.apply({**quota, "spec": {"hard": {"count/secrets": "0"}}}, manager=MANAGER)
    await world.cluster.merge(
        await world.cluster.kind_of(quota),
        "full",
        world.namespace,
        {"status": {"hard": {"count/secrets": "0"}, "used": {"count/secrets": "8"}}},
        subresource="status",
        manager=MANAGER,
    )
    numbers = itertools.count()
    await refused(lambda: world.cluster.create(meta.new(kinds.SECRET, f"probe-{next(numbers)}", world.namespace)))
    await world.cluster.apply(generator(world, name), manager=MANAGER)
    assert await world.generated(name) == CHECK_REFUSED
    found = await world.get(kinds.KUBECONFIG_GENERATOR, name)
    assert "the management cluster refuses its Secret" in found["status"]["errors"][0]["message"]


@pytest.mark.keeps("rules.generators")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spec": {"user": {"stringValue": "system:masters"}}}, "Kubernetes' own"),
        ({"spec": {"user": {"stringValue": "a"}, "groups": [{"stringValue": "system:masters"}]}}, "Kubernetes' own"),
        ({"spec": {"user": {"stringValue": "a", "fromDefinition": "b"}}}, "exactly one of stringValue"),
        ({"spec": {"user": {}}}, "exactly one of stringValue"),
        ({"spec": {}}, "spec.user"),
        ({"metadata": {"name": "ca"}}, "which tenants' own Secrets are called after"),
        ({"metadata": {"name": "kubeconfig"}}, "which tenants' own Secrets are called after"),
        ({"metadata": {"name": "a" * 64}}, "at most 63 characters"),
    ],
)
async def test_what_can_be_known_at_once_is_refused_at_once(
    world: ExposureWorld, changes: dict[str, Any], words: str
) -> None:
    manifest = {**generator(world, "refused"), **changes}
    with pytest.raises(Refused, match=words):
        await world.cluster.apply(manifest, manager=MANAGER, dry_run=True)


async def test_upstreams_sample_is_taken(world: ExposureWorld) -> None:
    exists = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "Exists", "values": []}]}
    spec = {
        "controlPlaneEndpointFrom": "admin.conf",
        "groups": [{"stringValue": "custom.group.tld"}, {"fromDefinition": "metadata.namespace"}],
        "namespaceSelector": exists,
        "tenantControlPlaneSelector": exists,
        "user": {"fromDefinition": "metadata.name"},
    }
    await world.cluster.apply(meta.new(kinds.KUBECONFIG_GENERATOR, "sample", spec=spec), manager=MANAGER, dry_run=True)
