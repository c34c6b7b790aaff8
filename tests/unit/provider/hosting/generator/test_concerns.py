"""A moved object wakes the generators that it concerns, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from provider.hosting.generatorwatch import Concerns
from provider.manifest import Manifest
from tests.unit.provider.hosting.generator.generators import generator, tenant

GOLD = {"tenantControlPlaneSelector": {"matchLabels": {"tier": "gold"}}}
PROD = {"namespaceSelector": {"matchLabels": {"environment": "production"}}}


def watching(*generators: Manifest) -> Concerns:
    found = Concerns()
    for each in generators:
        assert found.generator_moved(each, gone=False) == {each["metadata"]["name"]}
    return found


def test_a_tenant_wakes_who_selects_it() -> None:
    found = watching(generator("all"), generator("gold", **GOLD), generator("prod", **PROD))
    assert found.tenant_moved(tenant(), gone=False) == {"all"}
    assert found.tenant_moved(tenant("other", labels={"tier": "gold"}), gone=False) == {"all", "gold"}


def test_a_tenant_of_a_selected_namespace_wakes_who_selects_that() -> None:
    found = watching(generator("prod", **PROD))
    assert found.namespace_moved("tenants", {"environment": "production"}, gone=False) == {"prod"}
    assert found.tenant_moved(tenant(), gone=False) == {"prod"}


@pytest.mark.keeps("better.generators")
def test_a_namespaces_labels_wake_only_who_judges_it_differently_now() -> None:
    found = watching(generator("all"), generator("gold", **GOLD), generator("prod", **PROD))
    assert found.namespace_moved("tenants", {"team": "a"}, gone=False) == set()
    assert found.namespace_moved("tenants", {"environment": "production"}, gone=False) == {"prod"}
    assert found.namespace_moved("tenants", {"environment": "production", "team": "b"}, gone=False) == set()
    assert found.namespace_moved("tenants", {"environment": "test"}, gone=False) == {"prod"}


def test_a_tenant_that_says_nothing_new_wakes_nobody() -> None:
    found = watching(generator("all"))
    tcp = tenant()
    assert found.tenant_moved(tcp, gone=False) == {"all"}
    moved = {**tcp, "status": {**tcp["status"], "conditions": [{"type": "Ready"}]}}
    assert found.tenant_moved(moved, gone=False) == set()


def test_a_tenant_with_another_kubeconfig_authority_or_named_field_wakes_who_selects_it() -> None:
    named = generator("named", user={"fromDefinition": "metadata.annotations.owner"})
    found = watching(generator("all"), named)
    tcp = tenant()
    found.tenant_moved(tcp, gone=False)
    for block, key in (("kubeconfig", "admin"), ("certificates", "ca")):
        changed: dict[str, Any] = {**tcp["status"][block][key], "checksum": "2"}
        moved = {**tcp, "status": {**tcp["status"], block: {key: changed}}}
        assert found.tenant_moved(moved, gone=False) == {"all", "named"}
        found.tenant_moved(tcp, gone=False)
    assert found.tenant_moved(tenant(annotations={"owner": "a"}), gone=False) == {"named"}


def test_a_tenant_that_is_not_selected_any_more_wakes_who_selected_it() -> None:
    found = watching(generator("gold", **GOLD))
    found.tenant_moved(tenant(labels={"tier": "gold"}), gone=False)
    assert found.tenant_moved(tenant(labels={"tier": "silver"}), gone=False) == {"gold"}
    assert found.tenant_moved(tenant(labels={"tier": "silver"}), gone=False) == set()


def test_a_tenant_that_ends_or_is_made_anew_wakes_who_selected_it() -> None:
    found = watching(generator("all"))
    found.tenant_moved(tenant(), gone=False)
    assert found.tenant_moved(tenant(deletionTimestamp="2026-11-24T12:00:00Z"), gone=False) == {"all"}
    assert found.tenant_moved(tenant(), gone=True) == {"all"}
    assert found.tenant_moved(tenant(), gone=True) == set()


def test_a_generator_that_is_gone_or_means_nothing_is_woken_by_nobody() -> None:
    broken = {"tenantControlPlaneSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}
    unclear = {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}}
    found = watching(generator("all"), generator("broken", **broken), generator("unclear", **unclear))
    assert found.generator_moved({**generator("unread"), "spec": {}}, gone=False) == {"unread"}
    assert found.namespace_moved("tenants", {"a": "b"}, gone=False) == set()
    assert found.tenant_moved(tenant(), gone=False) == {"all"}
    assert found.generator_moved(generator("all"), gone=True) == {"all"}
    assert found.tenant_moved(tenant(labels={"new": "label"}, generation=2), gone=False) == {"all"}
    assert found.tenant_moved(tenant(), gone=False) == set()
