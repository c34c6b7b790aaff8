"""Ways to an API server: as a pod, by a kubeconfig file, by the content of a kubeconfig Secret. Made here, used everywhere.

Content out of a Secret is never run (no `exec`) and never names files: only what our own kubeconfigs hold is read from it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from ssl import SSLContext
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration

from provider.cluster import tls
from provider.cluster.client import Cluster
from provider.cluster.errors import Unreachable
from provider.cluster.multiplexed import Address, Multiplexed
from provider.cluster.transport import Timeouts, Transport
from provider.manifest import kubeconfig
from provider.manifest.x509 import Pair

BOUNDED = Timeouts(connect=2.0, request=10.0)  # a tenant, or another cluster, must not hold up the pass over it
UNUSABLE = (OSError, ValueError, config.ConfigException)


async def in_cluster() -> Cluster:
    """By the pod's service account; its token is read anew as it rotates. Unreachable outside a pod."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise Unreachable(f"this is no pod with a service account: {error}") from error
    return Cluster(Transport(configuration))


async def from_file(path: str | Path | None = None, context: str | None = None) -> Cluster:
    """By a kubeconfig file and a context of it; None: $KUBECONFIG or ~/.kube/config, and the current context.

    Unreachable when it cannot be used.
    """
    configuration = Configuration()
    given: Any = str(path) if path is not None else None
    chosen: Any = context
    try:
        await config.load_kube_config(
            config_file=given, context=chosen, client_configuration=configuration, persist_config=False
        )
        return Cluster(Transport(configuration))
    except UNUSABLE as error:
        raise Unreachable(f"kubeconfig {given or '(default)'} cannot be used: {error}") from error


def namespace_of(path: str | Path | None = None, context: str | None = None) -> str:
    """The namespace that the context of such a file says, `default` where it says none. Unreachable when unusable."""
    given: Any = str(path) if path is not None else None
    try:
        contexts, current = config.list_kube_config_contexts(given)
    except UNUSABLE as error:
        raise Unreachable(f"kubeconfig {given or '(default)'} cannot be used: {error}") from error
    chosen = next((each for each in contexts if each["name"] == context), current) if context else current
    return str((chosen or {}).get("context", {}).get("namespace") or "default")


async def from_kubeconfig(content: bytes, *, server: str | None = None, tls_server_name: str | None = None) -> Cluster:
    """By a kubeconfig's content. `server` replaces its address; `tls_server_name` is what the certificate must say then.

    ValueError when the content is no kubeconfig with one cluster and a client certificate, or its certificates cannot be used.
    """
    read = kubeconfig.parse(content)
    host = (server or read.server).rstrip("/")

    def plain() -> Transport:
        configuration = Configuration(
            host=host,
            ca_cert_data=read.ca.decode("ascii"),
            tls_server_name=tls_server_name,
            client_session_kwargs={"trust_env": False},  # a proxy of the management cluster does not know tenants
        )
        return _with_pair(configuration, read.client)

    address = Address(server=host, tls_server_name=tls_server_name, context=partial(_context, read.ca, read.client))
    return Cluster(Multiplexed(address, BOUNDED, plain))


async def from_access(content: bytes) -> Cluster:
    """By a kubeconfig that somebody put into a Secret. ValueError says what of it cannot be used, and no value of it."""
    read = kubeconfig.access(content)
    configuration = Configuration(
        host=read.server,
        ca_cert_data=read.ca.decode("ascii") if read.ca else None,
        tls_server_name=read.tls_server_name,
        api_key={"BearerToken": read.token} if read.token else {},
        api_key_prefix={"BearerToken": "Bearer"},
        client_session_kwargs={"trust_env": False},
    )
    try:
        return Cluster(_with_pair(configuration, read.client) if read.client else Transport(configuration, BOUNDED))
    except OSError as error:  # ssl.SSLError is one
        raise ValueError("its certificate authority cannot be read") from error


def _context(ca: bytes, client: Pair) -> SSLContext:
    try:
        return tls.trusting(ca, client)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError("the kubeconfig's certificates cannot be used") from error


def _with_pair(configuration: Configuration, pair: Pair) -> Transport:
    """The file exists while the context is made."""
    with tls.client_file(pair) as path:
        configuration.cert_file = path
        try:
            return Transport(configuration, BOUNDED)
        except OSError as error:  # ssl.SSLError is one
            raise ValueError("the kubeconfig's certificates cannot be used") from error
        finally:
            configuration.cert_file = None
