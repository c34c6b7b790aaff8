"""The driver for a store, by the name that a DataStore gives it. Called where a `Context` is made."""

from __future__ import annotations

from importlib import import_module

from provider.hosting.datastores.etcd.cluster import EtcdCluster
from provider.hosting.datastores.shape import Driver
from provider.hosting.storematerial import Access
from provider.hosting.view import ETCD, MYSQL, NATS, POSTGRESQL
from provider.manifest.x509 import Pair

OTHERS = {
    MYSQL: ("provider.hosting.datastores.mysql.store", "MySQLStore"),
    NATS: ("provider.hosting.datastores.nats", "NatsStore"),
    POSTGRESQL: ("provider.hosting.datastores.postgresql.store", "PostgresStore"),
}
"""Imported when the first such store is opened: their clients take memory that a fleet on etcd does not need."""


def opened(access: Access) -> Driver:
    """A store to be entered with `async with`; nothing is sent before."""
    if access.driver == ETCD:
        return EtcdCluster(access.endpoints, access.ca, access.client or Pair(certificate=b"", key=b""))
    module, name = OTHERS[access.driver]
    driver: Driver = getattr(import_module(module), name)(access)
    return driver
