"""Host names of routes: what clients dial is told from what a certificate may only say."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api.exposure import host_and_port, is_wildcard
from provider.api.tenantcontrolplane import TenantControlPlane


@pytest.mark.parametrize(
    ("hostname", "halves"),
    [
        ("demo.example.com", ("demo.example.com", None)),
        ("demo.example.com:443", ("demo.example.com", 443)),
        ("demo", ("demo", None)),
        ("*.example.com", ("*.example.com", None)),
        ("*.example.com:8443", ("*.example.com", 8443)),
        ("", ("", None)),
        ("192.0.2.7", ("", None)),
        ("192.0.2.7:443", ("", None)),
        ("2001:db8::1", ("", None)),
        ("Demo.example.com", ("", None)),
        ("demo.example.com:", ("", None)),
        ("demo.example.com:0", ("", None)),
        ("demo.example.com:65536", ("", None)),
        ("https://demo.example.com", ("", None)),
        ("demo.example.com\n", ("", None)),
    ],
)
def test_a_host_name_is_read_in_halves_and_nothing_else_is_one(hostname: str, halves: tuple[str, int | None]) -> None:
    assert host_and_port(hostname) == halves


def test_a_wildcard_is_told() -> None:
    assert is_wildcard("*.example.com")
    assert not is_wildcard("demo.example.com")


def tenant(port: int = 6443, **plane: Any) -> TenantControlPlane:
    control_plane = {"service": {"serviceType": "ClusterIP"}, **plane}
    spec = {"kubernetes": {"version": "v1.36.3", "kubelet": {}}, "controlPlane": control_plane}
    return TenantControlPlane.parse({"spec": {**spec, "networkProfile": {"port": port}}})


HOST = "demo.example.com"


@pytest.mark.parametrize(
    ("plane", "published"),
    [
        ({}, None),
        ({"ingress": {"hostname": HOST}}, (HOST, 7443)),
        ({"ingress": {"hostname": f"{HOST}:443"}}, (HOST, 443)),
        ({"ingress": {}}, None),
        ({"ingress": {"hostname": "*.example.com"}}, None),
        ({"gateway": {"hostname": HOST}}, (HOST, 7443)),
        ({"gateway": {"hostname": HOST, "parentRefs": [{"name": "a"}]}}, (HOST, 7443)),
        ({"gateway": {"hostname": HOST, "parentRefs": [{"name": "a", "port": 443}]}}, (HOST, 443)),
        (
            {"gateway": {"hostname": HOST, "parentRefs": [{"name": "a", "port": 443}, {"name": "b", "port": 443}]}},
            (HOST, 443),
        ),
        ({"gateway": {"hostname": HOST, "parentRefs": [{"name": "a", "port": 443}, {"name": "b"}]}}, (HOST, 7443)),
        ({"gateway": {"hostname": "*.example.com"}}, None),
        ({"gateway": {}}, None),
        ({"ingress": {"hostname": "one.example.com"}, "gateway": {"hostname": HOST}}, ("one.example.com", 7443)),
    ],
)
def test_a_tenant_is_published_by_the_name_of_its_route(
    plane: dict[str, Any], published: tuple[str, int] | None
) -> None:
    assert tenant(7443, **plane).published == published
