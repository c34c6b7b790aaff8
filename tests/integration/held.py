"""All that a tenant's namespace, its pods and the tenant itself hold, and where in it a key or words are.

What somebody who has taken over a control plane could read there is no more than that.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import meta

DATA = (kinds.SECRET, kinds.CONFIG_MAP)
OBJECTS = (
    *(kinds.TENANT_CONTROL_PLANE, kinds.DEPLOYMENT, kinds.POD, kinds.JOB, kinds.SERVICE, kinds.EVENT),
    kinds.CONFIG_MAP,
)
KEY = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.+?-----END \1PRIVATE KEY-----", re.DOTALL)
WRAPPED = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")  # base64
LAYERS = 3  # a PEM in a kubeconfig in a Secret's data


async def by(cluster: Cluster, namespace: str, inside: Cluster | None = None) -> dict[str, bytes]:
    """Content by where it is: what pods mount, how they are started, what is said of them; `inside`: the tenant's own."""
    found: dict[str, bytes] = {}
    for where, session, scope in (("", cluster, namespace), ("inside ", inside, None)):
        for kind in DATA if session else ():
            for each in await session.list(kind, scope) if session else ():
                name = f"{where}{kind.kind} {each['metadata']['namespace']}/{each['metadata']['name']}"
                data = meta.decoded(each) if kind is kinds.SECRET else each.get("data") or {}
                found |= {f"{name}: {key}": _bytes(value) for key, value in data.items()}
    for kind in OBJECTS:
        for each in await cluster.list(kind, namespace):
            found[f"{kind.kind} {each['metadata']['name']}"] = json.dumps(each).encode()
    return found


def key(found: Mapping[str, bytes], pem: bytes) -> list[str]:
    """Where this private key is, in whatever form; it is known by its public half."""
    wanted = _public(pem)
    return [where for where, content in found.items() if any(wanted == _public(each) for each in _keys(content))]


def words(found: Mapping[str, bytes], said: bytes) -> list[str]:
    """Where these are, plain or in base64."""
    return [where for where, content in found.items() if any(said in each for each in _unwrapped(content))]


def _keys(content: bytes) -> Iterator[bytes]:
    for each in _unwrapped(content):
        yield from (found.group() for found in KEY.finditer(each))


def _unwrapped(content: bytes, layers: int = LAYERS) -> Iterator[bytes]:
    """It, and what is in it in base64."""
    plain = content.replace(b"\\n", b"\n")  # as JSON has it
    yield plain
    for each in WRAPPED.finditer(plain) if layers else ():
        with suppress(binascii.Error):
            yield from _unwrapped(base64.b64decode(each.group(), validate=True), layers - 1)


def _public(pem: bytes) -> bytes:
    with suppress(ValueError):
        public = load_pem_private_key(pem, None).public_key()
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b""


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
