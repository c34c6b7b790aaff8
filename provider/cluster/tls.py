"""TLS with a client certificate, from PEM that never was on a disk. Called by `connect` and by the drivers of datastores."""

from __future__ import annotations

import ssl
import tempfile
from asyncio import sslproto
from collections.abc import Iterator
from contextlib import contextmanager

from provider.manifest.x509 import Pair

# asyncio sets aside 256 KiB for what comes over each TLS connection; of tenants we keep hundreds that are silent.
sslproto.SSLProtocol.max_size = 16 * 1024


@contextmanager
def client_file(pair: Pair) -> Iterator[str]:
    """A file with certificate and key, for us alone, while the context lasts: Python's TLS reads keys from files only."""
    with tempfile.NamedTemporaryFile(prefix="client-", suffix=".pem") as file:
        file.write(pair.certificate + b"\n" + pair.key)
        file.flush()
        yield file.name


def trusting(ca: bytes, client: Pair | None) -> ssl.SSLContext:
    """The server has to be who it says; `client` is shown to it. ssl.SSLError or ValueError when something is no PEM, or does
    not belong together."""
    context = ssl.create_default_context(cadata=ca.decode("ascii"))
    if client is not None:
        with client_file(client) as path:
            context.load_cert_chain(path)
    return context
