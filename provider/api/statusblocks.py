"""What the blocks of a tenant's status have in common: upstream's way of saying which object is meant and since when."""

from __future__ import annotations

from provider.api.model import Model
from provider.api.schema import Timestamp


class Stamped(Model):
    """Something made, and when it last changed."""

    last_update: Timestamp | None = None


class Checked(Stamped):
    """Something made, with the fingerprint of its content."""

    checksum: str | None = None


class SecretStatus(Checked):
    """A Secret of ours."""

    secret_name: str | None = None


class ConfigMapStatus(Model):
    """A ConfigMap of ours."""

    name: str | None = None
    checksum: str | None = None


class ObjectStatus(Stamped):
    """An object in the tenant's cluster."""

    name: str | None = None
    namespace: str | None = None
