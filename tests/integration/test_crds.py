"""The CRDs as a real API server takes them: every rule lets the good in and turns the bad away with its message."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from provider.api import crd, served
from provider.capi import model
from tests.integration.plain_rest import Rest

GONE: Any = object()
PATIENCE = 180.0  # seconds; a bound against hanging for ever
ALL = [*served.KINDS, *model.KINDS]

TENANT = yaml.safe_load("""
apiVersion: kamaji.clastix.io/v1alpha1
kind: TenantControlPlane
metadata: {name: solo, namespace: default, labels: {tenant.clastix.io: solo}}
spec:
  dataStore: default
  controlPlane:
    deployment: {replicas: 2}
    service: {serviceType: LoadBalancer}
  kubernetes:
    version: v1.36.3
    kubelet: {cgroupfs: systemd}
  networkProfile: {port: 6443}
  addons: {coreDNS: {}, kubeProxy: {}}
""")
STORE = yaml.safe_load("""
apiVersion: kamaji.clastix.io/v1alpha1
kind: DataStore
metadata: {name: shared}
spec:
  driver: etcd
  endpoints: [etcd-0.etcd.kamaji-system.svc:2379]
  tlsConfig:
    certificateAuthority:
      certificate: {secretReference: {name: certs, namespace: kamaji-system, keyPath: ca.crt}}
      privateKey: {secretReference: {name: certs, namespace: kamaji-system, keyPath: ca.key}}
    clientCertificate:
      certificate: {content: Y2VydA==}
      privateKey: {secretReference: {name: root, namespace: kamaji-system, keyPath: tls.key}}
""")
POOL = {"apiVersion": "x.kamaji.clastix.io/v1alpha1", "kind": "DataStorePool", "metadata": {"name": "pool"}}
CONTROL_PLANE = yaml.safe_load("""
apiVersion: controlplane.cluster.x-k8s.io/v1alpha2
kind: KamajiControlPlane
metadata: {name: demo, namespace: default}
spec:
  version: v1.36.3
  dataStoreName: default
  addons: {coreDNS: {}, kubeProxy: {}}
  network: {serviceType: NodePort, serviceAddress: 10.0.0.1}
""")
TEMPLATE = yaml.safe_load("""
apiVersion: controlplane.cluster.x-k8s.io/v1alpha2
kind: KamajiControlPlaneTemplate
metadata: {name: demo, namespace: default}
spec:
  template:
    spec: {addons: {coreDNS: {}, kubeProxy: {}}, network: {serviceType: ClusterIP}}
""")
GENERATOR = yaml.safe_load("""
apiVersion: kamaji.clastix.io/v1alpha1
kind: KubeconfigGenerator
metadata: {name: many}
spec: {user: {stringValue: ops}}
""")

AUTOSCALER = yaml.safe_load("""
apiVersion: x.kamaji.clastix.io/v1alpha1
kind: TenantAutoscaler
metadata: {name: solo, namespace: default}
spec: {apiServer: {cpu: {min: 100m, max: "2"}, memory: {max: 4Gi}}, scheduler: {cpu: {min: "1", max: 1000m}}}
""")

NETWORK, SERVICE = "spec.networkProfile", "spec.controlPlane.service"
PODS = "spec.controlPlane.deployment"
NODE_PORT = {f"{SERVICE}.serviceType": "NodePort"}
CERTIFICATE = "spec.tlsConfig.clientCertificate"
ROUTED, EDGE = "api.example.com", {"name": "edge", "namespace": "gateways"}


def changed(manifest: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with each dotted path set, or taken away where the value is GONE."""
    result = copy.deepcopy(manifest)
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
        if value is GONE:
            node.pop(last)
        else:
            node[last] = value
    return result


@pytest.fixture(scope="module")
def installed(api: Rest) -> Rest:
    """An API server with our CRDs, served."""
    for each in ALL:
        status, said = api.post(crd.manifest(each))
        assert status == 201, said.get("message")
    for each in ALL:
        deadline = time.monotonic() + PATIENCE
        while api.get(each.DEFINITION.kind)[0] != 200:
            assert time.monotonic() < deadline, f"{each.__name__} is not served"
            time.sleep(0.1)
    return api


