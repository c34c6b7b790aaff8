"""Which members of a store to dial, and by which name they are known. Called by `dialing`.

gRPC is given addresses of one IP family, and one name that all certificates behind them have to say. Where there is a choice,
we look first, with TLS alone, at each member under its own name. The first that answers is taken, and with it those whose
certificates vouch for its name as well: a store with one certificate for all keeps all its members, one with a
certificate each is reached through one, which is another when that is down.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provider.cluster import tls
from provider.manifest.x509 import Pair

LOOK = 3.0  # seconds for a look with TLS alone
OTHERS = 0.2  # seconds that the others get once one has answered
FAMILIES = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}


@dataclass(frozen=True)
class Address:
    """Where an endpoint is: one address a family of what its host resolves to."""

    host: str  # as the endpoint says it; the certificate has to say it too
    family: socket.AddressFamily
    address: str
    port: int

    @property
    def authority(self) -> str:
        """address:port, with brackets around an IPv6 address."""
        return f"[{self.address}]:{self.port}" if self.family == socket.AF_INET6 else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Target:
    """What a channel is made of."""

    uri: str
    name: str


async def target(endpoints: Sequence[str], ca: bytes, pair: Pair) -> Target | None:
    """Whom to dial under which name; None when no endpoint resolves. When nobody answers, the first is as good as any."""
    resolved = await asyncio.gather(*(_resolved(each) for each in endpoints))
    found = [address for each in resolved for address in each]
    if not found:
        return None
    said = await _answers(found, ca, pair) if len(found) > 1 else {}
    first = next((each for each in found if each in said), found[0])
    same = [each for each in found if each == first or _is_one_of(first, each, said)]
    return Target(f"{FAMILIES[first.family]}:{','.join(each.authority for each in same)}", first.host)


def host_of(endpoint: str) -> str:
    """The host of `host:port`, without brackets."""
    return endpoint.rpartition(":")[0].strip("[]")


def vouches(certificate: Mapping[str, Any], host: str) -> bool:
    """Whether a certificate, as `ssl` tells it, is good for a host (RFC 6125: a star stands for the whole first label)."""
    names = {(kind, value.lower()) for kind, value in certificate.get("subjectAltName") or ()}
    try:
        wanted = ipaddress.ip_address(host)
    except ValueError:
        host = host.lower()
        return ("DNS", host) in names or ("DNS", f"*.{host.partition('.')[2]}") in names
    return any(kind == "IP Address" and ipaddress.ip_address(value) == wanted for kind, value in names)


def _is_one_of(first: Address, each: Address, said: Mapping[Address, Mapping[str, Any]]) -> bool:
    return each in said and each.family == first.family and vouches(said[each], first.host)


async def _answers(found: Sequence[Address], ca: bytes, pair: Pair) -> dict[Address, Mapping[str, Any]]:
    """The certificates of those that answer under their own name; none when ours cannot be read."""
    try:
        context = tls.trusting(ca, pair)
    except (ssl.SSLError, ValueError):
        return {}
    looks = {asyncio.create_task(_certificate(each, context)): each for each in dict.fromkeys(found)}
    try:
        async with asyncio.timeout(LOOK):
            for each in asyncio.as_completed(looks):
                if await each is not None:
                    break
        await asyncio.wait(looks, timeout=OTHERS)
    except TimeoutError:
        return {}
    finally:
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)
    done = {address: look for look, address in looks.items() if not look.cancelled()}
    return {address: said for address, look in done.items() if (said := look.result()) is not None}


async def _certificate(at: Address, context: ssl.SSLContext) -> Mapping[str, Any] | None:
    """What a member shows, None when it shows nothing that fits."""
    try:
        _, writer = await asyncio.open_connection(at.address, at.port, ssl=context, server_hostname=at.host)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return None
    try:
        return dict(writer.get_extra_info("peercert") or {})
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _resolved(endpoint: str) -> list[Address]:
    """The first address of each family, the one that the host prefers (RFC 6724) first; empty when there is none."""
    host, loop = host_of(endpoint), asyncio.get_running_loop()
    try:
        port = int(endpoint.rpartition(":")[2])
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):
        return []
    first: dict[socket.AddressFamily, str] = {}
    for family, *_, where in found:
        if family in FAMILIES:
            first.setdefault(family, str(where[0]))
    return [Address(host, family, address, port) for family, address in first.items()]
