"""Tenants behind balancers and routes, for the tests beside this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cryptography import x509

from provider.api import kinds, names
from provider.hosting.parts import PARTS
from provider.hosting.status import tenant as status
from provider.hosting.view import Seen
from provider.manifest import Manifest, kubeconfig, meta
from tests.golden import world
from tests.golden.world import Walked

BALANCED = {"controlPlane": {"service": {"serviceType": "LoadBalancer"}}}
HOST = "demo.example.com"


def balanced(*ingress: Mapping[str, str]) -> Manifest:
    """What a load balancer controller writes into the tenant's Service."""
    return meta.new(
        kinds.SERVICE, "demo", "tenants", status={"loadBalancer": {"ingress": [dict(each) for each in ingress]}}
    )


def first(raw: Manifest, *answers: Manifest, **changes: Any) -> Walked:
    """A first pass."""
    return world.walk(world.view(raw, **changes), answers)


def next_pass(before: Walked, raw: Manifest, *answers: Manifest, **changes: Any) -> Walked:
    """The pass after it, with what stands and what status says; the store and Gateways as before unless changed."""
    raw = {**raw, "status": reported(before)}
    start = replace(world.view(raw), seen=before.view.seen, gateways=before.view.gateways)
    return world.walk(replace(start, **changes), answers, inside=before.view.tenant or Seen())


def reported(walked: Walked) -> dict[str, Any]:
    """The status after a walk."""
    return status.of(walked.view, PARTS, walked.declined, {})


def condition(walked: Walked, kind: str = "ExposureReady") -> dict[str, Any]:
    return next(each for each in reported(walked)["conditions"] if each["type"] == kind)


def certificate_hosts(walked: Walked) -> set[str]:
    """Names and addresses in the API server's certificate."""
    data = walked.view.secret(names.api_server_secret("demo"))
    leaf = x509.load_pem_x509_certificate(data["apiserver.crt"])
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(each) for each in found.get_values_for_type(x509.IPAddress)}
    return {*found.get_values_for_type(x509.DNSName), *addresses}


def servers(walked: Walked) -> dict[str, str]:
    """Where each kubeconfig of the administrators leads."""
    data = walked.view.secret(names.admin_kubeconfig_secret("demo"))
    return {key: kubeconfig.parse(content).server for key, content in data.items()}


def cluster_info(walked: Walked) -> str:
    """What a joining worker is told."""
    return str(walked.one(kinds.CONFIG_MAP, "cluster-info")["data"]["kubeconfig"])