@pytest.mark.parametrize("kind", ALL, ids=lambda each: each.__name__)
def test_a_crd_is_established_and_structural(installed: Rest, kind: Any) -> None:
    _, found = installed.read(crd.manifest(kind))
    conditions = {each["type"]: each["status"] for each in found["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert "NonStructuralSchema" not in conditions


KEPT = {
    "rules.certificate-names": (
        "names and addresses in the certificate",
        "a certificate name with a port",
        "a certificate name with a port, later",
    ),
    "rules.dns-addresses": (
        "a DNS address in the service range",
        "DNS outside the services",
        "DNS by name",
        "DNS without any service range",
    ),
    "better.dns-on-update": (
        "a DNS address that leaves the service range",
        "a service range that leaves the DNS address",
        "DNS and its range together",
    ),
    "rules.name": ("a name that no Service can have", "a name with a dot", "a name that is too long"),
    "rules.version": (
        "a version without its v",
        "a version that is none",
        "a version newer than any hosted",
        "a version older than any hosted",
        "a minor down",
        "two minors up",
        "a patch down",
        "a minor up",
    ),
    "rules.overrides": ("one resource in two stores",),
    "better.overrides": ("one resource in two stores",),
    "rules.pods": (
        "a container twice",
        "a container with the provider's name",
        "a volume twice",
        "a path mounted twice",
        "a path of the provider's",
        "a mount without its volume",
    ),
    "better.doubled-containers": ("a container twice", "an init container with a container's name"),
    "rules.defaults": ("no deployment block", "no data store"),
    "better.no-deployment-block": ("no deployment block",),
    "rules.network-profile": ("no network profile", "an empty network profile"),
    "rules.kept-for-life": (
        "the data store unset",
        "the schema unset",
        "the schema changed",
        "the user unset",
        "the user changed",
        "the balancer's class changed",
        "the domain changed",
        "the domain given later",
    ),
    "rules.load-balancer": (
        "ranges without a balancer",
        "a class without a balancer",
        "node ports of no balancer",
        "the balancer's class taken away",
        "the balancer's class given later",
        "empty source ranges on a node port",
    ),
    "rules.addresses": (
        "an address that is none",
        "a pod range that is none",
        "a service range that is none",
        "a source range that is none",
        "a domain without a dot",
        "pods inside the services",
        "one family twice",
        "a service range without room for DNS",
    ),
    "rules.exposure": ("an ingress beside a gateway",),
    "rules.agents": ("a number of agents where there is one on each node", "a Deployment of no agents"),
    "rules.stores": (
        "another driver",
        "a store without the authority's key",
        "a store without a client certificate",
        "a store with an empty client key",
        "another driver's certificate without content",
        "another driver's user without content",
        "another driver's password without content",
        "another driver without any credentials",
    ),
    "rules.generators": ("a generator's user in two ways", "a generator of cluster administrators"),
}
"""Which promises of docs/promises.toml a case keeps."""


def cases(table: dict[str, Any]) -> list[Any]:
    """Parameters, one a case, with its name and the promises it keeps."""
    kept = {name: [promise for promise, names in KEPT.items() if name in names] for name in table}
    return [
        pytest.param(
            *(values if isinstance(values, tuple) else (values,)),
            id=name,
            marks=[pytest.mark.keeps(*kept[name])] if kept[name] else (),
        )
        for name, values in table.items()
    ]


FAR = {"kubeconfigSecretName": "far", "kubeconfigSecretKey": "value", "deploymentNamespace": "far"}

GOOD = {
    "an etcd tenant as upstream samples write it": (TENANT, {}),
    "no network profile": (TENANT, {NETWORK: GONE}),
    "an empty network profile": (TENANT, {NETWORK: {}}),
    "no deployment block": (TENANT, {"spec.controlPlane.deployment": GONE}),
    "no data store": (TENANT, {"spec.dataStore": GONE}),
    "a version without its v": (TENANT, {"spec.kubernetes.version": "1.36.3"}),
    "a pre-release": (TENANT, {"spec.kubernetes.version": "v1.37.0-rc.1"}),
    "a balancer with class and ranges": (
        TENANT,
        {
            f"{NETWORK}.loadBalancerClass": "example.com/lb",
            f"{NETWORK}.loadBalancerSourceRanges": ["10.0.0.0/8", "fd00::/8"],
            f"{SERVICE}.allocateLoadBalancerNodePorts": False,
        },
    ),
    "empty source ranges on a node port": (TENANT, NODE_PORT | {f"{NETWORK}.loadBalancerSourceRanges": []}),
    "two families": (
        TENANT,
        {f"{NETWORK}.podCidrs": ["fd01::/48", "10.1.0.0/16"], f"{NETWORK}.serviceCidrs": ["fd02::/112", "10.2.0.0/16"]},
    ),
    "the list wins over a single range that would overlap": (
        TENANT,
        {f"{NETWORK}.serviceCidr": "10.244.0.0/16", f"{NETWORK}.serviceCidrs": ["10.9.0.0/16"]},
    ),
    "names and addresses in the certificate": (
        TENANT,
        {f"{NETWORK}.certSANs": ["api.example.com", "*.example.com", "192.0.2.1", "2001:db8::1"]},
    ),
    "an empty advertise address": (TENANT, {f"{NETWORK}.advertiseAddress": ""}),
    "resources in other stores": (
        TENANT,
        {
            "spec.dataStoreOverrides": [
                {"resource": "/events", "dataStore": "events"},
                {"resource": "coordination.k8s.io/leases", "dataStore": "events"},
            ]
        },
    ),
    "a control plane with resources in other stores": (
        CONTROL_PLANE,
        {"spec.dataStoreOverrides": [{"resource": "/events", "dataStore": "events"}]},
    ),
    "a mount of the provider's own volume elsewhere": (
        TENANT,
        {f"{PODS}.additionalVolumeMounts.apiServer": [{"name": "etc-kubernetes-pki", "mountPath": "/mine"}]},
    ),
    "one path in two programs": (
        TENANT,
        {
            f"{PODS}.additionalVolumes": [{"name": "a", "emptyDir": {}}],
            f"{PODS}.additionalVolumeMounts": {
                each: [{"name": "a", "mountPath": "/a"}] for each in ("apiServer", "scheduler", "controllerManager")
            },
        },
    ),
    "a small service range whose DNS is named": (
        TENANT,
        {f"{NETWORK}.serviceCidrs": ["10.96.0.0/29"], f"{NETWORK}.dnsServiceIPs": ["10.96.0.2"]},
    ),
    "an address by name": (TENANT, {f"{NETWORK}.address": "api.example.com"}),
    "an address in IPv6": (TENANT, {f"{NETWORK}.address": "2001:db8::1"}),
    "limited writes": (TENANT, {"spec.writePermissions": {"blockCreation": True, "blockUpdate": False}}),
    "a DNS address in the service range": (TENANT, {f"{NETWORK}.dnsServiceIPs": ["10.96.0.53"]}),
    "kubelet patches with any value": (
        TENANT,
        {
            "spec.kubernetes.kubelet.configurationJSONPatches": [
                {"op": "add", "path": "/featureGates", "value": {"A": True}},
                {"op": "replace", "path": "/failCgroupV1", "value": False},
                {"op": "remove", "path": "/clusterDNS"},
            ]
        },
    ),
    "pods shaped in every way": (
        TENANT,
        {
            "spec.controlPlane.deployment": {
                "replicas": 0,
                "registrySettings": {"registry": "registry.example.com"},
                "extraArgs": {"apiServer": ["--v=4"], "scheduler": [], "controllerManager": []},
                "resources": {"apiServer": {"requests": {"cpu": "100m"}}},
                "probes": {"startup": {"failureThreshold": 3}, "apiServer": {"liveness": {"periodSeconds": 5}}},
                "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
                "additionalContainers": [{"name": "log", "image": "example.com/log:1"}],
                "additionalVolumes": [{"name": "scratch", "emptyDir": {}}],
                "additionalVolumeMounts": {"apiServer": [{"name": "scratch", "mountPath": "/scratch"}]},
                "containerSecurityContexts": {"apiServer": {"readOnlyRootFilesystem": True}},
                "automountServiceAccountToken": False,
                "strategy": {"type": "Recreate"},
                "tolerations": [{"operator": "Exists"}],
            }
        },
    ),
    "a port by name": (
        TENANT,
        {f"{SERVICE}.additionalPorts": [{"name": "x", "port": 9, "targetPort": "nine"}]},
    ),
    "an etcd store": (STORE, {}),
    "an autoscaler": (AUTOSCALER, {}),
    "an autoscaler of nothing yet": (AUTOSCALER, {"spec": {}}),
    "a pool of the defaults": (POOL, {}),
    "a pool of three on etcd 3.7": (POOL, {"spec": {"members": 3, "version": "3.7.1", "storage": {"size": "20Gi"}}}),
    "a control plane": (CONTROL_PLANE, {}),
    "a control plane with a version alone": (CONTROL_PLANE, {"spec": {"version": "1.36.3"}}),
    "a restart that the topology asks for": (CONTROL_PLANE, {"spec.rollout.after": "2026-11-24T00:00:00Z"}),
    "an endpoint": (CONTROL_PLANE, {"spec.controlPlaneEndpoint": {"host": "10.0.0.1", "port": 40000}}),
    "a template": (TEMPLATE, {}),
    "an ingress with a port": (TENANT, {"spec.controlPlane.ingress": {"hostname": f"{ROUTED}:443"}}),
    "a gateway": (TENANT, {"spec.controlPlane.gateway": {"hostname": ROUTED, "parentRefs": [{"name": "edge"}]}}),
    "a control plane in another cluster": (CONTROL_PLANE, {"spec.deployment.externalClusterReference": FAR}),
    "a control plane in another cluster as upstream writes it": (
        CONTROL_PLANE,
        {"spec.deployment.externalClusterReference": {**FAR, "kubeconfigSecretNamespace": ""}},
    ),
    "a control plane whose deployment was emptied": (CONTROL_PLANE, {"spec.deployment": None}),
    "a control plane behind an ingress": (CONTROL_PLANE, {"spec.network.ingress": {"hostname": f"{ROUTED}:443"}}),
    "a control plane behind a gateway": (CONTROL_PLANE, {"spec.network.gateway": {**EDGE, "hostname": ROUTED}}),
    "a generator of kubeconfigs": (GENERATOR, {}),
}


@pytest.mark.parametrize(("manifest", "changes"), cases(GOOD))
def test_what_is_right_is_let_in(installed: Rest, manifest: dict[str, Any], changes: dict[str, Any]) -> None:
    status, said = installed.post(changed(manifest, changes), dry=True)
    assert status == 201, said.get("message")


BALANCER_ONLY = "needs controlPlane.service.serviceType LoadBalancer"
BAD = {
    "a version that is none": (TENANT, {"spec.kubernetes.version": "newest"}, "such as v1.36.3"),
    "a version without patch": (TENANT, {"spec.kubernetes.version": "v1.36"}, "such as v1.36.3"),
    "a name that no Service can have": (TENANT, {"metadata.name": "1solo"}, "becomes the name of a Service"),
    "a name with a dot": (TENANT, {"metadata.name": "so.lo"}, "becomes the name of a Service"),
    "a name that is too long": (TENANT, {"metadata.name": "a" * 64}, "becomes the name of a Service"),
    "an unknown admission plugin": (TENANT, {"spec.kubernetes.admissionControllers": ["Mine"]}, "Unsupported value"),
    "a tunnel at a port that agents cannot be served at": (
        TENANT,
        {"spec.addons.konnectivity.server.port": 443},
        "should be greater than or equal to 1024",
    ),
    "a tunnel at the API server's port": (
        TENANT,
        {"spec.addons.konnectivity.server.port": 6443},
        "addons.konnectivity.server.port must differ from networkProfile.port",
    ),
    "ranges without a balancer": (
        TENANT,
        NODE_PORT | {f"{NETWORK}.loadBalancerSourceRanges": ["10.0.0.0/8"]},
        f"loadBalancerSourceRanges {BALANCER_ONLY}",
    ),
    "a class without a balancer": (
        TENANT,
        NODE_PORT | {f"{NETWORK}.loadBalancerClass": "x"},
        f"loadBalancerClass {BALANCER_ONLY}",
    ),
    "node ports of no balancer": (
        TENANT,
        NODE_PORT | {f"{SERVICE}.allocateLoadBalancerNodePorts": True},
        "allocateLoadBalancerNodePorts needs serviceType LoadBalancer",
    ),
    "a source range that is none": (
        TENANT,
        {f"{NETWORK}.loadBalancerSourceRanges": ["10.0.0.1"]},
        "every entry must be a CIDR",
    ),
    "a pod range that is none": (TENANT, {f"{NETWORK}.podCidr": "10.244.0.0"}, "must be a CIDR such as"),
    "a service range that is none": (TENANT, {f"{NETWORK}.serviceCidrs": ["many"]}, "every entry must be a CIDR"),
    "an address that is none": (TENANT, {f"{NETWORK}.advertiseAddress": "home"}, "must be an IP address, or empty"),
    "pods inside the services": (
        TENANT,
        {f"{NETWORK}.podCidr": "10.96.128.0/24"},
        "pod range 10.96.128.0/24 overlaps service range 10.96.0.0/16: choose ranges that have no address in common",
    ),
    "services inside the pods": (
        TENANT,
        {f"{NETWORK}.podCidrs": ["10.0.0.0/8"], f"{NETWORK}.serviceCidrs": ["10.3.0.0/24"]},
        "pod range 10.0.0.0/8 overlaps service range 10.3.0.0/24",
    ),
    "an overlap in the second family": (
        TENANT,
        {f"{NETWORK}.podCidrs": ["10.1.0.0/16", "fd00::/48"], f"{NETWORK}.serviceCidrs": ["10.2.0.0/16", "fd00::/112"]},
        "pod range 10.1.0.0/16, fd00::/48 overlaps service range 10.2.0.0/16, fd00::/112",
    ),
    "one family twice": (
        TENANT,
        {f"{NETWORK}.podCidrs": ["10.1.0.0/16", "10.2.0.0/16"]},
        "two ranges must be of different IP families",
    ),
    "a port that cannot be": (TENANT, {f"{NETWORK}.port": 65536}, "less than or equal to 65535"),
    "fewer than no replicas": (TENANT, {"spec.controlPlane.deployment.replicas": -1}, "greater than or equal to 0"),
    "three ranges": (TENANT, {f"{NETWORK}.podCidrs": ["10.1.0.0/16"] * 3}, "must have at most 2 items"),
    "DNS outside the services": (
        TENANT,
        {f"{NETWORK}.dnsServiceIPs": ["10.97.0.10"]},
        "dnsServiceIPs must lie in a service range: 10.96.0.0/16",
    ),
    "DNS by name": (TENANT, {f"{NETWORK}.dnsServiceIPs": ["dns"]}, "must be an IP address"),
    "one resource in two stores": (
        TENANT,
        {"spec.dataStoreOverrides": [{"resource": "/events", "dataStore": each} for each in ("a", "b")]},
        "names a resource twice: keep one DataStore for each resource",
    ),
    "a resource without its group": (
        TENANT,
        {"spec.dataStoreOverrides": [{"resource": "events", "dataStore": "a"}]},
        "must be the group and the plural of a resource, such as /events",
    ),
    "a resource that is a flag": (
        TENANT,
        {"spec.dataStoreOverrides": [{"resource": "/events#https://evil,/pods", "dataStore": "a"}]},
        "must be the group and the plural of a resource",
    ),
    "an override without a store": (TENANT, {"spec.dataStoreOverrides": [{"resource": "/events"}]}, "Required value"),
    "a version newer than any hosted": (
        TENANT,
        {"spec.kubernetes.version": "v1.99.0"},
        "v1.99.0 is not among the versions that this release hosts: write one from v1.33 to v1.37",
    ),
    "a version older than any hosted": (TENANT, {"spec.kubernetes.version": "1.20.0"}, "write one from v1.33 to v1.37"),
    "another major": (TENANT, {"spec.kubernetes.version": "v2.36.0"}, "write one from v1.33 to v1.37"),
    "DNS without any service range": (
        TENANT,
        {f"{NETWORK}.serviceCidr": "", f"{NETWORK}.dnsServiceIPs": ["10.96.0.10"]},
        "dnsServiceIPs must lie in a service range",
    ),
    "a service range without room for DNS": (
        TENANT,
        {f"{NETWORK}.serviceCidr": "10.96.0.0/29"},
        "a service range is too small: 10.96.0.0/29",
    ),
    "a service range without room for anything": (
        TENANT,
        {f"{NETWORK}.serviceCidrs": ["fd00::/126"], f"{NETWORK}.dnsServiceIPs": ["fd00::2"]},
        "a service range is too small: fd00::/126",
    ),
    "an address with a port": (
        TENANT,
        {f"{NETWORK}.address": "api.example.com:6443"},
        "must be an IP address or a DNS name, without a port",
    ),
    "a domain that is a path": (TENANT, {f"{NETWORK}.clusterDomain": "cluster.local/x"}, "must be a DNS domain"),
    "a user that no certificate can name": (TENANT, {"spec.dataStoreUsername": "u" * 65}, "may not be more than 64"),
    "a number of agents where there is one on each node": (
        TENANT,
        {"spec.addons.konnectivity.agent": {"mode": "DaemonSet", "replicas": 2}},
        "replicas must be 0 or absent with mode DaemonSet",
    ),
    "a Deployment of no agents": (
        TENANT,
        {"spec.addons.konnectivity.agent": {"mode": "Deployment", "replicas": 0}},
        "and not 0 with mode Deployment",
    ),
    "a container twice": (
        TENANT,
        {f"{PODS}.additionalContainers": [{"name": "log", "image": each} for each in "ab"]},
        "two containers have one name",
    ),
    "a container with the provider's name": (
        TENANT,
        {f"{PODS}.additionalContainers": [{"name": "kube-apiserver", "image": "a"}]},
        "are the provider's own containers: rename yours",
    ),
    "an init container with a container's name": (
        TENANT,
        {
            f"{PODS}.additionalContainers": [{"name": "log", "image": "a"}],
            f"{PODS}.additionalInitContainers": [{"name": "log", "image": "a"}],
        },
        "has the name of one of additionalContainers",
    ),
    "a volume twice": (
        TENANT,
        {f"{PODS}.additionalVolumes": [{"name": "a", "emptyDir": {}}] * 2},
        "two volumes have one name",
    ),
    "a volume with the provider's name": (
        TENANT,
        {f"{PODS}.additionalVolumes": [{"name": "etc-kubernetes-pki", "emptyDir": {}}]},
        "are the provider's own volumes: rename yours",
    ),
    "a path mounted twice": (
        TENANT,
        {
            f"{PODS}.additionalVolumes": [{"name": "a", "emptyDir": {}}],
            f"{PODS}.additionalVolumeMounts.scheduler": [{"name": "a", "mountPath": "/a"}] * 2,
        },
        "two mounts have one mountPath",
    ),
    "a path of the provider's": (
        TENANT,
        {
            f"{PODS}.additionalVolumes": [{"name": "a", "emptyDir": {}}],
            f"{PODS}.additionalVolumeMounts.apiServer": [{"name": "a", "mountPath": "/etc/kubernetes/pki"}],
        },
        "are mounted by the provider: choose another mountPath",
    ),
    "a mount without its volume": (
        TENANT,
        {f"{PODS}.additionalVolumeMounts.controllerManager": [{"name": "a", "mountPath": "/a"}]},
        "additionalVolumeMounts.controllerManager mounts a volume that is not there",
    ),
    "a control plane's container twice": (
        CONTROL_PLANE,
        {"spec.deployment.extraContainers": [{"name": "log", "image": each} for each in "ab"]},
        "two containers have one name",
    ),
    "a certificate name with a port": (TENANT, {f"{NETWORK}.certSANs": ["api.example.com:6443"]}, "without a port"),
    "a domain without a dot": (TENANT, {f"{NETWORK}.clusterDomain": "local"}, "clusterDomain"),
    "a schema that reaches into another's": (TENANT, {"spec.dataStoreSchema": "other/registry"}, "letters, digits"),
    "the store's own root": (TENANT, {"spec.dataStoreUsername": "root"}, "and not root"),
    "a probe that never comes": (
        TENANT,
        {"spec.controlPlane.deployment.probes.startup": {"periodSeconds": 0}},
        "periodSeconds",
    ),
    "a container without a name": (
        TENANT,
        {"spec.controlPlane.deployment.additionalContainers": [{"image": "x"}]},
        "additionalContainers[0].name",
    ),
    "a store without the authority's key": (
        STORE,
        {"spec.tlsConfig.certificateAuthority.privateKey": GONE},
        "driver etcd: tlsConfig.certificateAuthority.privateKey needs content or secretReference",
    ),
    "a store without a client certificate": (
        STORE,
        {CERTIFICATE: GONE},
        "driver etcd: tlsConfig.clientCertificate.certificate needs content or secretReference",
    ),
    "a store with an empty client key": (
        STORE,
        {f"{CERTIFICATE}.privateKey": {}},
        "driver etcd: tlsConfig.clientCertificate.privateKey needs content or secretReference",
    ),
    "a store without TLS": (STORE, {"spec.tlsConfig": GONE}, "driver etcd: tlsConfig.certificateAuthority.privateKey"),
    "a store without endpoints": (STORE, {"spec.endpoints": []}, "should have at least 1 items"),
    "another driver's certificate without content": (
        STORE,
        {"spec.driver": "PostgreSQL", f"{CERTIFICATE}.certificate": {}},
        "tlsConfig.clientCertificate.certificate needs content or secretReference",
    ),
    "another driver's user without content": (
        STORE,
        {"spec.driver": "NATS", "spec.basicAuth": {"username": {}, "password": {"content": "eA=="}}},
        "basicAuth.username needs content or secretReference",
    ),
    "another driver's password without content": (
        STORE,
        {"spec.driver": "NATS", "spec.basicAuth": {"username": {"content": "eA=="}, "password": {}}},
        "basicAuth.password needs content or secretReference",
    ),
    "another driver without any credentials": (
        STORE,
        {"spec.driver": "MySQL", "spec.tlsConfig": GONE},
        "a driver other than etcd needs tlsConfig or basicAuth",
    ),
    "an etcd in which tenants are not apart": (POOL, {"spec": {"version": "3.6.13"}}, "read another's keys"),
    "an etcd of old": (POOL, {"spec": {"version": "3.5.30"}}, "read another's keys"),
    "the first 3.7": (POOL, {"spec": {"version": "3.7.0"}}, "read another's keys"),
    "an even number of members": (POOL, {"spec": {"members": 2}}, "Unsupported value"),
    "fewer stores at most than at least": (
        POOL,
        {"spec": {"minStores": 3, "maxStores": 2}},
        "maxStores must not be below minStores",
    ),
    "no number of tenants": (POOL, {"spec": {"placement": {"maxTenants": 0}}}, "should be greater than or equal to 1"),
    "bounds the wrong way round": (AUTOSCALER, {"spec.apiServer.cpu.max": "50m"}, "min must not be above max"),
    "the same of memory": (
        AUTOSCALER,
        {"spec.scheduler.memory": {"min": "1Gi", "max": "1000Mi"}},
        "min must not be above max",
    ),
    "no bound above": (AUTOSCALER, {"spec.apiServer.cpu.max": GONE}, "spec.apiServer.cpu.max: Required value"),
    "cores that are none": (AUTOSCALER, {"spec.apiServer.cpu.max": "0"}, "spec.apiServer.cpu.max"),
    "a size that is none": (POOL, {"spec": {"storage": {"size": "big"}}}, "spec.storage.size"),
    "a control plane of no version": (CONTROL_PLANE, {"spec.version": "latest"}, "such as v1.36.3"),
    **{
        f"another cluster with {words}": (
            CONTROL_PLANE,
            {"spec.deployment.externalClusterReference": {**FAR, key: value}},
            key,
        )
        for words, key, value in (
            ("a Secret of no name", "kubeconfigSecretName", "../x"),
            ("a key that is none", "kubeconfigSecretKey", ""),
            ("a Secret in no namespace", "kubeconfigSecretNamespace", "a.b"),
            ("a namespace that is none", "deploymentNamespace", "a" * 64),
        )
    },
    "an endpoint that says nothing": (CONTROL_PLANE, {"spec.controlPlaneEndpoint": {}}, "at least 1 properties"),
    "a control plane's ranges without a balancer": (
        CONTROL_PLANE,
        {"spec.network.loadBalancerConfig": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}},
        "loadBalancerConfig.loadBalancerSourceRanges needs serviceType LoadBalancer",
    ),
    "a control plane's class without a balancer": (
        CONTROL_PLANE,
        {"spec.network.loadBalancerConfig": {"loadBalancerClass": "x"}},
        "loadBalancerConfig.loadBalancerClass needs serviceType LoadBalancer",
    ),
    "a control plane's certificate name with a port": (
        CONTROL_PLANE,
        {"spec.network.certSANs": ["api.example.com:6443"]},
        "without a port",
    ),
    "an ingress beside a gateway": (
        TENANT,
        {"spec.controlPlane.ingress": {"hostname": ROUTED}, "spec.controlPlane.gateway": {"hostname": ROUTED}},
        "ingress and gateway exclude each other",
    ),
    "a control plane's ingress beside a gateway": (
        CONTROL_PLANE,
        {"spec.network.ingress": {"hostname": ROUTED}, "spec.network.gateway": {**EDGE, "hostname": ROUTED}},
        "ingress and gateway exclude each other",
    ),
    "a control plane's ingress by address": (
        CONTROL_PLANE,
        {"spec.network.ingress": {"hostname": "192.0.2.7"}},
        "must be a DNS name",
    ),
    "a control plane's gateway with a port that is none": (
        CONTROL_PLANE,
        {"spec.network.gateway": {**EDGE, "hostname": f"{ROUTED}:0"}},
        "must be a DNS name",
    ),
    "a generator of cluster administrators": (
        GENERATOR,
        {"spec.groups": [{"stringValue": "system:masters"}]},
        "names that begin with system: are Kubernetes' own",
    ),
    "a generator's user in two ways": (
        GENERATOR,
        {"spec.user": {"stringValue": "a", "fromDefinition": "b"}},
        "exactly one of stringValue and fromDefinition",
    ),
}


@pytest.mark.parametrize(("manifest", "changes", "message"), cases(BAD))
def test_what_is_wrong_is_turned_away_with_the_reason(
    installed: Rest, manifest: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    status, said = installed.post(changed(manifest, changes), dry=True)
    assert status == 422, said.get("message")
    assert message in said["message"]


BASIC_AUTH = {"username": {"content": "eA=="}, "password": {"content": "eA=="}}


def test_a_password_of_an_etcd_is_refused_for_nobody_logs_in_by_it(installed: Rest) -> None:
    status, said = installed.post(changed(STORE, {"spec.basicAuth": BASIC_AUTH}), dry=True)
    assert status == 422, said.get("message")
    assert "spec.basicAuth: Invalid value" in said["message"]
    assert "basicAuth has no effect" in said["message"]


@pytest.mark.keeps("rules.stores", "better.drivers")
@pytest.mark.parametrize("driver", ["MySQL", "PostgreSQL", "NATS"])
def test_each_of_upstreams_drivers_is_taken(installed: Rest, driver: str) -> None:
    credentials = {"spec.tlsConfig": GONE, "spec.basicAuth": BASIC_AUTH}
    status, said = installed.post(changed(STORE, {"spec.driver": driver, **credentials}), dry=True)
    assert status == 201, said.get("message")


@pytest.mark.fields("DataStorePool", "spec.driver")
def test_a_pool_of_another_driver_is_refused(installed: Rest) -> None:
    status, said = installed.post(changed(POOL, {"spec": {"driver": "MySQL"}}), dry=True)
    assert status == 422, said.get("message")
    assert 'spec.driver: Unsupported value: "MySQL"' in said["message"]


MACHINES = {"spec": {"deletion": {"nodeDrainTimeoutSeconds": 5}}}


@pytest.mark.fields("KamajiControlPlane", "spec.machineTemplate")
def test_a_field_not_acted_on_is_refused_never_ignored(installed: Rest) -> None:
    status, said = installed.post(changed(CONTROL_PLANE, {"spec.machineTemplate": MACHINES}), dry=True)
    assert status == 422, said.get("message")
    assert "spec.machineTemplate is not acted on by this release: remove it" in said["message"]


def test_every_field_marked_as_not_acted_on_has_a_case_here() -> None:
    marked = {
        (each.__name__, rule["message"].partition(" ")[0])
        for each in ALL
        for rule in rules_in(crd.schema(each))
        if "is not acted on" in rule["message"] and rule["message"].startswith("spec.")
    }
    assert marked == {("KamajiControlPlane", "spec.machineTemplate")}


def test_a_case_that_keeps_a_promise_is_there() -> None:
    assert {name for names in KEPT.values() for name in names} <= {*GOOD, *BAD, *STEPS, *ALLOWED_STEPS}


def rules_in(node: Any) -> Iterator[dict[str, str]]:
    """Every CEL rule below a schema."""
    if isinstance(node, dict):
        yield from node.get("x-kubernetes-validations", ())
        for each in node.values():
            yield from rules_in(each)


BALANCED = {f"{NETWORK}.loadBalancerClass": "example.com/lb"}
STEPS = {
    "the data store unset": (TENANT, {}, {"spec.dataStore": GONE}, "dataStore cannot be unset"),
    "the schema unset": (TENANT, {"spec.dataStoreSchema": "a"}, {"spec.dataStoreSchema": GONE}, "cannot be unset"),
    "the schema changed": (
        TENANT,
        {"spec.dataStoreSchema": "a"},
        {"spec.dataStoreSchema": "b"},
        "dataStoreSchema cannot be changed once set",
    ),
    "the user unset": (TENANT, {"spec.dataStoreUsername": "a"}, {"spec.dataStoreUsername": GONE}, "cannot be unset"),
    "the user changed": (
        TENANT,
        {"spec.dataStoreUsername": "a"},
        {"spec.dataStoreUsername": "b"},
        "dataStoreUsername cannot be changed once set",
    ),
    "the balancer's class changed": (
        TENANT,
        BALANCED,
        {f"{NETWORK}.loadBalancerClass": "other"},
        "loadBalancerClass cannot be changed once set",
    ),
    "the balancer's class taken away": (
        TENANT,
        BALANCED,
        {f"{NETWORK}.loadBalancerClass": GONE},
        "cannot be added or removed while the Service is a LoadBalancer",
    ),
    "the balancer's class given later": (
        TENANT,
        {NETWORK: GONE},
        BALANCED,
        "cannot be added or removed while the Service is a LoadBalancer",
    ),
    "the domain changed": (
        TENANT,
        {f"{NETWORK}.clusterDomain": "a.example"},
        {f"{NETWORK}.clusterDomain": "b.example"},
        "clusterDomain cannot be changed",
    ),
    "the domain given later": (
        TENANT,
        {NETWORK: GONE},
        {f"{NETWORK}.clusterDomain": "b.example"},
        "clusterDomain cannot be changed",
    ),
    "a DNS address that leaves the service range": (
        TENANT,
        {f"{NETWORK}.dnsServiceIPs": ["10.96.0.53"]},
        {f"{NETWORK}.dnsServiceIPs": ["10.97.0.53"]},
        "dnsServiceIPs must lie in a service range: 10.96.0.0/16",
    ),
    "a service range that leaves the DNS address": (
        TENANT,
        {f"{NETWORK}.dnsServiceIPs": ["10.96.0.53"]},
        {f"{NETWORK}.serviceCidrs": ["10.97.0.0/16"]},
        "dnsServiceIPs must lie in a service range: 10.97.0.0/16",
    ),
    "a certificate name with a port, later": (
        TENANT,
        {},
        {f"{NETWORK}.certSANs": ["api.example.com:6443"]},
        "without a port",
    ),
    "a minor down": (
        TENANT,
        {},
        {"spec.kubernetes.version": "v1.35.4"},
        "cannot go from v1.36.3 to v1.35.4: a control plane goes up one minor version at a time, and down only to",
    ),
    "two minors up": (TENANT, {}, {"spec.kubernetes.version": "1.38.0"}, "cannot go from v1.36.3 to 1.38.0"),
    "a major up": (TENANT, {}, {"spec.kubernetes.version": "v2.36.3"}, "cannot go from v1.36.3 to v2.36.3"),
    "another driver": (STORE, {}, {"spec.driver": "NATS"}, "driver cannot be changed once set"),
    "fewer members": (POOL, {"spec": {"members": 3}}, {"spec.members": 1}, "members can grow and not shrink"),
    "a larger volume": (POOL, {}, {"spec.storage.size": "9Gi"}, "storage.size cannot be changed once set"),
    "a class of volumes given later": (
        POOL,
        {},
        {"spec.storage.storageClassName": "fast"},
        "storage cannot be changed once set",
    ),
    "a control plane's user changed": (
        CONTROL_PLANE,
        {"spec.dataStoreUsername": "a"},
        {"spec.dataStoreUsername": "b"},
        "dataStoreUsername cannot be changed once set",
    ),
    "a control plane sent to another cluster later": (
        CONTROL_PLANE,
        {},
        {"spec.deployment.externalClusterReference": FAR},
        "externalClusterReference cannot be added or removed",
    ),
    "a control plane called back from another cluster": (
        CONTROL_PLANE,
        {"spec.deployment.externalClusterReference": FAR},
        {"spec.deployment": GONE},
        "externalClusterReference cannot be added or removed",
    ),
    "a control plane in another cluster sent to another namespace": (
        CONTROL_PLANE,
        {"spec.deployment.externalClusterReference": FAR},
        {"spec.deployment.externalClusterReference.deploymentNamespace": "other"},
        "deploymentNamespace cannot be changed",
    ),
    "a control plane's balancer class given later": (
        CONTROL_PLANE,
        {"spec.network": {"loadBalancerConfig": {}}},
        {"spec.network.loadBalancerConfig.loadBalancerClass": "x"},
        "loadBalancerClass cannot be added or removed",
    ),
}


@pytest.mark.parametrize(("manifest", "before", "after", "message"), cases(STEPS))
def test_a_step_that_cannot_be_taken_is_refused_with_the_reason(
    installed: Rest, manifest: dict[str, Any], before: dict[str, Any], after: dict[str, Any], message: str
) -> None:
    status, made = installed.post(changed(manifest, before))
    assert status == 201, made.get("message")
    try:
        status, said = installed.put(changed(made, after))
        assert status == 422, said.get("message")
        assert message in said["message"]
    finally:
        installed.delete(made)


@pytest.mark.fields("KamajiControlPlane", "spec.deployment.externalClusterReference.kubeconfigSecretName")
def test_the_way_to_another_cluster_may_change_and_where_nothing_else_is_said_the_deployment_may_be_null(
    installed: Rest,
) -> None:
    status, made = installed.post(changed(CONTROL_PLANE, {"spec.deployment.externalClusterReference": FAR}))
    assert status == 201, made.get("message")
    try:
        step = {"kubeconfigSecretName": "next", "kubeconfigSecretKey": "conf", "kubeconfigSecretNamespace": "secrets"}
        after = {f"spec.deployment.externalClusterReference.{key}": value for key, value in step.items()}
        status, said = installed.put(changed(made, after))
        assert status == 200, said.get("message")
    finally:
        installed.delete(made)
    status, made = installed.post(changed(CONTROL_PLANE, {"spec.deployment": None}))
    assert status == 201, made.get("message")
    try:
        status, said = installed.put(changed(made, {"spec.replicas": 3}))
        assert status == 200, said.get("message")
    finally:
        installed.delete(made)


ALLOWED_STEPS = {
    "a patch down": {"spec.kubernetes.version": "v1.36.1"},
    "a minor up": {"spec.kubernetes.version": "1.37.0"},
    "the schema given later": {"spec.dataStoreSchema": "a"},
    "DNS and its range together": {
        f"{NETWORK}.serviceCidrs": ["10.97.0.0/16"],
        f"{NETWORK}.dnsServiceIPs": ["10.97.0.53"],
    },
    "another data store": {"spec.dataStore": "other"},
    "another service type": {f"{SERVICE}.serviceType": "ClusterIP"},
    "no network profile any more": {NETWORK: GONE},
    "asleep": {"spec.controlPlane.deployment.replicas": 0},
}


@pytest.mark.parametrize("after", cases(ALLOWED_STEPS))
def test_a_step_that_can_be_taken_is_let_through(installed: Rest, after: dict[str, Any]) -> None:
    status, made = installed.post(TENANT)
    assert status == 201, made.get("message")
    try:
        status, said = installed.put(changed(made, after))
        assert status == 200, said.get("message")
    finally:
        installed.delete(made)


@pytest.mark.keeps("rules.version")
@pytest.mark.parametrize("installed_version", ["v1.36.3", "1.36.3"])
def test_from_a_version_that_never_came_up_one_may_go_back_to_the_installed_one_and_to_no_other(
    installed: Rest, installed_version: str
) -> None:
    _, made = installed.post(TENANT)
    try:
        block = {"kubernetesResources": {"version": {"version": installed_version, "status": "Ready"}}}
        status, made = installed.put(made, "status", made | {"status": block})
        assert status == 200, made.get("message")
        status, made = installed.put(changed(made, {"spec.kubernetes.version": "v1.37.99"}))
        assert status == 200, made.get("message")
        status, said = installed.put(changed(made, {"spec.kubernetes.version": "v1.36.1"}))
        assert status == 422
        assert "down only to the one that is installed still" in said["message"]
        for each in ("1.36.3", "v1.37.2", "v1.36.3"):
            status, made = installed.put(changed(made, {"spec.kubernetes.version": each}))
            assert status == 200, made.get("message")
    finally:
        installed.delete(made)


@pytest.mark.keeps("rules.defaults")
def test_the_server_fills_in_the_same_defaults_as_the_models(installed: Rest) -> None:
    for manifest in (TENANT, STORE, POOL, CONTROL_PLANE, TEMPLATE):
        kind = next(each for each in ALL if each.__name__ == manifest["kind"])
        status, stored = installed.post(manifest, dry=True)
        assert status == 201, stored.get("message")
        assert kind.parse(stored).model_dump(exclude={"metadata"}) == kind.parse(manifest).model_dump(
            exclude={"metadata"}
        )


def test_unknown_fields_of_foreign_types_survive_and_ours_do_not(installed: Rest) -> None:
    container = {"name": "log", "image": "example.com/log:1", "fieldOfTomorrow": {"a": [1]}}
    manifest = changed(
        TENANT,
        {"spec.controlPlane.deployment.additionalContainers": [container], "spec.controlPlane.deployment.typo": 1},
    )
    _, stored = installed.post(manifest, dry=True)
    assert stored["spec"]["controlPlane"]["deployment"]["additionalContainers"] == [container]
    assert "typo" not in stored["spec"]["controlPlane"]["deployment"]


def test_scale_and_status_are_doors_of_their_own(installed: Rest) -> None:
    status, made = installed.post(CONTROL_PLANE)
    assert status == 201, made.get("message")
    try:
        wanted = {"ready": True, "replicas": 0, "versions": [{"version": "v1.36.3", "replicas": 2}]}
        assert installed.put(made | {"status": wanted}, "status")[0] == 200
        _, found = installed.read(made)
        assert found["status"] == wanted | {"externalManagedControlPlane": True}
        _, scale = installed.read(made, "scale")
        assert scale["spec"]["replicas"] == 2
        scale["spec"]["replicas"] = 3
        assert installed.put(made, "scale", scale)[0] == 200
        assert installed.read(made)[1]["spec"]["replicas"] == 3
    finally:
        installed.delete(made)


def test_our_conditions_and_blocks_fit_the_tenants_status(installed: Rest) -> None:
    status, made = installed.post(TENANT)
    assert status == 201, made.get("message")
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "DataStoreNotFound",
        "message": "create it",
        "lastTransitionTime": "2026-11-24T00:00:00Z",
        "observedGeneration": 1,
    }
    wanted = {
        "conditions": [condition],
        "storage": {"setup": {"schema": "uid", "user": "uid"}, "driver": "etcd", "dataStoreName": "default"},
        "kubernetesResources": {
            "version": {"status": "Provisioning"},
            "deployment": {"name": "solo", "namespace": "default", "selector": "a=b", "replicas": 0},
            "service": {"name": "solo", "namespace": "default", "port": 6443, "loadBalancer": {}},
        },
    }
    try:
        code, said = installed.put(made | {"status": wanted}, "status")
        assert code == 200, said
        assert said["status"] == wanted
        assert installed.put(said | {"status": {"conditions": [condition, condition]}}, "status")[0] == 422
    finally:
        installed.delete(made)


RECORDED = {
    "spec.dataStoreSchema": ("schema", "dataStoreSchema that status.storage.setup tells"),
    "spec.dataStoreUsername": ("user", "dataStoreUsername that status.storage.setup tells"),
}


@pytest.mark.keeps("better.late-names")
@pytest.mark.parametrize("path", RECORDED)
def test_a_name_for_data_that_lies_elsewhere_comes_too_late(installed: Rest, path: str) -> None:
    recorded, message = RECORDED[path]
    status, made = installed.post(TENANT)
    assert status == 201, made.get("message")
    try:
        setup = {"schema": "one", "user": "one"}
        _, made = installed.put(made | {"status": {"storage": {"setup": setup}}}, "status")
        status, said = installed.put(changed(made, {path: "other"}))
        assert status == 422, said.get("message")
        assert message in said["message"]
        status, said = installed.put(changed(made, {path: setup[recorded]}))
        assert status == 200, said.get("message")
    finally:
        installed.delete(made)


def without_rules(node: Any) -> Any:
    """A schema that refuses nothing by rule, as an earlier operator's may be."""
    if isinstance(node, dict):
        return {key: without_rules(each) for key, each in node.items() if key != "x-kubernetes-validations"}
    return [without_rules(each) for each in node] if isinstance(node, list) else node


ELDER_TENANT = changed(
    TENANT,
    {
        "metadata.name": "elder",
        "spec.controlPlane.deployment.resources.kine": {"requests": {"cpu": "100m", "memory": 1}},
        "spec.controlPlane.deployment.affinity": {"podAntiAffinity": {"fieldOfTomorrow": {}}},
        "spec.addons.konnectivity.server.port": 8132,
        "spec.addons.konnectivity.server.resources": {"limits": {"cpu": 1}},
        "spec.addons.konnectivity.server.securityContext": {
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
            "runAsUser": 65532,
        },
        f"{NETWORK}.certSANs": ["api.example.com:6443"],
        f"{NETWORK}.podCidr": "10.96.0.0/16",
    },
)
ELDER_CONTROL_PLANE = changed(CONTROL_PLANE, {"metadata.name": "elder", "spec.version": "latest"})
ELDER_STORE = changed(STORE, {"metadata.name": "elder", "spec.driver": "MySQL", "spec.tlsConfig": GONE})
ELDER_GENERATOR = changed(GENERATOR, {"metadata.name": "elder", "spec.groups": [{"stringValue": "system:masters"}]})
ELDERS = [ELDER_TENANT, ELDER_CONTROL_PLANE, ELDER_STORE, ELDER_GENERATOR]


@pytest.mark.parametrize("elder", ELDERS, ids=lambda each: each["kind"])
def test_what_was_made_before_our_rules_can_still_be_reported_on_and_let_go(
    installed: Rest, elder: dict[str, Any]
) -> None:
    ours = crd.manifest(next(each for each in ALL if each.__name__ == elder["kind"]))

    def install(manifest: dict[str, Any], answer: int) -> None:
        _, found = installed.read(ours)
        assert installed.put(found | {"spec": manifest["spec"]})[0] == 200
        deadline = time.monotonic() + PATIENCE
        while installed.post(elder, dry=True)[0] != answer:
            assert time.monotonic() < deadline, "the changed CRD is not in force"
            time.sleep(0.1)

    install(without_rules(ours), 201)
    _, made = installed.post(elder)
    install(ours, 422)
    try:
        report = {"observedGeneration": 1, "ready": True, "resources": 0, "availableResources": 0}
        for changes, door in (
            ({"status": report}, "status"),
            ({"metadata.finalizers": ["finalizer.kamaji.clastix.io"], "metadata.labels": {"a": "b"}}, ""),
            ({"metadata.finalizers": []}, ""),
        ):
            status, made = installed.put(changed(made, changes), door)
            assert status == 200, made.get("message")
    finally:
        installed.delete(made)
