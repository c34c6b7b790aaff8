"""HTTP to one API server: `kubernetes.aio`'s REST client under our errors and time-outs. Used by `cluster.connect`.

One SSL context and one connection pool an instance. Nothing above this module sees aiohttp.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException

from provider.cluster import errors
from provider.cluster.errors import Unreachable

JSON = "application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# The server reads the type up to the semicolon; because of the rest the client sends our text and not its own (`said_in_yaml`).
APPLY_PATCH = "application/apply-patch+yaml; charset=utf-8"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
REFUSAL_LIMIT = 1 << 20  # bytes of an error that are read
NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
"""What JSON lets stand in a text and YAML 1.2 wants escaped (5.1); the last are halves of a pair, which no server takes."""


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds: until TCP and TLS stand, for a whole request, and for which a stream may be silent."""

    connect: float = 5.0
    request: float = 30.0
    silence: float = 90.0  # API servers send a bookmark each minute


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request below the server's address. `query` values are strings; `body` is parsed JSON."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Any = None
    content_type: str = JSON
    accept: str = JSON


class Wire(Protocol):
    """What a `client.Cluster` speaks over. Raises ApiError and nothing else."""

    @property
    def server(self) -> str:
        """https://host:port"""

    async def send(self, request: Request) -> bytes:
        """The body of a successful answer."""

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Lines of an answer that goes on for as long as the server likes; closed on leaving."""

    async def close(self) -> None:
        """Close every connection."""


class Transport:
    """A connection pool to one API server. Raises ApiError and nothing else."""

    def __init__(self, configuration: Configuration, timeouts: Timeouts | None = None) -> None:
        self._configuration = configuration
        self._timeouts = timeouts or Timeouts()
        self._rest = RESTClientObject(configuration)  # makes the SSL context

    @property
    def server(self) -> str:
        """https://host:port"""
        return str(self._configuration.host)

    async def send(self, request: Request) -> bytes:
        """The body of a successful answer."""
        times = self._timeouts
        limits = aiohttp.ClientTimeout(total=times.request, sock_connect=times.connect)
        async with self._answered(request, limits) as response:
            with translated(self.server):
                body: bytes = await response.read()
            return body

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """Lines of an answer that goes on for as long as the server likes; closed on leaving."""
        times = self._timeouts
        limits = aiohttp.ClientTimeout(total=None, sock_connect=times.connect, sock_read=times.silence)
        async with self._answered(request, limits) as response:
            yield _lines(response, self.server)

    async def close(self) -> None:
        """Close every connection."""
        await self._rest.close()

    @asynccontextmanager
    async def _answered(self, request: Request, limits: aiohttp.ClientTimeout) -> AsyncIterator[aiohttp.ClientResponse]:
        with translated(self.server):
            response = await self._sent(request, limits)
        try:
            if response.status >= 400:
                with translated(self.server):
                    body = await _beginning(response)
                raise errors.of(response.status, body, response.headers.get("Retry-After", ""))
            yield response
        finally:
            response.release() if response.content.at_eof() else response.close()

    async def _sent(self, request: Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        query = f"?{urlencode(request.query)}" if request.query else ""
        headers = {"Accept": request.accept, "Content-Type": request.content_type, "User-Agent": "capi-kamaji"}
        for each in (await self._configuration.auth_settings()).values():
            if each["value"]:  # read for each request: service-account tokens rotate
                headers[each["key"]] = each["value"]
        answer = await self._rest.request(
            request.method,
            f"{self.server}{request.path}{query}",
            headers=headers,
            body=said_in_yaml(request.body) if request.content_type == APPLY_PATCH else request.body,
            _request_timeout=limits,
        )
        response: aiohttp.ClientResponse = answer.response
        return response


def said_in_yaml(body: Any) -> bytes:
    """The body as JSON that is YAML, too: there a sign beyond 16 bits, such as an emoji, cannot be written as two escapes."""
    said = json.dumps(body, ensure_ascii=False)
    return NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", said).encode()


@contextmanager
def translated(server: str) -> Iterator[None]:
    """Whatever the HTTP client raises inside becomes Unreachable."""
    try:
        yield
    except TimeoutError as error:
        raise Unreachable(f"{server} did not answer in time") from error
    except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError) as error:
        raise Unreachable(f"{server} is not who it should be: {_certificate_fault(error)}") from error
    except (aiohttp.ClientError, OSError, ConfigException) as error:
        raise Unreachable(f"{server} cannot be reached: {error}") from error


def _certificate_fault(error: BaseException) -> str:
    inner = getattr(error, "certificate_error", error)
    return str(getattr(inner, "verify_message", "") or inner)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """As much of a refusal as is read: behind an API server's proxy anybody may be the one who refuses, at any length."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) >= REFUSAL_LIMIT:
            break
    return bytes(body)


async def _lines(response: aiohttp.ClientResponse, server: str) -> AsyncIterator[bytes]:
    rest = bytearray()
    with translated(server):
        async for chunk in response.content.iter_any():
            rest += chunk
            if b"\n" not in chunk:
                continue
            *whole, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            for each in whole:
                if each:
                    yield each


def parsed(body: bytes) -> dict[str, Any]:
    """An object out of an answer. Unreachable when it is no JSON: something else than an API server answers there."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Unreachable("the answer is no JSON: this is no API server") from error
    if not isinstance(found, dict):
        raise Unreachable("the answer is no object: this is no API server")
    return found
