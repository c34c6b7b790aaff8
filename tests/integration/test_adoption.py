"""A tenant that upstream made is taken over: no new authority, the same keyspace, no restart while nothing that matters
differs."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from tests.integration.hosted import Hosted, Store
from tests.integration.in_force import let_through, refused
from tests.integration.upstream_kamaji import Upstream

AUTHORITIES = (names.ca_secret, names.front_proxy_ca_secret, names.service_account_secret)
DEPLOYMENT = "spec.controlPlane.deployment"


@pytest.fixture
async def upstream(management: Cluster, namespace: str, store: Store, tmp_path: Path) -> AsyncIterator[Upstream]:
    hosted = Hosted(management, store, namespace, tmp_path / "tenant")
    yield Upstream(hosted)
    await hosted.stop()


async def secrets(hosted: Hosted) -> dict[str, dict[str, bytes]]:
    found = await hosted.cluster.list(kinds.SECRET, hosted.namespace, labels={names.LABEL_NAME: hosted.name})
    return {each["metadata"]["name"]: meta.decoded(each) for each in found}


async def template(hosted: Hosted) -> Manifest:
    found: Manifest = (await hosted.get(kinds.DEPLOYMENT))["spec"]["template"]
    return found


async def versions(hosted: Hosted) -> dict[str, str]:
    owned = (kinds.SECRET, kinds.CONFIG_MAP, kinds.SERVICE, kinds.DEPLOYMENT, kinds.POD_DISRUPTION_BUDGET)
    lists = [
        await hosted.cluster.list(kind, hosted.namespace, labels={names.LABEL_NAME: hosted.name}) for kind in owned
    ]
    found = {f"{each['kind']}/{each['metadata']['name']}": each for group in lists for each in group}
    return {key: each["metadata"]["resourceVersion"] for key, each in found.items()} | {
        "tcp": (await hosted.tcp())["metadata"]["resourceVersion"]
    }


def args(pod_template: Manifest, container: str) -> list[str]:
    found: list[str] = next(each for each in pod_template["spec"]["containers"] if each["name"] == container)["args"]
    return found


@pytest.mark.keeps("better.take-over")
async def test_it_serves_on_as_it_was_with_the_same_secrets_pods_and_keyspace(upstream: Upstream) -> None:
    hosted = upstream.hosted
    before = await upstream.make()
    await hosted.serve()
    secrets_before, template_before = await secrets(hosted), await template(hosted)
    admin = await hosted.session("super-admin.conf")
    await admin.create(meta.new(kinds.CONFIG_MAP, "precious", "default", data={"a": "b"}))

    await hosted.until_joinable()
    secrets_after = await secrets(hosted)
    trusted = secrets_after.pop(names.trusted_keys_secret(hosted.name))
    assert set(trusted) == {"ca.crt", "front-proxy-ca.crt", "sa.pub"}, "the only one that is new tells whom to trust"
    assert secrets_after == secrets_before
    assert await template(hosted) == template_before
    after = await hosted.tcp()
    kept = ("schema", "user")
    assert {key: after["status"]["storage"]["setup"][key] for key in kept} == {
        key: before["status"]["storage"]["setup"][key] for key in kept
    }
    assert (await hosted.condition("Ready"))["status"] == "True", await hosted.tcp()
    assert "as upstream Kamaji made them" in (await hosted.condition("PodsReady"))["message"]
    assert await hosted.phase() == "Ready"
    found = await admin.get(kinds.CONFIG_MAP, "precious", "default")
    assert found is not None and found["data"] == {"a": "b"}

    await hosted.look(passes=2)
    quiet = await versions(hosted)
    await hosted.look(passes=2)
    assert await versions(hosted) == quiet
    await admin.close()


async def test_after_a_restart_of_ours_it_is_as_quiet(upstream: Upstream, tmp_path: Path) -> None:
    hosted = upstream.hosted
    await upstream.make()
    await hosted.tell(await hosted.get(kinds.DEPLOYMENT), ready=False)
    await hosted.look(passes=3)
    quiet = await versions(hosted)
    again = Hosted(hosted.cluster, hosted.store, hosted.namespace, tmp_path / "again", port=hosted.port)
    await again.look(passes=2)
    assert await versions(hosted) == quiet


async def test_webhooks_that_would_call_upstreams_operator_are_cleared_away(upstream: Upstream) -> None:
    hosted = upstream.hosted
    await upstream.make()
    await hosted.serve()
    admin, top = await hosted.session(), await hosted.session("super-admin.conf")
    await upstream.inside(top)
    await hosted.until_joinable()
    await let_through(lambda: admin.apply(meta.new(kinds.CONFIG_MAP, "free", "default"), manager="tests"))
    assert await admin.get(kinds.ADMISSION_WEBHOOK, "kamaji-write-permissions") is None
    found = await admin.get(kinds.CONFIG_MAP, "kubeadm-config", "kube-system")
    assert found is not None and "kubernetesVersion: v1.36.3" in found["data"]["ClusterConfiguration"]
    await admin.close()
    await top.close()


async def test_the_first_change_that_matters_rolls_the_pods_once_to_a_template_of_ours(upstream: Upstream) -> None:
    hosted = upstream.hosted
    await upstream.make()
    await hosted.look(passes=2)
    authorities = {make(hosted.name): (await secrets(hosted))[make(hosted.name)] for make in AUTHORITIES}
    upstreams = await template(hosted)
    metadata = {"podAdditionalMetadata": {"annotations": {"roll": "now"}}}
    await change(upstream, metadata)
    await hosted.look()
    ours = await template(hosted)
    assert ours != upstreams
    assert "NodeRestriction" in next(each for each in args(ours, "kube-apiserver") if "admission-plugins" in each)
    assert ours["spec"]["securityContext"]["runAsNonRoot"] is True
    assert ours["metadata"]["annotations"]["roll"] == "now"
    standing = await secrets(hosted)
    assert (
        standing[names.datastore_certificate_secret(hosted.name)]
        != upstream.made[names.datastore_certificate_secret(hosted.name)]
    )
    await hosted.look(passes=3)
    assert await template(hosted) == ours
    assert {name: (await secrets(hosted))[name] for name in authorities} == authorities
    assert "upstream" not in str(await hosted.condition("PodsReady"))


async def change(upstream: Upstream, deployment: dict[str, Any]) -> None:
    kubernetes = {"version": "v1.36.3", "kubelet": {}, "admissionControllers": list(upstream.plugins)}
    pods = {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 1, **deployment}}
    await upstream.hosted.say(dataStore=upstream.hosted.store.name, kubernetes=kubernetes, controlPlane=pods)


async def test_what_the_user_took_out_while_nobody_looked_goes_with_one_roll(upstream: Upstream) -> None:
    """A flag, a variable, a volume with its mount, a container and a label: upstream wrote them by Update."""
    hosted = upstream.hosted
    pod = upstream_pod_with_extras(await made_once(upstream))
    await hosted.cluster.merge(
        kinds.DEPLOYMENT, hosted.name, hosted.namespace, {"spec": {"template": pod}}, manager="kamaji"
    )
    labels = {"metadata": {"labels": {"team": "old"}}}
    await hosted.cluster.merge(kinds.DEPLOYMENT, hosted.name, hosted.namespace, labels, manager="kamaji")
    await hosted.look()
    found = await hosted.get(kinds.DEPLOYMENT)
    ours = found["spec"]["template"]
    assert "--v=9" not in args(ours, "kube-apiserver")
    assert [each["name"] for each in ours["spec"]["containers"]] == [
        "kube-apiserver",
        "kube-scheduler",
        "kube-controller-manager",
    ]
    (server, *_) = ours["spec"]["containers"]
    assert "DEBUG" not in [each["name"] for each in server["env"]]
    assert "/old" not in [each["mountPath"] for each in server["volumeMounts"]]
    assert "old" not in [each["name"] for each in ours["spec"]["volumes"]]
    assert "team" not in found["metadata"]["labels"]
    await hosted.look(passes=2)
    assert await template(hosted) == ours
    assert {name: (await secrets(hosted))[name] for name in (names.ca_secret("demo"),)} == {
        names.ca_secret("demo"): upstream.made[names.ca_secret("demo")]
    }


async def made_once(upstream: Upstream) -> Manifest:
    await upstream.make()
    return await template(upstream.hosted)


def upstream_pod_with_extras(pod_template: Manifest) -> Manifest:
    (server, *others) = pod_template["spec"]["containers"]
    server = {
        **server,
        "args": [*server["args"], "--v=9"],
        "env": [{"name": "DEBUG", "value": "1"}],
        "volumeMounts": [{"name": "old", "mountPath": "/old"}, *server["volumeMounts"]],
    }
    extra = {"name": "sidecar", "image": "example.com/sidecar:1"}
    volumes = [{"name": "old", "emptyDir": {}}, *pod_template["spec"]["volumes"]]
    return {
        **pod_template,
        "spec": {**pod_template["spec"], "containers": [extra, server, *others], "volumes": volumes},
    }


@pytest.mark.keeps("better.take-over")
@pytest.mark.parametrize(
    "case",
    [
        {"extraArgs": {"apiServer": ["--v=4"]}},
        {"resources": {"scheduler": {"requests": {"cpu": "10m"}}}},
        {"nodeSelector": {"disk": "fast"}},
        {"probes": {"apiServer": {"liveness": {"failureThreshold": 9}}}},
        {"additionalVolumes": [{"name": "scratch", "emptyDir": {}}]},
        {"registrySettings": {"registry": "registry.example.com"}},
    ],
    ids=lambda case: next(iter(case)),
)
async def test_every_wish_of_the_user_matters(upstream: Upstream, case: dict[str, Any]) -> None:
    hosted = upstream.hosted
    await upstream.make()
    await hosted.look()
    upstreams = await template(hosted)
    await change(upstream, case)
    await hosted.look()
    assert await template(hosted) != upstreams


async def test_a_taken_over_tenant_ends_and_takes_its_old_keyspace_along(upstream: Upstream, store: Store) -> None:
    hosted = upstream.hosted
    await upstream.make()
    await hosted.look()
    await hosted.cluster.delete(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace)
    await hosted.look()
    assert await hosted.cluster.get(kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace) is None
    async with store.opened() as opened:
        assert upstream.keyspace.user not in await opened.users()
        assert upstream.keyspace.schema not in await opened.roles()
    secret = await hosted.get(kinds.SECRET, names.datastore_config_secret(hosted.name))
    assert "finalizers" not in secret["metadata"]


async def test_a_recorded_keyspace_without_our_finalizer_gets_it(upstream: Upstream) -> None:
    hosted = upstream.hosted
    await upstream.make()
    await hosted.cluster.merge(
        kinds.TENANT_CONTROL_PLANE, hosted.name, hosted.namespace, {"metadata": {"finalizers": []}}, manager="x"
    )
    await hosted.look()
    assert (await hosted.tcp())["metadata"]["finalizers"] == [names.FINALIZER_TENANT]


async def test_the_webhook_really_stood_in_the_way(upstream: Upstream) -> None:
    hosted = upstream.hosted
    await upstream.make()
    await hosted.serve()
    top = await hosted.session("super-admin.conf")
    await upstream.inside(top)
    numbers = itertools.count()
    await refused(lambda: top.create(meta.new(kinds.CONFIG_MAP, f"stopped-{next(numbers)}", "default")))
    await top.close()
