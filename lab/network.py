"""A bridge in a network namespace of the lab's own, and who has which address on it. Called by machines and the cloud part.

Each lab has its own namespaces, so that two labs never meet unless they are joined. Nothing is routed to the outside.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.state import MANAGEMENT, Lab

SUBNETS = ipaddress.IPv4Network("172.30.0.0/16")
MACHINES = range(10, 200)  # host numbers of machines
BALANCERS = range(200, 250)  # host numbers of load balancer addresses, so that the two never take each other's
BALANCER = "balancer:"
"""Owners that begin so get an address for a load balancer."""


@dataclass(frozen=True)
class Network:
    """The bridge `br0` of one lab."""

    lab: Lab

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        """172.30.N.0/24, N being the number after the hyphen of the lab's name, or 0: so `lab` and `lab-2` can be joined."""
        number = re.search(r"-(\d{1,2})$", self.lab.name)
        return list(SUBNETS.subnets(new_prefix=24))[int(number[1]) if number else 0]

    @property
    def gateway(self) -> ipaddress.IPv4Address:
        """The bridge's own address."""
        return self.subnet[1]

    @property
    def bridge_netns(self) -> str:
        """Name of the namespace that the bridge is in."""
        return f"{self.lab.name}.bridge"

    def create(self) -> None:
        """Make the bridge, unless it is there."""
        if self.bridge_netns in namespaces():
            return
        ip("netns", "add", self.bridge_netns)
        inside = ("-n", self.bridge_netns)
        ip(*inside, "link", "add", "br0", "type", "bridge")
        ip(*inside, "address", "add", f"{self.gateway}/{self.subnet.prefixlen}", "dev", "br0")
        ip(*inside, "link", "set", "lo", "up")
        ip(*inside, "link", "set", "br0", "up")

    def join(self, other: Network) -> None:
        """Lay a line to another lab's bridge, so that machines and load balancers of both reach each other, unless it is there.

        It goes with whichever bridge goes first. RuntimeError when both labs have the same addresses, or one is not up.
        """
        if self.subnet == other.subnet:
            raise RuntimeError(
                f"labs {self.lab.name} and {other.lab.name} have the same addresses, {self.subnet}: what joins another lab is"
                f" called like it with a number behind, as lab-2"
            )
        for each in (self, other):
            if each.bridge_netns not in namespaces():
                raise RuntimeError(f"lab {each.lab.name} is not up; `lab up --lab {each.lab.name}` first")
        line = f"to-{other.subnet[0].packed[2]}"
        if ip("-n", self.bridge_netns, "link", "show", line, check=False):
            return
        back = f"to-{self.subnet[0].packed[2]}"
        peer = ("peer", "name", back, "netns", other.bridge_netns)
        ip("-n", self.bridge_netns, "link", "add", line, "type", "veth", *peer)
        for here, there, port in ((self, other, line), (other, self, back)):
            forward = ["sysctl", "-qw", "net.ipv4.ip_forward=1"]
            subprocess.run(["nsenter", f"--net=/run/netns/{here.bridge_netns}", *forward], check=True)
            ip("-n", here.bridge_netns, "link", "set", port, "up")
            way = ("via", str(there.gateway), "dev", port, "onlink")
            ip("-n", here.bridge_netns, "route", "replace", str(there.subnet), *way)

    def part(self, other: Network) -> None:
        """Take the line away; nothing happens when there is none."""
        ip("-n", self.bridge_netns, "link", "delete", f"to-{other.subnet[0].packed[2]}", check=False)

    def delete(self) -> None:
        """Take the bridge away with everything attached to it."""
        if self.bridge_netns in namespaces():
            ip("netns", "delete", self.bridge_netns)

    def attach(self, netns: str, address: str, port: str) -> None:
        """Make a namespace with `eth0` on the bridge, unless it is there. `port` names the bridge's end (≤ 15 letters)."""
        if netns in namespaces():
            return
        ip("netns", "add", netns)
        try:
            ip("-n", self.bridge_netns, "link", "delete", port, check=False)
            ip(
                *("-n", netns, "link", "add", "eth0", "type", "veth"),
                *("peer", "name", port, "netns", self.bridge_netns),
            )
            ip("-n", self.bridge_netns, "link", "set", port, "master", "br0", "up")
            ip("-n", netns, "link", "set", "lo", "up")
            ip("-n", netns, "address", "add", f"{address}/{self.subnet.prefixlen}", "dev", "eth0")
            ip("-n", netns, "link", "set", "eth0", "up")
            ip("-n", netns, "route", "add", "default", "via", str(self.gateway))
        except subprocess.CalledProcessError:
            ip("netns", "delete", netns)
            raise

    def allocate(self, owner: str) -> str:
        """The owner's address; the same one when asked again. RuntimeError when none is left."""
        with self._addresses() as known:
            if owner not in known:
                numbers = BALANCERS if owner.startswith(BALANCER) else MACHINES
                free = (str(self.subnet[n]) for n in numbers if str(self.subnet[n]) not in known.values())
                known[owner] = next(free, "")
            if not known[owner]:
                raise RuntimeError(
                    f"no address of {self.subnet} is left for {owner}; delete machines or load balancers"
                )
            return known[owner]

    def release(self, owner: str) -> None:
        """Give the owner's address back; nothing happens when it has none."""
        with self._addresses() as known:
            known.pop(owner, None)

    def allocated(self) -> dict[str, str]:
        """Addresses by owner."""
        with self._addresses() as known:
            return dict(known)

    def add_balancer_address(self, address: str) -> None:
        """Let the management machine answer for a load balancer's address."""
        ip("-n", self.lab.machine(MANAGEMENT).netns, "address", "replace", f"{address}/32", "dev", "eth0")

    def remove_balancer_address(self, address: str) -> None:
        """The opposite; nothing happens when it is not there."""
        netns = self.lab.machine(MANAGEMENT).netns
        ip("-n", netns, "address", "delete", f"{address}/32", "dev", "eth0", check=False)

    @contextmanager
    def _addresses(self) -> Iterator[dict[str, str]]:
        """The record, under a lock: several processes allocate."""
        file = self.lab.root / "addresses.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            handle.seek(0)
            text = handle.read()
            known: dict[str, str] = json.loads(text) if text else {}
            yield known
            handle.seek(0)
            handle.truncate()
            handle.write(json.dumps(known, indent=1))


def ip(*arguments: str, check: bool = True) -> str:
    """iproute2. CalledProcessError carries what it said."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, ["ip", *arguments], done.stdout, done.stderr)
    return done.stdout


def namespaces() -> set[str]:
    """Names of the network namespaces that exist."""
    folder = Path("/run/netns")
    return {each.name for each in folder.iterdir()} if folder.exists() else set()
