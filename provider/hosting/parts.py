"""The parts a tenant is made of, in the order a reader would tell it, with what each needs. Walked by `reconcile`.

The pods come as early as they can: authorities need no address, a store is prepared meanwhile, and nothing that only people
read stands before the Deployment.
"""

from __future__ import annotations

from provider.hosting.catalog import Step, catalog
from provider.hosting.desired import (
    accepted,
    address,
    datastore,
    deployment,
    disruption,
    encryption,
    gateway,
    ingress,
    kubeadm,
    kubeadmconfig,
    kubeconfigs,
    networkpolicy,
    released,
    service,
    writepermissions,
)
from provider.hosting.desired.addons import coredns, kubeproxy
from provider.hosting.desired.konnectivity import agent, server
from provider.hosting.desired.pki import authorities, leaves

PARTS = catalog(
    [
        Step(accepted, "Accepted"),
        Step(service, "EndpointReady", needs=("spec",)),
        Step(address, "EndpointReady", needs=("service",)),
        Step(authorities, "CertificatesReady", needs=("spec",)),
        Step(leaves, "CertificatesReady", needs=("authorities", "endpoint")),
        Step(kubeconfigs, "CertificatesReady", needs=("authorities", "endpoint")),
        Step(server, "CertificatesReady", needs=("authorities",)),
        Step(datastore, "StorageReady", needs=("spec",)),
        Step(networkpolicy, "PodsReady", needs=("spec",)),
        Step(encryption, "Encrypted", needs=("datastore",)),
        Step(deployment, "PodsReady", needs=("certificates", "kubeconfigs", "konnectivity", "datastore", "encryption")),
        Step(released, "StorageReleased", needs=("spec",)),
        Step(disruption, "PodsReady", needs=("deployment",)),
        Step(kubeadmconfig, "CertificatesReady", needs=("endpoint",)),
        Step(ingress, "ExposureReady", needs=("service",)),
        Step(gateway, "ExposureReady", needs=("service",)),
        Step(kubeadm, "Joinable", needs=("deployment",), target="tenant"),
        Step(coredns, "AddonsReady", needs=("kubeadm",), target="tenant"),
        Step(kubeproxy, "AddonsReady", needs=("kubeadm",), target="tenant"),
        Step(writepermissions, "WritePermissionsReady", needs=("kubeadm",), target="tenant"),
        Step(agent, "KonnectivityReady", needs=("kubeadm",), target="tenant"),
    ]
)
