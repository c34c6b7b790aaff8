"""The control plane that all simulated tenants share: one real kube-apiserver, known to each by the name of its own Service.

So that what one tenant's pass writes inside is right for every other, all have the same name, address and authority, and each a
namespace of its own. The first of them does the writing inside; the others find it done, each over connections of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.servers import ApiServer, Authority, Etcd
from provider.api import names

TENANT = "plane"
SERVICES = "10.96.0.0/16"  # as tenants have it when they say nothing
NAMES_A_CERTIFICATE = 20  # more would make handshakes longer than they are with real tenants


def namespace(number: int) -> str:
    """Of one tenant."""
    return f"scale-{number:04}"


def started(folder: Path, etcd: Etcd, count: int, extra: tuple[str, ...]) -> ApiServer:
    """The API server of so many tenants, running."""
    authority = Authority()
    server = ApiServer(folder, etcd, prefix="/planes", authority=authority, services=SERVICES)
    folder.mkdir(parents=True, exist_ok=True)
    server.extra = (*extra, *_certificates(folder, authority, count))
    return server.start()


def _certificates(folder: Path, authority: Authority, count: int) -> Iterator[str]:
    """Flags by which it answers to the names of all."""
    for first in range(0, count, NAMES_A_CERTIFICATE):
        batch = range(first, min(first + NAMES_A_CERTIFICATE, count))
        hosts = [names.service_host(TENANT, namespace(each)) for each in batch]
        pair, stem = authority.server(*hosts), folder / f"names-{first}"
        stem.with_suffix(".crt").write_bytes(pair.certificate)
        stem.with_suffix(".key").write_bytes(pair.key)
        yield f"--tls-sni-cert-key={stem}.crt,{stem}.key"
