"""The words of upstream's phase that stand where `Ready` would: writes are limited, another authority comes, keys move."""

from __future__ import annotations

from typing import Any

from provider.api import names
from provider.hosting.rotation.keyring import CA
from provider.hosting.status import migration
from provider.hosting.view import View
from provider.manifest import checksum, meta


def worded(view: View, version: dict[str, Any]) -> dict[str, Any]:
    """The version block with its final word. Any other word than Ready says more and stays: no limit hides an upgrade."""
    if version.get("status") != "Ready":
        return version
    if migration.under_way(view):
        return {**version, "status": "Migrating"}
    if _rotating(view):
        return {**version, "status": "CertificateAuthorityRotating"}
    if view.tcp.spec.write_permissions.limited:
        return {**version, "status": "WriteLimited"}
    return version


def _rotating(view: View) -> bool:
    """Whether a pod still runs with another authority than the tenant has now."""
    if not (authority := view.secret(names.ca_secret(view.name))):
        return False
    now = checksum.of(authority)
    return any(meta.labels_of(each).get(CA.label, now) != now for each in view.pods)
