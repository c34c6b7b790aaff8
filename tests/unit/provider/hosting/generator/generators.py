"""A generator and a tenant that it selects, for the tests beside this."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509 as certificates
from cryptography.x509.oid import NameOID

from provider.api import kinds, names
from provider.api.kubeconfiggenerator import KubeconfigGenerator
from provider.hosting.generatorview import GeneratorView, Target
from provider.manifest import Manifest, kubeconfig, meta, x509
from provider.manifest.kubeconfig import Kubeconfig
from provider.manifest.x509 import Pair, Request
from tests.golden.world import CountedMint

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=300)
MINT = CountedMint()  # goes on counting: no two keys are the same


@lru_cache(maxsize=2)
def authority(name: str = "kubernetes") -> Pair:
    return x509.authority(name, MINT, NOW)


def generator(name: str = "team", **spec: Any) -> Manifest:
    made = meta.new(kinds.KUBECONFIG_GENERATOR, name, spec={"user": {"stringValue": "ops"}, **spec})
    made["metadata"] |= {"uid": "generator", "generation": 2, "resourceVersion": "1"}
    return made


def tenant(name: str = "demo", labels: dict[str, str] | None = None, **metadata: Any) -> Manifest:
    status = {
        "kubeconfig": {"admin": {"secretName": names.admin_kubeconfig_secret(name), "checksum": "1"}},
        "certificates": {"ca": {"secretName": names.ca_secret(name), "checksum": "1"}},
    }
    spec = {"kubernetes": {"version": "v1.36.3"}, "networkProfile": {"port": 6443}}
    made = meta.new(kinds.TENANT_CONTROL_PLANE, name, "tenants", labels=labels, spec=spec, status=status)
    made["metadata"] |= {"uid": f"uid-of-{name}", **metadata}
    return made


def admin(server: str = "https://demo.tenants.svc:6443", ca: Pair | None = None) -> dict[str, bytes]:
    """The admin Secret's data."""
    issuer = ca or authority()
    client = x509.issue(Request(common_name="kubernetes-admin", client=True), issuer, MINT, NOW)
    outside = {"admin.svc": server, "admin.conf": "https://192.0.2.1:6443"}
    return {
        key: Kubeconfig(
            cluster="demo", server=each, ca=issuer.certificate, user="kubernetes-admin", client=client
        ).render()
        for key, each in outside.items()
    }


def target(tcp: Manifest | None = None, **changes: Any) -> Target:
    ca = authority()
    found: dict[str, Any] = {
        "tcp": tcp or tenant(),
        "admin": admin(),
        "authority": {"ca.crt": ca.certificate, "ca.key": ca.key},
        "secret": None,
    }
    return Target(**(found | changes))


def view(raw: Manifest, *targets: Target, now: datetime = NOW) -> GeneratorView:
    return GeneratorView(generator=KubeconfigGenerator.parse(raw), raw=raw, targets=targets, now=now, mint=MINT)


def held(secret: Manifest) -> Kubeconfig:
    return kubeconfig.parse(meta.decoded(secret)["value"])


def subject(secret: Manifest) -> tuple[str, set[str]]:
    """User and groups of the kubeconfig in a Secret."""
    leaf = certificates.load_pem_x509_certificate(held(secret).client.certificate)
    (name,) = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value), {str(each.value) for each in leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}


def annotated(secret: Manifest, annotations: Mapping[str, str]) -> Manifest:
    metadata = secret["metadata"]
    return {**secret, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}}
