"""A worker that joins a tenant by kubeadm and that nobody can reach: its wall drops every connection that comes from outside.

What the worker and its pods begin themselves gets its answers, as behind a NAT or a firewall.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from dataclasses import dataclass

from lab import cni
from lab.machine import Machine
from lab.machine.settings import PATCHES
from lab.state import Lab
from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from tests.e2e.conftest import until

KUBELET = 10250
WALL = """
table inet wall {
    chain input { type filter hook input priority 0; iifname "eth0" ct state new drop; }
    chain forward { type filter hook forward priority 0; iifname "eth0" ct state new drop; }
}
"""


@dataclass(frozen=True)
class Worker:
    """One machine of the lab."""

    machine: Machine

    @classmethod
    def called(cls, name: str) -> Worker:
        return cls(Lab(os.environ["CAPI_KAMAJI_LAB"]).machine(name))

    async def join(self, tenant: Cluster, endpoint: str, *, wall: bool = True) -> None:
        """Behind its wall from the start. The tenant's control plane is at `endpoint`."""
        await asyncio.to_thread(self.machine.create)
        if wall:
            await self._run("nft", "-f", "-", stdin=WALL)
        token = f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"
        await tenant.create(bootstrap_token(token))

        async def signed() -> bool:
            info = await tenant.get(kinds.CONFIG_MAP, "cluster-info", "kube-public")
            return f"jws-kubeconfig-{token[:6]}" in (info or {}).get("data", {})

        await until(signed, "signature of cluster-info")
        await self._run(
            *("kubeadm", "join", endpoint, "--token", token, "--discovery-token-unsafe-skip-ca-verification"),
            *("--ignore-preflight-errors=all", "--cri-socket=unix:///run/containerd/containerd.sock"),
            *(f"--node-name={self.machine.name}", f"--patches={PATCHES}"),
        )

        async def networked() -> bool:
            node = await tenant.get(kinds.NODE, self.machine.name) or {}
            if subnets := (node.get("spec") or {}).get("podCIDRs"):
                await asyncio.to_thread(cni.write, self.machine, *subnets)
            conditions = (node.get("status") or {}).get("conditions") or ()
            return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

        await until(networked, f"node {self.machine.name} is Ready")

    async def cut(self, port: int) -> None:
        """Nothing of it gets to that port of the outside any more."""
        drop = f'oifname "eth0" tcp dport {port} reject with tcp reset;'
        chains = [f"chain {hook} {{ type filter hook {hook} priority -5; {drop} }}" for hook in ("output", "forward")]
        await self._run("nft", "-f", "-", stdin="table inet cut {\n" + "\n".join(chains) + "\n}\n")

    async def mend(self) -> None:
        """The opposite."""
        await self._run("nft", "delete", "table", "inet", "cut")

    async def is_reached(self, port: int = KUBELET) -> bool:
        """Whether a connection from where the control plane's pods are gets through."""
        return await asyncio.to_thread(self._reached, port)

    def _reached(self, port: int) -> bool:
        try:
            with socket.create_connection((self.machine.address, port), timeout=2):
                return True
        except OSError:
            return False

    async def end(self) -> None:
        if self.machine.exists():
            await asyncio.to_thread(self.machine.delete)

    async def _run(self, *command: str, stdin: str = "") -> None:
        done = await asyncio.to_thread(self.machine.exec, command, stdin=stdin.encode(), timeout=120)
        assert done.returncode == 0, f"{command[0]} in {self.machine.name}: {done.stderr.decode()}"


def bootstrap_token(token: str) -> Manifest:
    """The Secret that makes a token count."""
    identifier, _, secret = token.partition(".")
    values = {
        "token-id": identifier,
        "token-secret": secret,
        "usage-bootstrap-signing": "true",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": names.NODE_TOKEN_GROUP,
    }
    name = f"bootstrap-token-{identifier}"
    return meta.new(
        kinds.SECRET, name, "kube-system", type="bootstrap.kubernetes.io/token", data=meta.secret_data(values)
    )
