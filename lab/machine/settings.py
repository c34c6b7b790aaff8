"""What a machine's containerd and kubelet have to be told on a host without systemd and with cgroup v1.

kubeadm's patch folder `/etc/lab/kubeadm-patches` carries the kubelet's part, so that a plain `kubeadm join` only has to name
the folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lab import images, programs

if TYPE_CHECKING:
    from lab.machine import Machine

PATCHES = "/etc/lab/kubeadm-patches"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment() -> dict[str, str]:
    """Environment of everything that runs in a machine: our programs first in PATH, nothing of the caller's."""
    path = ":".join([*(str(each) for each in programs.folders()), SYSTEM_PATH])
    return {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}


def write(machine: Machine, labels: Mapping[str, str]) -> None:
    """Write the machine's files, new or again."""
    fs = machine.root / "fs"
    (machine.root / "containerd.toml").write_text(containerd(fs))
    flags = [f"--node-ip={machine.address}", f"--hostname-override={machine.name}"]
    flags += [f"--node-labels={','.join(f'{k}={v}' for k, v in sorted(labels.items()))}"] if labels else []
    (machine.root / "kubelet-flags").write_text(" ".join(flags) + "\n")
    (fs / "hosts").write_text(f"127.0.0.1 localhost\n{machine.address} {machine.name}\n")
    # Nobody answers there: it only keeps a CoreDNS that forwards from giving up at its start.
    (fs / "resolv.conf").write_text(f"nameserver {machine.lab.network().gateway}\n")
    patches = fs / PATCHES.lstrip("/")
    patches.mkdir(parents=True, exist_ok=True)
    (patches / "kubeletconfiguration0+strategic.yaml").write_text(yaml.safe_dump(kubelet(machine)))


def kubelet(machine: Machine) -> dict[str, Any]:
    """KubeletConfiguration values of this machine."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{machine.cgroup}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["none"],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "resolvConf": "/etc/resolv.conf",
        "maxPods": 250,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi"},
    }


def containerd(fs: Path) -> str:
    """containerd's configuration (version 3)."""
    cni = programs.modules()["cni"].folder()
    return f"""version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{images.PAUSE}"
[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"
[plugins.'io.containerd.cri.v1.images'.registry]
config_path = "/etc/lab/registries"
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{cni}"]
conf_dir = "/etc/cni/net.d"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def host() -> Mapping[str, str]:
    """The host's own environment with our programs in PATH, for commands outside machines."""
    return {**os.environ, "PATH": f"{':'.join(str(each) for each in programs.folders())}:{os.environ['PATH']}"}
