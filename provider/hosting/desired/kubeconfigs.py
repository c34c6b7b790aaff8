"""Kubeconfigs of a tenant's administrators and of its own controllers. Signed by its CA; renewed with their certificates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provider.api import names
from provider.api.credentials import tenants
from provider.api.credentials.node import Node
from provider.hosting import credential, endpoint, rotation
from provider.hosting.rotation.keyring import CA
from provider.hosting.view import View
from provider.manifest import Manifest, kubeconfig
from provider.manifest.kubeconfig import Kubeconfig
from provider.manifest.x509 import Pair, Request

NAME = "kubeconfigs"


@dataclass(frozen=True)
class Client:
    """One user and the kubeconfigs of a Secret that are made out to it: key → server."""

    request: Request
    servers: Mapping[str, str]


def build(view: View) -> Iterator[Manifest]:
    """Three Secrets. NotReady while the CA or the address is not there."""
    ca = rotation.of(view, CA)
    for node, clients in _secrets(view):
        data: dict[str, bytes] = {}
        standing = view.secret(node.secret(view.name))
        for each in clients:
            before = _certificate_held(standing.get(next(iter(each.servers))))
            pair = credential.leaf(view, node, before, each.request, ca.signer, ca.accepted)
            data |= _rendered(view, standing, each, pair)
        yield credential.secret(view, node, data)


def report(view: View) -> dict[str, Any]:
    """`kubeconfig.{admin,controllerManager,scheduler}`; tools follow `admin.secretName`."""
    return credential.reports(view, tenants.ADMIN, tenants.CONTROLLER_MANAGER, tenants.SCHEDULER)


def _secrets(view: View) -> Iterator[tuple[Node, tuple[Client, ...]]]:
    """Each Secret with its clients."""
    port = view.tcp.network.port
    outside = endpoint.internal(view).url
    inside = f"https://{names.service_host(view.name, view.namespace)}:{port}"
    own_pod = f"https://127.0.0.1:{port}"
    yield (
        tenants.ADMIN,
        (
            Client(
                Request(common_name="kubernetes-admin", organizations=(names.CLUSTER_ADMINS_GROUP,), client=True),
                {"admin.conf": outside, "admin.svc": inside},
            ),
            Client(
                Request(common_name="kubernetes-super-admin", organizations=("system:masters",), client=True),
                {"super-admin.conf": outside, "super-admin.svc": inside},
            ),
        ),
    )
    for component, node in (("controller-manager", tenants.CONTROLLER_MANAGER), ("scheduler", tenants.SCHEDULER)):
        request = Request(common_name=f"system:kube-{component}", client=True)
        yield node, (Client(request, dict.fromkeys(node.files, own_pod)),)


def _rendered(view: View, standing: Mapping[str, bytes], client: Client, pair: Pair) -> dict[str, bytes]:
    """The client's kubeconfigs, with all the authorities that are trusted.

    One that says what it should stays to the letter, also in another program's layout: its checksum is in the pods' labels.
    """
    trusted = rotation.trusted(view)
    user = client.request.common_name
    made = {
        key: Kubeconfig(cluster=view.name, server=server, ca=trusted, user=user, client=pair).render()
        for key, server in client.servers.items()
    }
    return {
        key: standing[key] if key in standing and kubeconfig.same(standing[key], content) else content
        for key, content in made.items()
    }


def _certificate_held(content: bytes | None) -> Pair | None:
    try:
        return kubeconfig.parse(content).client if content else None
    except ValueError:
        return None
