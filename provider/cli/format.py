"""Words that commands take; apart, so that reading arguments needs nothing else."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class Ring(StrEnum):
    """What `rotate` takes."""

    CA = "ca"
    FRONT_PROXY_CA = "front-proxy-ca"
    SERVICE_ACCOUNT_KEY = "service-account-key"
    ENCRYPTION_KEY = "encryption-key"
    KUBECONFIG = "kubeconfig"


class Order(StrEnum):
    """What `top --by` takes."""

    NAME = "name"
    CPU = "cpu"
    MEMORY = "memory"
    STORAGE = "storage"
    WRITES = "writes"
    COST = "cost"
