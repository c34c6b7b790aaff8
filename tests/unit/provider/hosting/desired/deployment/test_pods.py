"""The Deployment as a whole: it waits for what it mounts, rolls when that changes, and tells its state to the scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provider.api import kinds, names
from provider.api.verdict import NotReady
from provider.hosting.desired import deployment
from provider.hosting.view import Seen, View
from provider.manifest import Manifest, meta
from tests.golden.world import NOW, CountedMint, Walked, store, tenant, view, walk

PREFIX = names.COMPONENT_CHECKSUM_PREFIX
MOUNTED = [
    "demo-api-server-certificate",
    "demo-api-server-kubelet-client-certificate",
    "demo-ca",
    "demo-controller-manager-kubeconfig",
    "demo-datastore-certificate",
    "demo-datastore-config",
    "demo-front-proxy-ca-certificate",
    "demo-front-proxy-client-certificate",
    "demo-sa-certificate",
    "demo-scheduler-kubeconfig",
]


def walked(**fields: Any) -> Walked:
    return walk(view(tenant(controlPlane={"deployment": fields})))


def manifest(found: Walked) -> Manifest:
    return found.one(kinds.DEPLOYMENT, "demo")


def template(found: Walked) -> Manifest:
    return manifest(found)["spec"]["template"]["metadata"]


def without(found: View, secret: str) -> View:
    return replace(found, seen=Seen({key: each for key, each in found.seen.objects.items() if key[2] != secret}))


@pytest.mark.parametrize("secret", MOUNTED)
def test_it_waits_for_each_secret_it_mounts(secret: str) -> None:
    with pytest.raises(NotReady) as caught:
        list(deployment.build(without(walked().view, secret)))
    assert caught.value.reason == "SecretMissing"
    assert f"tenants/{secret}" in caught.value.message


@pytest.mark.parametrize("change", [{"store": None}, {"keyspace": None}])
def test_it_waits_for_a_place_in_a_store(change: dict[str, None]) -> None:
    with pytest.raises(NotReady, match="KeyspaceNotClaimed"):
        list(deployment.build(replace(walked().view, **change)))


@pytest.mark.keeps("better.rotation")
@pytest.mark.parametrize("secret", MOUNTED)
def test_another_content_of_a_mounted_secret_rolls_the_pods(secret: str) -> None:
    found = walked()
    before = manifest(found)
    other = meta.new(kinds.SECRET, secret, "tenants", data=meta.secret_data({"key": "other"}))
    (after,) = deployment.build(found.view.folded(other))
    assert after["spec"]["template"] != before["spec"]["template"]


def test_every_volume_but_the_users_is_a_secret_and_is_mounted() -> None:
    pod = walked().pod
    volumes = {each["name"] for each in pod["volumes"]}
    mounted = {each["name"] for container in pod["containers"] for each in container["volumeMounts"]}
    assert volumes == mounted
    assert all(each.keys() & {"secret", "projected"} for each in pod["volumes"])


def test_the_api_server_comes_before_what_talks_to_it() -> None:
    assert [each["name"] for each in walked().pod["containers"]] == [
        "kube-apiserver",
        "kube-scheduler",
        "kube-controller-manager",
    ]


def test_the_users_containers_and_volumes_come_first() -> None:
    extra = {"name": "audit", "image": "audit:1"}
    found = walked(
        additionalContainers=[extra],
        additionalInitContainers=[extra],
        additionalVolumes=[{"name": "extra", "emptyDir": {}}],
    )
    assert found.pod["containers"][0] == extra
    assert found.pod["initContainers"] == [extra]
    assert found.pod["volumes"][0]["name"] == "extra"
    assert "initContainers" not in walked().pod


def test_the_users_labels_win_but_for_the_one_by_which_pods_are_found() -> None:
    labels = {names.LABEL_NAME: "other", names.LABEL_COMPONENT: "mine", "team": "blue"}
    found = template(walked(podAdditionalMetadata={"labels": labels, "annotations": {"a": "1"}}))
    assert found["labels"][names.LABEL_NAME] == "demo"
    assert found["labels"][names.LABEL_COMPONENT] == "mine"
    assert found["labels"]["team"] == "blue"
    assert found["annotations"]["a"] == "1"


def test_the_deployments_own_labels_are_ours_where_both_say_one() -> None:
    labels = {names.LABEL_NAME: "other", "team": "blue"}
    found = manifest(walked(additionalMetadata={"labels": labels, "annotations": {"a": "1"}}))["metadata"]
    assert found["labels"] == {**names.tenant_labels("demo", "deployment"), "team": "blue"}
    assert found["annotations"] == {"a": "1"}


def test_a_stores_long_name_becomes_a_label_that_kubernetes_takes() -> None:
    long = walk(view(tenant(), store=replace(store(), name="s" * 64)))
    assert len(template(long)["labels"][f"{PREFIX}datastore"]) <= 63
    assert template(walked())["labels"][f"{PREFIX}datastore"] == "default"


@pytest.mark.parametrize("written", [{}, {"type": "RollingUpdate"}, {"type": "RollingUpdate", "rollingUpdate": {}}])
def test_a_rollout_brings_the_new_before_it_takes_the_old(written: dict[str, Any]) -> None:
    strategy = manifest(walked(strategy=written))["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}


@pytest.mark.parametrize("written", [{"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 1}}])
def test_a_strategy_the_user_writes_is_taken(written: dict[str, Any]) -> None:
    assert manifest(walked(strategy=written))["spec"]["strategy"] == written


def test_who_only_changes_the_type_to_recreate_gets_it_without_the_block_that_the_default_left() -> None:
    block = {"maxSurge": "100%", "maxUnavailable": 0}
    strategy = manifest(walked(strategy={"type": "Recreate", "rollingUpdate": block}))["spec"]["strategy"]
    assert strategy == {"type": "Recreate"}


def test_a_sleeping_tenant_has_its_deployment_without_pods() -> None:
    assert manifest(walked(replicas=0))["spec"]["replicas"] == 0


def test_the_report_is_the_deployments_status_and_the_scales_selector() -> None:
    status = {"replicas": 2, "readyReplicas": 1, "observedGeneration": 4, "conditions": [{"type": "Available"}]}
    live = meta.new(kinds.DEPLOYMENT, "demo", "tenants", status=status)
    found = deployment.report(view(tenant(), live))["kubernetesResources"]["deployment"]
    assert found["selector"] == f"{names.LABEL_NAME}=demo"
    assert (found["replicas"], found["readyReplicas"], found["availableReplicas"]) == (2, 1, 0)
    assert (found["observedGeneration"], found["conditions"]) == (4, [{"type": "Available"}])
    assert "collisionCount" not in found
    assert deployment.report(view(tenant())) == {}


def test_an_expired_front_proxy_leaf_rolls_the_pods_once() -> None:
    first = walked()
    late = replace(first.view, now=NOW.replace(year=2027), mint=CountedMint(9000))
    second = walk(late, inside=late.tenant)
    third = walk(replace(second.view, mint=CountedMint(9900)), inside=second.view.tenant)
    assert manifest(second)["spec"]["template"] != manifest(first)["spec"]["template"]
    assert manifest(third) == manifest(second)


def test_pods_of_a_template_that_is_no_longer_wanted_are_not_counted_as_updated() -> None:
    status = {"replicas": 2, "updatedReplicas": 2, "observedGeneration": 1}
    live = meta.new(kinds.DEPLOYMENT, "demo", "tenants", spec={}, status=status)
    live["metadata"]["generation"] = 2
    found = deployment.report(view(tenant(), live))["kubernetesResources"]["deployment"]
    assert (found["replicas"], found["updatedReplicas"]) == (2, 0)
