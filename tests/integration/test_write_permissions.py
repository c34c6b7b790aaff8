"""spec.writePermissions inside a real tenant: who is stopped and told why, who goes on, and who deletes the policy in vain."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from provider.api import kinds, names
from provider.cluster import connect, errors
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.hosting.desired.writepermissions import OBJECT
from provider.hosting.reconcile.tenant import RENEWALS
from provider.manifest import kubeconfig, meta, x509
from provider.manifest.x509 import Pair, Request
from tests.integration.hosted import Hosted, context
from tests.integration.in_force import let_through, refused

ALL = {"blockCreation": True, "blockUpdate": True, "blockDeletion": True}
ONLY = {name: {other: other == name for other in ALL} for name in ALL}


async def signed_as(tenant: Hosted, user: str, *groups: str) -> Cluster:
    """A connection as any user, by a certificate of the tenant's CA."""
    ca = meta.decoded(await tenant.get(kinds.SECRET, names.ca_secret(tenant.name)))
    issuer = Pair(certificate=ca["ca.crt"], key=ca["ca.key"])
    world = context(tenant.cluster)
    client = x509.issue(Request(common_name=user, organizations=groups, client=True), issuer, world.mint, world.clock())
    host = names.service_host(tenant.name, tenant.namespace)
    made = kubeconfig.Kubeconfig(cluster="t", server=f"https://{host}", ca=issuer.certificate, user=user, client=client)
    return await connect.from_kubeconfig(made.render(), server=f"https://127.0.0.1:{tenant.port}", tls_server_name=host)


async def in_force(session: Cluster, name: str) -> None:
    """A policy is compiled a moment after it was written."""
    await refused(lambda: tried(session, name))


async def tried(session: Cluster, name: str) -> None:
    """A ConfigMap is made, or changed where it is there, and nothing comes of it."""
    await session.apply(config_map(name, probed="now"), manager="probe", dry_run=True)


