"""What one pass over a KubeconfigGenerator knows, frozen; whom it selects, and of what a tenant's kubeconfig is made.

Written by `observe`, read by `desired`, `status`, `reconcile` and the watches. Nothing here reaches a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from provider.api import names
from provider.api.kubeconfiggenerator import KubeconfigGenerator, Value
from provider.manifest import Manifest, fieldpath, meta
from provider.manifest.mint import Mint
from provider.manifest.x509 import LEAF_LIFE


@dataclass(frozen=True, kw_only=True)
class Target:
    """A tenant that a generator selects, and the Secrets its kubeconfig is made of."""

    tcp: Manifest
    admin: Mapping[str, bytes]  # the admin kubeconfig Secret's data; empty while there is none
    authority: Mapping[str, bytes]  # the CA Secret's data; empty while there is none
    secret: Manifest | None  # what stands under the kubeconfig's name, whosever it is

    @property
    def name(self) -> str:
        """Name of the TenantControlPlane."""
        return str(self.tcp["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Namespace of the TenantControlPlane and of the kubeconfig."""
        return str(self.tcp["metadata"]["namespace"])

    @property
    def resource(self) -> str:
        """As status names it."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class GeneratorView:
    """Everything the builder and the status of a KubeconfigGenerator may know."""

    generator: KubeconfigGenerator
    raw: Manifest
    targets: tuple[Target, ...] = ()  # by namespace and name
    surplus: tuple[Manifest, ...] = ()  # kubeconfigs it made for tenants that it does not select any more
    life: timedelta = LEAF_LIFE  # for which certificates of ours are valid
    now: datetime
    mint: Mint

    @property
    def name(self) -> str:
        """Name of the generator: also of user and context in each kubeconfig."""
        return self.generator.name


def selects(generator: KubeconfigGenerator, tenant: Mapping[str, str], namespace: Mapping[str, str]) -> bool:
    """Whether a tenant with these labels, in a namespace with those, is meant. Invalid when a selector means nothing."""
    spec = generator.spec
    by_tenant = spec.tenant_control_plane_selector is None or spec.tenant_control_plane_selector.matches(tenant)
    by_namespace = spec.namespace_selector is None or spec.namespace_selector.matches(namespace)
    return by_tenant and by_namespace


def is_made_by(secret: Manifest, generator: str) -> bool:
    """Whether a Secret is a kubeconfig of this generator: labels and name agree, so that a copied label alone is not enough."""
    labels = meta.labels_of(secret)
    tenant = labels.get(names.LABEL_MANAGED_FOR, "")
    ours = labels.get(names.LABEL_MANAGED_BY) == generator and bool(tenant)
    return ours and secret["metadata"]["name"] == names.generated_kubeconfig_secret(tenant, generator)


def secret_names(tcp: Manifest) -> tuple[str, str]:
    """The admin kubeconfig Secret and the CA Secret that a tenant's status names; empty before it does."""
    status = tcp.get("status") or {}
    admin = (status.get("kubeconfig") or {}).get("admin") or {}
    authority = (status.get("certificates") or {}).get("ca") or {}
    return str(admin.get("secretName") or ""), str(authority.get("secretName") or "")


def stake(generator: KubeconfigGenerator, tcp: Manifest, namespace: Mapping[str, str]) -> str:
    """What of a tenant matters to a generator, as a text that changes when that does; empty when it selects it not."""
    if not selects(generator, meta.labels_of(tcp), namespace):
        return ""
    status, spec = tcp.get("status") or {}, generator.spec
    values = [_value(tcp, each) for each in (spec.user, *spec.groups)]
    made_of = [(status.get("kubeconfig") or {}).get("admin"), (status.get("certificates") or {}).get("ca")]
    return repr((tcp["metadata"]["uid"], tcp["metadata"].get("deletionTimestamp"), values, made_of))


def _value(tcp: Manifest, value: Value) -> Any:
    if value.from_definition is None:
        return value.string_value
    try:
        return fieldpath.at(tcp, value.from_definition)
    except (KeyError, ValueError):
        return None
