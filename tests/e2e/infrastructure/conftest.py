"""A Cluster whose tenant is the management cluster itself: LabMachines join it by hand-made bootstrap data.

So the infrastructure provider is tested without any control plane provider: core, the lab's cloud and the machines are real.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from lab.infrastructure import kinds as lab_kinds
from lab.state import Lab
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import Manifest, meta
from tests.e2e.conftest import kubectl, until

VERSION = "v1.36.3"
MANAGER = "e2e"


@dataclass(frozen=True)
class Joined:
    """The Cluster `self` in a namespace of its own, and how to put machines into it."""

    management: Cluster
    namespace: str
    lab: Lab
    token: str

    async def machine(self, name: str, data: str | None = None) -> None:
        """A Machine with its LabMachine and its bootstrap data."""
        secret = {"value": base64.b64encode((data or self.data()).encode()).decode()}
        objects: list[Manifest] = [
            meta.new(kinds.SECRET, f"{name}-data", self.namespace, type="cluster.x-k8s.io/secret", data=secret),
            meta.new(lab_kinds.LAB_MACHINE, name, self.namespace, spec={}),
            meta.new(
                lab_kinds.MACHINE,
                name,
                self.namespace,
                spec={
                    "clusterName": "self",
                    "version": VERSION,
                    "bootstrap": {"dataSecretName": f"{name}-data"},
                    "infrastructureRef": {"apiGroup": lab_kinds.GROUP, "kind": "LabMachine", "name": name},
                },
            ),
        ]
        for each in objects:
            await self.management.apply(each, manager=MANAGER)

    def data(self) -> str:
        """Bootstrap data as the kubeadm bootstrap provider writes it."""
        server = self.management.server.removeprefix("https://")
        join = {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {
                    "apiServerEndpoint": server,
                    "token": self.token,
                    "unsafeSkipCAVerification": True,
                }
            },
            "nodeRegistration": {
                "name": "{{ ds.meta_data.local_hostname }}",
                "criSocket": "unix:///run/containerd/containerd.sock",
                "ignorePreflightErrors": ["all"],
                "kubeletExtraArgs": [{"name": "provider-id", "value": "lab://{{ ds.meta_data.instance_id }}"}],
            },
            "patches": {"directory": "/etc/lab/kubeadm-patches"},
        }
        path = "/run/kubeadm/kubeadm-join-config.yaml"
        marker = "/run/cluster-api/bootstrap-success.complete"
        document = {
            "write_files": [
                {
                    "path": path,
                    "owner": "root:root",
                    "permissions": "0640",
                    "content": yaml.safe_dump(join, width=1000),
                },
                {"path": "/run/cluster-api/placeholder", "content": "x"},
            ],
            "runcmd": [f"kubeadm join --config {path} && echo success > {marker}"],
        }
        return "## template: jinja\n#cloud-config\n" + yaml.safe_dump(document, width=10_000)

    async def lab_machine(self, name: str) -> Manifest | None:
        """The LabMachine as it is."""
        return await self.management.get(lab_kinds.LAB_MACHINE, name, self.namespace)

    async def condition(self, name: str, kind: str = "Ready") -> dict[str, Any]:
        """A condition of a LabMachine; empty when it is not there."""
        conditions = ((await self.lab_machine(name) or {}).get("status") or {}).get("conditions") or []
        return next((each for each in conditions if each["type"] == kind), {})

    async def until_reason(self, name: str, reason: str) -> dict[str, Any]:
        """Wait until Ready of a LabMachine has this reason; the condition."""

        async def look() -> dict[str, Any] | None:
            found = await self.condition(name)
            return found if found.get("reason") == reason else None

        try:
            return await until(look, f"Ready of LabMachine {name} says {reason}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {await self.condition(name)}") from error

    async def remove(self, name: str) -> None:
        """Delete the Machine and wait until its LabMachine is gone; its Node, which core leaves here, too."""
        await self.management.delete(lab_kinds.MACHINE, name, self.namespace)

        async def gone() -> bool:
            return await self.lab_machine(name) is None

        await until(gone, f"LabMachine {name} is gone")
        await self.management.delete(kinds.NODE, name)


@pytest.fixture
def lab() -> Lab:
    return Lab(os.environ.get("CAPI_KAMAJI_LAB", "lab"))


@pytest.fixture
async def joined(management: Cluster, namespace: str, lab: Lab) -> AsyncIterator[Joined]:
    if await management.get(kinds.CUSTOM_RESOURCE_DEFINITION, lab_kinds.LabMachine.DEFINITION.name) is None:
        pytest.fail("the lab's infrastructure provider is not installed: `clusterctl init --infrastructure lab`")
    token = f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"
    await management.apply(_token(token), manager=MANAGER)
    host, _, port = management.server.removeprefix("https://").partition(":")
    reference = {"apiGroup": lab_kinds.GROUP, "kind": "LabCluster", "name": "self"}
    endpoint = {"host": host, "port": int(port)}
    admin = {"value": lab.kubeconfig.read_bytes()}
    labels = {"cluster.x-k8s.io/cluster-name": "self"}
    for each in (
        meta.new(lab_kinds.LAB_CLUSTER, "self", namespace, spec={"controlPlaneEndpoint": endpoint}),
        meta.new(lab_kinds.CLUSTER, "self", namespace, spec={"infrastructureRef": reference}),
        meta.new(
            kinds.SECRET,
            "self-kubeconfig",
            namespace,
            labels=labels,
            type="cluster.x-k8s.io/secret",
            data=meta.secret_data(admin),
        ),
    ):
        await management.apply(each, manager=MANAGER)
    yield Joined(management, namespace, lab, token)
    for machine in await management.list(lab_kinds.MACHINE, namespace):
        await Joined(management, namespace, lab, token).remove(machine["metadata"]["name"])
    kubectl("delete", "cluster", "self", "-n", namespace, "--wait=true", "--timeout=300s")
    await management.delete(kinds.SECRET, f"bootstrap-token-{token[:6]}", "kube-system")


def _token(token: str) -> Manifest:
    identifier, _, secret = token.partition(".")
    values = {
        "token-id": identifier,
        "token-secret": secret,
        "usage-bootstrap-signing": "true",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
    }
    name = f"bootstrap-token-{identifier}"
    return meta.new(
        kinds.SECRET, name, "kube-system", type="bootstrap.kubernetes.io/token", data=meta.secret_data(values)
    )