def evict(tenant: Hosted, admin_conf: bytes, pod: str) -> None:
    """As `kubectl drain` does. An eviction is posted to the pod, which no kind of ours can say."""
    said = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "default"}}
    read = kubeconfig.parse(admin_conf)
    context = ssl.create_default_context(cadata=read.ca.decode())
    (tenant.folder / "admin.pem").write_bytes(read.client.certificate + read.client.key)
    context.load_cert_chain(tenant.folder / "admin.pem")
    url = f"https://127.0.0.1:{tenant.port}/api/v1/namespaces/default/pods/{pod}/eviction"
    asked = urllib.request.Request(url, json.dumps(said).encode(), {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(asked, timeout=10, context=context).close()
    except urllib.error.HTTPError as error:
        raise errors.of(error.code, error.read()) from None


def config_map(name: str, namespace: str = "default", **data: str) -> dict[str, Any]:
    return meta.new(kinds.CONFIG_MAP, name, namespace, data=data)


@pytest.mark.keeps("rules.write-permissions", "better.write-limits")
async def test_the_administrator_is_stopped_and_told_by_which_field_and_whom_to_ask(tenant: Hosted) -> None:
    admin = await tenant.session()
    await admin.create(config_map("there", a="1"))
    await tenant.say(writePermissions=ALL)
    await tenant.look()
    await in_force(admin, "new")
    with pytest.raises(ApiError, match=r"takes no new objects.*writePermissions\.blockCreation.*demo; ask whoever"):
        await admin.create(config_map("new"))
    with pytest.raises(ApiError, match=r"lets no object be changed.*writePermissions\.blockUpdate"):
        await admin.merge(kinds.CONFIG_MAP, "there", "default", {"data": {"a": "2"}}, manager="probe")
    with pytest.raises(ApiError, match=r"lets no object be deleted.*writePermissions\.blockDeletion"):
        await admin.delete(kinds.CONFIG_MAP, "there", "default")
    assert await admin.get(kinds.CONFIG_MAP, "there", "default") is not None
    await admin.close()


async def test_each_flag_blocks_its_own_operation_and_no_other(tenant: Hosted) -> None:
    admin = await tenant.session()
    await admin.create(config_map("there"))
    await tenant.say(writePermissions=ONLY["blockCreation"])
    await tenant.look()
    await in_force(admin, "new")
    await admin.merge(kinds.CONFIG_MAP, "there", "default", {"data": {"a": "2"}}, manager="probe")
    assert await admin.delete(kinds.CONFIG_MAP, "there", "default")

    await tenant.say()
    await tenant.look()
    assert await admin.get(kinds.ADMISSION_POLICY, OBJECT) is None
    assert await admin.get(kinds.ADMISSION_POLICY_BINDING, OBJECT) is None
    await let_through(lambda: tried(admin, "new"))
    await admin.create(config_map("new"))
    await admin.close()


async def test_an_eviction_is_a_deletion_and_a_scaling_a_change(tenant: Hosted) -> None:
    admin = await tenant.session()
    spec = {"containers": [{"name": "c", "image": "i"}], "automountServiceAccountToken": False}
    await admin.create(meta.new(kinds.SERVICE_ACCOUNT, "default", "default"))
    await admin.create(meta.new(kinds.POD, "p", "default", spec=spec))
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    body = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    await admin.create(meta.new(kinds.DEPLOYMENT, "d", "default", spec=body))
    await admin.create(config_map("there"))
    await tenant.say(writePermissions={"blockUpdate": True, "blockDeletion": True})
    await tenant.look()
    await in_force(admin, "there")
    secret = await tenant.get(kinds.SECRET, names.admin_kubeconfig_secret(tenant.name))
    with pytest.raises(ApiError, match="blockDeletion"):
        evict(tenant, meta.decoded(secret)["admin.conf"], "p")
    with pytest.raises(ApiError, match="blockUpdate"):
        await admin.merge(
            kinds.DEPLOYMENT, "d", "default", {"spec": {"replicas": 3}}, subresource="scale", manager="probe"
        )
    # A status is nobody's wish.
    await admin.merge(
        kinds.DEPLOYMENT, "d", "default", {"status": {"replicas": 1}}, subresource="status", manager="probe"
    )
    await admin.close()


async def test_what_nodes_and_the_control_plane_live_on_goes_on(tenant: Hosted) -> None:
    await tenant.say(writePermissions=ALL)
    await tenant.look()
    admin = await tenant.session()
    await in_force(admin, "new")
    node = await signed_as(tenant, "system:node:one", "system:nodes")
    await node.create(meta.new(kinds.NODE, "one"))
    await node.merge(
        kinds.NODE,
        "one",
        None,
        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        subresource="status",
        manager="kubelet",
    )
    heartbeat = {"holderIdentity": "one", "leaseDurationSeconds": 40}
    await node.create(meta.new(kinds.LEASE, "one", "kube-node-lease", spec=heartbeat))
    await node.merge(kinds.LEASE, "one", "kube-node-lease", {"spec": {"leaseDurationSeconds": 50}}, manager="kubelet")
    manager = await signed_as(tenant, "system:kube-controller-manager", "system:masters")
    await manager.create(config_map("by-the-controller-manager"))
    token = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
    await admin.create(
        meta.new(
            kinds.SECRET,
            "bootstrap-token-abcdef",
            "kube-system",
            type="bootstrap.kubernetes.io/token",
            stringData=token,
        )
    )
    assert await admin.delete(kinds.SECRET, "bootstrap-token-abcdef", "kube-system")
    with pytest.raises(ApiError, match="blockCreation"):
        await admin.create(config_map("new", "kube-system"))
    for each in (node, manager, admin):
        await each.close()


async def test_the_providers_own_writes_go_on_and_the_word_says_it(tenant: Hosted) -> None:
    await tenant.say(writePermissions=ALL)
    await tenant.look()
    assert await tenant.phase() == "WriteLimited"
    assert (await tenant.tcp())["status"]["kubernetesResources"]["version"]["version"] == "v1.36.3"
    assert (await tenant.condition("Ready"))["status"] == "True"
    session = await tenant.session("super-admin.conf")
    await session.delete(kinds.CONFIG_MAP, "kubeadm-config", "kube-system")
    await tenant.look()
    assert (await tenant.condition("WritePermissionsReady"))["status"] == "True"
    assert await session.get(kinds.CONFIG_MAP, "kubeadm-config", "kube-system") is not None
    await session.close()


@pytest.mark.keeps("better.write-limits")
async def test_an_upgrade_is_not_hidden_by_the_limit(tenant: Hosted) -> None:
    await tenant.say(writePermissions=ALL)
    await tenant.look()
    await tenant.say(writePermissions=ALL, kubernetes={"version": "v1.37.2", "kubelet": {}})
    await tenant.look()
    assert await tenant.phase() == "Upgrading"
    assert (await tenant.tcp())["status"]["kubernetesResources"]["version"]["version"] == "v1.36.3"


@pytest.mark.keeps("better.write-limits")
async def test_who_deletes_the_policy_wakes_the_pass_that_brings_it_back(tenant: Hosted) -> None:
    await tenant.say(writePermissions=ALL)
    await tenant.look()
    admin = await tenant.session()
    await in_force(admin, "new")
    await asyncio.sleep(1)
    tenant.woken.clear()
    assert await admin.delete(kinds.ADMISSION_POLICY, OBJECT)
    async with asyncio.timeout(60):
        while tenant.key not in tenant.woken:
            await asyncio.sleep(0.05)
    await tenant.look()
    assert await admin.get(kinds.ADMISSION_POLICY, OBJECT) is not None
    await in_force(admin, "newer")
    await admin.close()


async def test_a_kubeconfig_that_the_limit_would_shut_out_is_refused_with_advice(tenant: Hosted) -> None:
    annotations = {names.ANNOTATION_KUBECONFIG_SECRET_KEY: "admin.conf"}
    await tenant.say(writePermissions=ALL)
    await tenant.cluster.merge(
        kinds.TENANT_CONTROL_PLANE,
        tenant.name,
        tenant.namespace,
        {"metadata": {"annotations": annotations}},
        manager="tests",
    )
    await tenant.look()
    found = await tenant.condition("WritePermissionsReady")
    assert (found["status"], found["reason"]) == ("False", "WritePermissionsShutOutProvider")
    assert "remove the annotation" in found["message"]


@pytest.mark.keeps("better.tunnel-off")
async def test_drift_of_any_object_of_ours_inside_wakes_the_pass_at_most_now_and_then(tenant: Hosted) -> None:
    admin = await tenant.session()
    async with asyncio.timeout(60):
        while await tenant.look() != RENEWALS:  # its watch tells of the rest, as soon as it is followed
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    tenant.woken.clear()
    began = time.monotonic()
    for number in range(20):
        patch = {"metadata": {"annotations": {"a": str(number)}}}
        await admin.merge(kinds.CONFIG_MAP, "kubelet-config", "kube-system", patch, manager="probe")
    await asyncio.sleep(1)
    async with asyncio.timeout(60):
        while not tenant.woken:
            await asyncio.sleep(0.05)
    assert len(tenant.woken) <= (time.monotonic() - began) / tenant.watch.quiet + 2
    await tenant.tenants.close(tenant.key)
    assert not tenant.watch.watches(tenant.key)
    await admin.close()
