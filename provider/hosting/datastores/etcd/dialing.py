"""A gRPC channel to etcd, and plain words for why there is none. Used by `etcd` alone.

Whom the channel leads to, and by which name, is chosen when it is made (`members`).
gRPC says the same of a refused certificate and of a closed port: a second look with TLS alone tells them apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from etcd3aio import Etcd3Client

from provider.cluster import tls
from provider.hosting.datastores.errors import StoreError, StoreUnreachable, StoreUntrusted
from provider.hosting.datastores.etcd import members
from provider.hosting.datastores.etcd.members import LOOK, host_of
from provider.manifest.x509 import Pair

OLD_REVISION = "revision of auth store is old"
PAUSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between tries
VERDICT = 1.5  # seconds for a busy server to say that it does not take a certificate


async def settled(ask: Callable[[], Awaitable[Any]]) -> Any:
    """The answer about keys, asked again while users or roles change: etcd turns down what it began before such a change.

    Each birth and each end of a tenant is some such changes, and every other tenant's questions meet them.
    """
    for pause in PAUSES:
        try:
            return await ask()
        except grpc.aio.AioRpcError as error:
            if OLD_REVISION not in str(error.details()):
                raise
        await asyncio.sleep(pause)
    return await ask()


async def client(endpoints: Sequence[str], ca: bytes, pair: Pair) -> Etcd3Client:
    """A client that is not connected yet. StoreUnreachable when no name resolves: a member's may be gone with its pod."""
    target = await members.target(endpoints, ca, pair)
    if target is None:
        raise StoreUnreachable(f"{', '.join(endpoints)} does not resolve to an address: is the endpoint right?")
    made = Etcd3Client(
        rpc_max_attempts=2, tls_server_name=target.name, ca_cert=ca, cert_key=pair.key, cert_chain=pair.certificate
    )
    # Its endpoints are IPv4 addresses always; the channel is made of this, when it connects, and knows both families.
    made._manager.target = target.uri
    return made


async def why(endpoints: Sequence[str], ca: bytes, pair: Pair) -> StoreError:
    """Why a store does not answer, in words that stay the same: what one endpoint says of trust tells more than silence."""
    try:
        context = tls.trusting(ca, pair)
    except (ssl.SSLError, ValueError):
        return StoreUntrusted(f"{endpoints[0]}: the DataStore's certificates or keys are no PEM that belong together")
    found = await asyncio.gather(*(_fault(each, context) for each in endpoints))
    if refused := next((each for each in found if isinstance(each, StoreUntrusted)), None):
        return refused
    where = ", ".join(endpoints)
    if any(each is None for each in found):
        return StoreUnreachable(f"{where} takes connections and does not answer: has etcd lost its quorum?")
    return StoreUnreachable(f"nobody answers at {where}: is etcd up, and is the address right?")


async def _fault(endpoint: str, context: ssl.SSLContext) -> StoreError | None:
    """What one endpoint makes of TLS; None when nothing is wrong with that."""
    try:
        async with asyncio.timeout(LOOK):
            await _handshake(endpoint, context)
    except ssl.SSLCertVerificationError:
        return StoreUntrusted(
            f"{endpoint} shows a certificate that tlsConfig.certificateAuthority did not sign, or for another name"
        )
    except ssl.SSLError:
        return StoreUntrusted(
            f"{endpoint} does not take the client certificate: is tlsConfig.clientCertificate signed by the CA it trusts?"
        )
    except (OSError, TimeoutError, ValueError):
        return StoreUnreachable(f"nobody answers at {endpoint}")
    return None


async def _handshake(endpoint: str, context: ssl.SSLContext) -> None:
    """TLS with both certificates. With TLS 1.3 a server refuses a client's only after the handshake, so we listen on."""
    host, port = host_of(endpoint), int(endpoint.rpartition(":")[2])
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), VERDICT)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
