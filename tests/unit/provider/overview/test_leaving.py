"""Whether the provider may go, and what is to be done before."""

from __future__ import annotations

from typing import Any

from provider.api import kinds
from provider.api.kinds import Kind
from provider.api.served import KINDS
from provider.capi import model
from provider.manifest import Manifest
from provider.overview import leaving
from provider.overview.leaving import Leaving

HERE = "kamaji-system"


def named(name: str, namespace: str = "team", owner: tuple[str, str, str] | None = None) -> Manifest:
    owners = [dict(zip(("apiVersion", "kind", "name"), owner, strict=True), controller=True)] if owner else []
    return {"metadata": {"name": name, "namespace": namespace, "ownerReferences": owners}}


def of(found: dict[Kind, list[Manifest]], **metadata: Any) -> Leaving:
    deployment = {"metadata": {"name": "kamaji-provider", "namespace": HERE, **metadata}}
    return leaving.leaving(found, deployment, HERE)


def test_while_there_is_a_tenant_the_provider_stays_and_only_its_deletion_is_advised() -> None:
    found = of({kinds.TENANT_CONTROL_PLANE: [named("demo")], kinds.DATA_STORE: [named("one", "")]})
    assert not found.allowed
    assert found.next == ("kubectl -n team delete tenantcontrolplanes.kamaji.clastix.io demo",)
    assert "  1 TenantControlPlane: team/demo" in list(found.sentences())


def test_a_tenant_of_cluster_apis_goes_with_its_cluster() -> None:
    control = named("demo", owner=("cluster.x-k8s.io/v1beta2", "Cluster", "mine"))
    tenant = named("demo", owner=("controlplane.cluster.x-k8s.io/v1alpha2", "KamajiControlPlane", "demo"))
    found = of({kinds.KAMAJI_CONTROL_PLANE: [control], kinds.TENANT_CONTROL_PLANE: [tenant]})
    assert found.next == ("kubectl -n team delete cluster.cluster.x-k8s.io mine",)


def test_stores_go_with_their_pool_and_before_the_provider() -> None:
    pool = named("default", "")
    store = named("default", "", owner=("x.kamaji.clastix.io/v1alpha1", "DataStorePool", "default"))
    found = of({kinds.DATA_STORE_POOL: [pool], kinds.DATA_STORE: [store, named("mine", "")]})
    assert found.allowed
    assert found.next[:2] == (
        "kubectl delete datastorepools.x.kamaji.clastix.io default",
        "kubectl delete datastores.kamaji.clastix.io mine",
    )
    assert len(found.next) == 3


def test_it_is_taken_away_by_what_brought_it() -> None:
    assert (
        of({}, annotations={"meta.helm.sh/release-name": "mine"}).next[0].startswith(f"helm uninstall mine -n {HERE}")
    )
    labelled = of({}, labels={"clusterctl.cluster.x-k8s.io": ""})
    assert labelled.next[0].startswith("clusterctl delete --control-plane kamaji")
    assert of({}).next[0].startswith("kubectl delete -f install.yaml")
    assert leaving.leaving({}, None, HERE).allowed


def test_of_many_some_are_named_and_all_are_counted() -> None:
    found = of({kinds.TENANT_CONTROL_PLANE: [named(f"t{number:02}") for number in range(30)]})
    assert any(each.startswith("  30 TenantControlPlane: team/t00,") for each in found.sentences())
    assert found.next[-1] == "… and 20 more"
    assert len(found.said()["tenants"]["TenantControlPlane"]) == 30


def test_every_kind_of_ours_is_asked_for_but_what_others_are_made_of() -> None:
    asked = {each.kind for each in (*leaving.TENANTS, *leaving.OTHERS)}
    assert {each.DEFINITION.kind.kind for each in (*KINDS, *model.KINDS)} - asked == {"KamajiControlPlaneTemplate"}


def test_who_has_begun_to_uninstall_by_helm_is_told_how_the_release_comes_back_and_how_not_to_be_asked() -> None:
    found = leaving.leaving({kinds.TENANT_CONTROL_PLANE: [named("demo")]}, None, "")
    said = list(leaving.to_helm(found, "kamaji-system/mine", "3"))
    assert said[: len(list(found.sentences()))] == list(found.sentences())
    assert "    helm rollback mine 3 -n kamaji-system" in said
    assert "    helm uninstall mine -n kamaji-system --no-hooks" in said
