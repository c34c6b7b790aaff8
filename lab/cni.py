"""The bridge CNI configuration of a machine. Called for the management machine and for workers with a podCIDR."""

from __future__ import annotations

import ipaddress
import json

from lab.machine import Machine

PATH = "/etc/cni/net.d/10-lab.conflist"


def configuration(*subnets: str) -> bytes:
    """A conflist: one bridge, an address of each of `subnets` by host-local, host ports; what leaves is masqueraded."""
    networks = [ipaddress.ip_network(each) for each in subnets]
    everywhere = {4: "0.0.0.0/0", 6: "::/0"}
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": str(each)}] for each in networks],
        "routes": [{"dst": everywhere[each.version]} for each in networks],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": addresses,
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    document = {"cniVersion": "1.0.0", "name": "lab", "plugins": [bridge, portmap]}
    return json.dumps(document, indent=1).encode()


def write(machine: Machine, *subnets: str) -> bool:
    """Write it into the machine unless it stands; whether it was written."""
    file = machine.root / "fs" / PATH.lstrip("/")
    wanted = configuration(*subnets)
    if file.exists() and file.read_bytes() == wanted:
        return False
    machine.write_file(PATH, wanted, 0o644)
    return True
