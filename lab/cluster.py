"""The management cluster: kubeadm on one machine, kube-proxy, CoreDNS, the bridge CNI and a default StorageClass.

Called by `lab up`, step by step; each step looks whether it is done. `exec_prefix` is how commands get to where the
cluster's addresses and names resolve.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml

from lab import cni, images, programs
from lab.machine import Machine, settings
from lab.state import MANAGEMENT, Lab

VERSION = programs.modules()["kubernetes"].version
PODS = "10.200.0.0/16"
SERVICES = "10.201.0.0/16"
DNS = "10.201.0.10"
VOLUMES = 24
COREFILE = """.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }
    cache 5
    reload
}
"""


class ClusterError(Exception):
    """A step of the management cluster failed; says which command and what it said."""


def management(lab: Lab) -> Machine:
    """Its machine."""
    return lab.machine(MANAGEMENT)


def boot(lab: Lab) -> None:
    """The machine, powered on, with the provider's pods' network written down. One that was killed during init is made anew:
    its kubelet runs with credentials of a CA that the next init throws away."""
    machine = management(lab)
    if _begun(machine) and not _done(machine):
        machine.delete()
    machine.create()
    cni.write(machine, PODS)


def initialize(lab: Lab) -> None:
    """kubeadm init, once; the admin kubeconfig; the API server answers."""
    machine = management(lab)
    if not _done(machine):
        machine.write_file("/etc/lab/kubeadm.yaml", _configuration(machine).encode())
        skip = "--skip-phases=addon/coredns,show-join-command"
        run(machine, ["kubeadm", "init", "--config=/etc/lab/kubeadm.yaml", "--ignore-preflight-errors=all", skip])
    lab.kubeconfig.write_bytes((machine.root / "fs/etc/kubernetes/admin.conf").read_bytes())
    lab.kubeconfig.chmod(0o600)
    kubectl(lab, ["wait", "--for=condition=Ready", "node", "--all", "--timeout=300s"])


def _begun(machine: Machine) -> bool:
    """Whether kubeadm init was called."""
    return (machine.root / "fs/etc/lab/kubeadm.yaml").exists()


def _done(machine: Machine) -> bool:
    """Whether init came to its end, with what the cluster needs before anything else."""
    return (machine.root / "initialized").exists()


def services(lab: Lab) -> None:
    """CoreDNS without a way outside, and volumes for who claims one."""
    machine = management(lab)
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "data": {"Corefile": COREFILE},
    }
    storage = _storage(machine)
    kubectl(
        lab, ["apply", "--server-side", "--force-conflicts", "-f", "-"], stdin=yaml.safe_dump_all([document, *storage])
    )
    if not _done(machine):
        # Only now: kubeadm keeps a Corefile that it finds, and its own would ask a resolver that is not there.
        run(machine, ["kubeadm", "init", "phase", "addon", "coredns", "--config=/etc/lab/kubeadm.yaml"])
        kubectl(lab, ["-n", "kube-system", "scale", "deployment/coredns", "--replicas=1"])
    kubectl(lab, ["-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=300s"])
    (machine.root / "initialized").touch()


def load(lab: Lab, image: Path) -> None:
    """An image into the management machine; quick when its layers are there already."""
    machine = management(lab)
    inside = f"/etc/lab/images/{image.name}"
    target = machine.root / "fs" / inside.lstrip("/")
    target.parent.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(image)
    except OSError:
        target.write_bytes(image.read_bytes())
    try:
        run(machine, ["ctr", "--namespace", "k8s.io", "images", "import", "--snapshotter", "overlayfs", inside])
    finally:
        target.unlink(missing_ok=True)


def load_provider(lab: Lab) -> None:
    """The provider's image as the sources are now."""
    load(lab, images.provider())


def exec_prefix(lab: Lab) -> list[str]:
    """Words before a command that is to run where the cluster's addresses and DNS names resolve."""
    machine = management(lab)
    resolver = machine.root / "resolv.conf"
    resolver.write_text(f"nameserver {DNS}\nsearch svc.cluster.local cluster.local\noptions ndots:5\n")
    script = 'mount --make-rprivate / && mount --bind "$0" /etc/resolv.conf && exec "$@"'
    return ["nsenter", f"--net=/run/netns/{machine.netns}", "unshare", "--mount", "sh", "-c", script, str(resolver)]


def environment(lab: Lab) -> dict[str, str]:
    """The caller's environment with our programs and the cluster's kubeconfig."""
    return {**settings.host(), "KUBECONFIG": str(lab.kubeconfig), "CAPI_KAMAJI_LAB": lab.name}


def kubectl(lab: Lab, arguments: Sequence[str], stdin: str | None = None) -> str:
    """kubectl in the lab; its output. ClusterError when it fails."""
    command = [*exec_prefix(lab), str(programs.path("kubectl")), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment(lab), check=False)
    if done.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def run(machine: Machine, command: Sequence[str], *, check: bool = True) -> None:
    """A command in a machine, its output kept in the machine's log folder. ClusterError names the log."""
    done = machine.exec(command)
    log = machine.root / "log" / f"{command[0]}.log"
    log.write_bytes(done.stdout + done.stderr)
    if check and done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise ClusterError(f"{' '.join(command[:2])} failed in machine {machine.name}; see {log}: {' '.join(last)}")


def _configuration(machine: Machine) -> str:
    api = "kubeadm.k8s.io/v1beta4"
    socket = "unix:///run/containerd/containerd.sock"
    init = {
        "apiVersion": api,
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": machine.address, "bindPort": 6443},
        "nodeRegistration": {"name": machine.name, "criSocket": socket, "taints": []},
        "patches": {"directory": settings.PATCHES},
    }
    quiet = [{"name": "leader-elect", "value": "false"}, {"name": "profiling", "value": "false"}]
    cluster = {
        "apiVersion": api,
        "kind": "ClusterConfiguration",
        "clusterName": machine.lab.name,
        "kubernetesVersion": VERSION,
        "networking": {"podSubnet": PODS, "serviceSubnet": SERVICES},
        "controllerManager": {"extraArgs": quiet},
        "scheduler": {"extraArgs": quiet},
        "encryptionAlgorithm": "ECDSA-P256",
    }
    proxy = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpCloseWaitTimeout": "0s", "tcpEstablishedTimeout": "0s"},
    }
    return yaml.safe_dump_all([init, cluster, proxy])


def _storage(machine: Machine) -> list[dict[str, object]]:
    """A default StorageClass, and a few volumes made beforehand: nothing has to provision them."""
    made: list[dict[str, object]] = [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "lab", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        }
    ]
    for number in range(VOLUMES):
        folder = machine.root / "volumes" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)  # pods write as users of their own
        spec = {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "lab",
            "hostPath": {"path": str(folder)},
        }
        made.append(
            {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"lab-{number}"}, "spec": spec}
        )
    return made
