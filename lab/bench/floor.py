"""The floor: the same kube-apiserver binary with an etcd of its own on loopback, from its start to /readyz saying ok."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from lab import programs
from provider.hosting.reconcile.mint import RandomMint
from provider.manifest import privatekey, x509

ETCD_PORT, PEER_PORT, API_PORT = 23790, 23800, 26443
PATIENCE = 120.0


async def seconds() -> float:
    """One measurement, in seconds."""
    with tempfile.TemporaryDirectory(prefix="capi-kamaji-floor-") as name:
        folder = Path(name)
        _write_keys(folder)
        async with process("etcd", _etcd_flags(folder), folder):
            await answers(f"http://127.0.0.1:{ETCD_PORT}/health")
            start = time.monotonic()
            async with process("kube-apiserver", _api_server_flags(folder), folder):
                await answers(f"https://127.0.0.1:{API_PORT}/readyz")
                return time.monotonic() - start


def _write_keys(folder: Path) -> None:
    mint, now = RandomMint(), datetime.now(UTC)
    authority = x509.authority("kubernetes", mint, now)
    request = x509.Request(common_name="kube-apiserver", addresses=frozenset({"127.0.0.1"}), server=True)
    server, account = x509.issue(request, authority, mint, now), mint.key()
    content = {
        "ca.crt": authority.certificate,
        "server.crt": server.certificate,
        "server.key": server.key,
        "sa.key": privatekey.private_key_pem(account),
        "sa.pub": privatekey.public_key_pem(account),
    }
    for file, data in content.items():
        (folder / file).write_bytes(data)


def _etcd_flags(folder: Path) -> list[str]:
    client, peer = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{PEER_PORT}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--log-level=error",
    ]


def _api_server_flags(folder: Path) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{ETCD_PORT}",
        "--bind-address=127.0.0.1",
        f"--secure-port={API_PORT}",
        f"--client-ca-file={folder / 'ca.crt'}",
        f"--tls-cert-file={folder / 'server.crt'}",
        f"--tls-private-key-file={folder / 'server.key'}",
        f"--service-account-key-file={folder / 'sa.pub'}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=Node,RBAC",
    ]


@asynccontextmanager
async def process(program: str, flags: list[str], folder: Path) -> AsyncIterator[None]:
    """A program of the lab that runs while the block does; its log lies in the folder."""
    with (folder / f"{program}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(str(programs.path(program)), *flags, stdout=log, stderr=log)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def answers(url: str) -> None:
    """Ask every 20 ms until the answer is 200. TimeoutError when it never is."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # our own process on loopback
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url, ssl=trusting) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)
