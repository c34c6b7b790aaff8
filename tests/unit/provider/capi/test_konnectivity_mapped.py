"""addons.konnectivity of a KamajiControlPlane is the TenantControlPlane's, word for word, and is gone when it is gone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from provider.api import kinds
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.capi.desired import tenantcontrolplane
from provider.capi.model import Cluster, KamajiControlPlane
from provider.capi.view import Place, View
from provider.manifest import meta

FULL = {
    "server": {
        "port": 8132,
        "image": "example.com/server",
        "version": "v0.36.0",
        "extraArgs": ["--v=4"],
        "resources": {"requests": {"cpu": "50m"}},
        "securityContext": {"runAsUser": 65532},
    },
    "agent": {
        "mode": "Deployment",
        "replicas": 3,
        "hostNetwork": True,
        "tolerations": [{"operator": "Exists"}],
        "image": "example.com/agent",
        "version": "v0.34.0",
        "extraArgs": ["--v=4"],
    },
}


def built(**spec: Any) -> dict[str, Any]:
    raw = meta.new(kinds.KAMAJI_CONTROL_PLANE, "demo", "team", spec={"version": "v1.36.3", **spec})
    raw["metadata"] |= {"uid": "u", "generation": 1}
    cluster = Cluster.parse({"metadata": {"name": "demo", "namespace": "team"}, "spec": {}})
    place = Place(namespace="ns", name="kcp")
    view = View(kcp=KamajiControlPlane.parse(raw), raw=raw, cluster=cluster, place=place, now=datetime.now(UTC))
    return tenantcontrolplane.build(view)


def test_every_field_is_handed_on() -> None:
    made = built(addons={"konnectivity": FULL})
    assert made["spec"]["addons"]["konnectivity"] == FULL
    assert TenantControlPlane.parse(made).spec.addons.konnectivity is not None


@pytest.mark.parametrize("addons", [{}, {"coreDNS": {}}])
def test_without_its_block_nothing_is_said_of_it(addons: dict[str, Any]) -> None:
    assert "konnectivity" not in (built(addons=addons)["spec"].get("addons") or {})


@pytest.mark.fields("KamajiControlPlane", "spec.addons.konnectivity")
def test_an_empty_block_switches_it_on() -> None:
    assert built(addons={"konnectivity": {}})["spec"]["addons"]["konnectivity"] == {}
