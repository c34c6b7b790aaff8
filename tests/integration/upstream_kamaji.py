"""A tenant as upstream Kamaji leaves it: its objects made by hand, after the written facts, and written by Update as it does.

RSA keys, names of certificates, kubeconfigs in Go's layout, one Deployment with upstream's labels, checksums, flags and
probes, a keyspace of the old style, finalizers, a status. What it would do inside the tenant is in `inside`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from provider.api import kinds, names
from provider.cluster.client import Cluster
from provider.hosting.datastores.etcd.store import EtcdStore
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, checksum, meta, privatekey, x509
from provider.manifest.mergepatch import merged
from provider.manifest.mint import Algorithm, PrivateKey
from provider.manifest.x509 import Pair, Request
from tests.integration.hosted import VERSION

MANAGER = "kamaji"
RSA: Algorithm = "RSA-2048"
PKI = "/etc/kubernetes/pki"
LIFECYCLE = names.LABEL_CERTIFICATE_LIFECYCLE
DECADE = 10 * x509.YEAR


class FewKeys(RandomMint):
    """RSA keys take long to make: authorities share one, leaves another."""

    def __init__(self) -> None:
        self._key = super().key(RSA)

    def key(self, algorithm: Algorithm = RSA) -> PrivateKey:
        return self._key


@cache
def mint(_for: str) -> FewKeys:
    return FewKeys()


class Etcd(Protocol):
    """The store a tenant's keys are in."""

    name: str

    @property
    def endpoints(self) -> Sequence[str]: ...

    @property
    def signer(self) -> Pair: ...

    def opened(self) -> EtcdStore: ...


class Tenant(Protocol):
    """The tenant that is taken over afterwards."""

    cluster: Cluster
    store: Etcd
    namespace: str
    name: str
    port: int

    async def say(self, **spec: Any) -> Manifest: ...

    async def tcp(self) -> Manifest: ...


@dataclass
class Upstream:
    """What upstream's operator did for one tenant. `hosted` is looked at by our pass afterwards."""

    hosted: Tenant
    pull: str = "Always"
    plugins: tuple[str, ...] = ("CertificateApproval", "NamespaceLifecycle", "ResourceQuota", "ServiceAccount")

    @property
    def keyspace(self) -> Keyspace:
        """As releases of old named it."""
        name = f"{self.hosted.namespace}_{self.hosted.name}"
        return Keyspace(schema=name, user=name)

    async def make(self, template: Manifest | None = None, **spec: Any) -> Manifest:
        """The whole tenant; `template` is laid over the pod template. The TenantControlPlane."""
        kubernetes = {"version": VERSION, "kubelet": {}, "admissionControllers": list(self.plugins)}
        await self.hosted.say(dataStore=self.hosted.store.name, kubernetes=kubernetes, **spec)
        self.owner = await self.hosted.tcp()
        async with self.hosted.store.opened() as store:
            await store.ensure(self.keyspace)
        await self._service()
        self._pki()
        secrets = self._secrets()
        self.made = {name: data for name, _, data, _ in secrets}
        for name, component, data, lifecycle in secrets:
            await self._write(kinds.SECRET, name, component, lifecycle, type="Opaque", data=meta.secret_data(data))
        secret = names.datastore_config_secret(self.hosted.name)
        held = {"metadata": {"finalizers": [names.FINALIZER_DATASTORE_SECRET]}}
        await self._merge(kinds.SECRET, secret, held)
        config = {"ClusterConfiguration": '{"ClusterName":"demo"}', "InitConfiguration": "{}"}
        await self._write(kinds.CONFIG_MAP, names.kubeadm_config_map(self.hosted.name), "kubeadmconfig", data=config)
        await self._deployment(template or {})
        held = {"metadata": {"finalizers": [names.FINALIZER_TENANT, names.FINALIZER_SOOT]}}
        await self._merge(kinds.TENANT_CONTROL_PLANE, self.hosted.name, held)
        await self.hosted.cluster.merge(
            kinds.TENANT_CONTROL_PLANE,
            self.hosted.name,
            self.hosted.namespace,
            {"status": self._status()},
            subresource="status",
            manager=MANAGER,
        )
        return await self.hosted.tcp()

    async def inside(self, session: Cluster) -> None:
        """What upstream's operator left in the tenant: kubeadm's objects without labels, and a webhook that nobody answers."""
        config = meta.new(kinds.CONFIG_MAP, "kubeadm-config", "kube-system", data={"ClusterConfiguration": "a: b\n"})
        await session.create(config, manager=MANAGER)
        rule = {
            "apiGroups": ["*"],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE", "DELETE"],
            "resources": ["configmaps"],
        }
        webhook = {
            "name": "catchall.write-permissions.kamaji.clastix.io",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "timeoutSeconds": 1,
            "clientConfig": {"url": "https://127.0.0.1:1/write-permission"},
            "rules": [rule],
        }
        await session.create(
            meta.new(kinds.ADMISSION_WEBHOOK, "kamaji-write-permissions", webhooks=[webhook]), manager=MANAGER
        )

    async def _service(self) -> None:
        port = {"name": "kube-apiserver", "protocol": "TCP", "port": self.hosted.port, "targetPort": self.hosted.port}
        spec = {"type": "ClusterIP", "selector": {names.LABEL_NAME: self.hosted.name}, "ports": [port]}
        made = await self._write(kinds.SERVICE, self.hosted.name, "service", spec=spec)
        self.address = made["spec"]["clusterIP"]

    def _pki(self) -> None:
        now, host = datetime.now(UTC), names.service_host(self.hosted.name, self.hosted.namespace)
        self.ca = x509.authority("kubernetes", mint("authorities"), now, RSA)
        self.proxy_ca = x509.authority("front-proxy-ca", mint("authorities"), now, RSA)
        self.sa = mint("tokens").key(RSA)
        serving = Request(
            common_name="kube-apiserver",
            names=frozenset(
                {
                    *("node", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"),
                    *("kubernetes.default.svc.cluster.local", self.hosted.name, host, f"{host}.cluster.local"),
                }
            ),
            addresses=frozenset({"10.96.0.1", "127.0.0.1", self.address}),
            server=True,
            algorithm=RSA,
        )
        client = Request(common_name="", client=True, algorithm=RSA)
        self.api_server = x509.issue(serving, self.ca, mint("leaves"), now)
        self.kubelet = self._issued(client, "kube-apiserver-kubelet-client", self.ca)
        self.proxy = self._issued(client, "front-proxy-client", self.proxy_ca)
        masters = replace(client, organizations=("system:masters",), server=True, life=DECADE)
        self.etcd = self._issued(masters, self.keyspace.user, self.hosted.store.signer)

    def _issued(self, request: Request, name: str, issuer: Pair) -> Pair:
        return x509.issue(replace(request, common_name=name), issuer, mint("leaves"), datetime.now(UTC))

    def _secrets(self) -> list[tuple[str, str, dict[str, bytes], str]]:
        t, ca, proxy = self.hosted.name, self.ca, self.proxy_ca
        signing = {"sa.pub": privatekey.public_key_pem(self.sa), "sa.key": privatekey.private_key_pem(self.sa)}
        authority = {"ca.crt": ca.certificate, "ca.key": ca.key, "tls.crt": ca.certificate, "tls.key": ca.key}
        front = {"front-proxy-ca.crt": proxy.certificate, "front-proxy-ca.key": proxy.key}
        config = {
            "DB_CONNECTION_STRING": b"",
            "DB_SCHEMA": self.keyspace.schema.encode(),
            "DB_USER": self.keyspace.user.encode(),
            "DB_PASSWORD": b"0b5ee9a4-3a0b-4a35-8f43-6f5c5a3b1c11",
        }
        store = {
            "ca.crt": self.hosted.store.signer.certificate,
            "server.crt": self.etcd.certificate,
            "server.key": self.etcd.key,
        }
        return [
            (names.ca_secret(t), "ca", authority, ""),
            (names.front_proxy_ca_secret(t), "front-proxy-ca-certificate", front, ""),
            (names.service_account_secret(t), "sa-certificate", signing, ""),
            (names.api_server_secret(t), "api-server-certificate", _pair("apiserver", self.api_server), "x509"),
            (
                names.kubelet_client_secret(t),
                "api-server-kubelet-client-certificate",
                _pair("apiserver-kubelet-client", self.kubelet),
                "x509",
            ),
            (
                names.front_proxy_client_secret(t),
                "front-proxy-client-certificate",
                _pair("front-proxy-client", self.proxy),
                "x509",
            ),
            (names.datastore_config_secret(t), "datastore-config", config, ""),
            (names.datastore_certificate_secret(t), "datastore-certificate", store, "x509"),
            *self._kubeconfigs(),
        ]

    def _kubeconfigs(self) -> list[tuple[str, str, dict[str, bytes], str]]:
        t, port = self.hosted.name, self.hosted.port
        outside, local = f"https://{self.address}:{port}", f"https://127.0.0.1:{port}"
        inside = f"https://{names.service_host(t, self.hosted.namespace)}:{port}"
        client = Request(common_name="", client=True, algorithm=RSA)
        admin = self._issued(replace(client, organizations=("kubeadm:cluster-admins",)), "kubernetes-admin", self.ca)
        top = self._issued(replace(client, organizations=("system:masters",)), "kubernetes-super-admin", self.ca)
        keys = {
            "admin.conf": self._conf(outside, "kubernetes-admin", admin),
            "admin.svc": self._conf(inside, "kubernetes-admin", admin),
            "super-admin.conf": self._conf(outside, "kubernetes-super-admin", top),
            "super-admin.svc": self._conf(inside, "kubernetes-super-admin", top),
        }
        found = [(names.admin_kubeconfig_secret(t), "admin-kubeconfig", keys, "kubeconfig")]
        for component in ("controller-manager", "scheduler"):
            user = f"system:kube-{component}"
            made = self._conf(local, user, self._issued(client, user, self.ca))
            name = f"{component}-kubeconfig"
            found.append((f"{t}-{name}", name, {f"{component}.conf": made}, "kubeconfig"))
        return found

    def _conf(self, server: str, user: str, pair: Pair) -> bytes:
        """In the layout of Go's encoder, which writes no preferences and other indentation than ours."""
        t = self.hosted.name
        return (
            "apiVersion: v1\nclusters:\n- cluster:\n"
            f"    certificate-authority-data: {_b64(self.ca.certificate)}\n    server: {server}\n  name: {t}\n"
            f"contexts:\n- context:\n    cluster: {t}\n    user: {user}\n  name: {user}@{t}\n"
            f"current-context: {user}@{t}\nkind: Config\nusers:\n- name: {user}\n  user:\n"
            f"    client-certificate-data: {_b64(pair.certificate)}\n    client-key-data: {_b64(pair.key)}\n"
        ).encode()

    async def _deployment(self, laid_over: Manifest) -> None:
        t = self.hosted.name
        mounted = {
            "api-server-certificate": names.api_server_secret(t),
            "api-server-kubelet-client-certificate": names.kubelet_client_secret(t),
            "ca": names.ca_secret(t),
            "controller-manager-kubeconfig": names.controller_manager_kubeconfig_secret(t),
            "front-proxy-ca-certificate": names.front_proxy_ca_secret(t),
            "front-proxy-client-certificate": names.front_proxy_client_secret(t),
            "service-account": names.service_account_secret(t),
            "scheduler-kubeconfig": names.scheduler_kubeconfig_secret(t),
        }
        standing = {name: checksum.of(data) for name, data in self.made.items()}
        labels = {
            names.LABEL_NAME: t,
            names.LABEL_COMPONENT: "deployment",
            **{f"component.kamaji.clastix.io/{key}": standing[name] for key, name in mounted.items()},
            "component.kamaji.clastix.io/datastore": self.hosted.store.name,
        }
        annotations = {
            "storage.kamaji.clastix.io/config": standing[names.datastore_config_secret(t)],
            "storage.kamaji.clastix.io/certificate": standing[names.datastore_certificate_secret(t)],
        }
        template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": self._pod()}
        spec = {
            "replicas": 1,
            "selector": {"matchLabels": {names.LABEL_NAME: t}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}},
            "template": merged(template, laid_over),
        }
        await self._write(kinds.DEPLOYMENT, t, "deployment", spec=spec)

    def _pod(self) -> Manifest:
        t, port = self.hosted.name, self.hosted.port
        trust = {
            "etc-ca-certificates": "/etc/ca-certificates",
            "usr-share-ca-certificates": "/usr/share/ca-certificates",
            "usr-local-share-ca-certificates": "/usr/local/share/ca-certificates",
        }
        pki = [{"name": "etc-kubernetes-pki", "mountPath": PKI, "readOnly": True}]
        pki += [{"name": name, "mountPath": path, "readOnly": True} for name, path in trust.items()]
        conf = {
            each: [{"name": f"{each}-kubeconfig", "mountPath": "/etc/kubernetes", "readOnly": True}]
            for each in ("scheduler", "controller-manager")
        }
        live = ("/livez", "/readyz", "/livez")
        health = ("/healthz",) * 3
        server = _container("kube-apiserver", self._api_server_flags(), pki, port, live)
        manager = [*pki, *conf["controller-manager"]]
        return {
            "containers": [
                {**server, "imagePullPolicy": self.pull},
                _container("kube-scheduler", self._scheduler_flags(), conf["scheduler"], 10259, health),
                _container("kube-controller-manager", self._manager_flags(), manager, 10257, health),
            ],
            "volumes": [
                {"name": "etc-kubernetes-pki", "projected": {"defaultMode": 420, "sources": self._projected()}},
                *({"name": each, "secret": {"secretName": names.ca_secret(t), "defaultMode": 420}} for each in trust),
                *(
                    {"name": f"{each}-kubeconfig", "secret": {"secretName": f"{t}-{each}-kubeconfig"}}
                    for each in ("scheduler", "controller-manager")
                ),
            ],
            "serviceAccountName": "default",
        }

    def _projected(self) -> list[Manifest]:
        t = self.hosted.name
        files = {
            names.api_server_secret(t): ("apiserver.crt", "apiserver.key"),
            names.ca_secret(t): ("ca.crt", "ca.key"),
            names.kubelet_client_secret(t): ("apiserver-kubelet-client.crt", "apiserver-kubelet-client.key"),
            names.front_proxy_ca_secret(t): ("front-proxy-ca.crt", "front-proxy-ca.key"),
            names.front_proxy_client_secret(t): ("front-proxy-client.crt", "front-proxy-client.key"),
            names.service_account_secret(t): ("sa.pub", "sa.key"),
        }
        found = [
            {"secret": {"name": name, "items": [{"key": each, "path": each} for each in keys]}}
            for name, keys in files.items()
        ]
        store = [{"key": each, "path": f"etcd/{each}"} for each in ("ca.crt", "server.crt", "server.key")]
        return [*found, {"secret": {"name": names.datastore_certificate_secret(t), "items": store}}]

    def _api_server_flags(self) -> dict[str, str]:
        return {
            "advertise-address": self.address,
            "allow-privileged": "true",
            "authorization-mode": "Node,RBAC",
            "client-ca-file": f"{PKI}/ca.crt",
            "enable-admission-plugins": ",".join(self.plugins),
            "enable-bootstrap-token-auth": "true",
            "etcd-cafile": f"{PKI}/etcd/ca.crt",
            "etcd-certfile": f"{PKI}/etcd/server.crt",
            "etcd-compaction-interval": "0",
            "etcd-keyfile": f"{PKI}/etcd/server.key",
            "etcd-prefix": f"/{self.keyspace.schema}",
            "etcd-servers": ",".join(f"https://{each}" for each in self.hosted.store.endpoints),
            "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
            "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
            "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
            "proxy-client-cert-file": f"{PKI}/front-proxy-client.crt",
            "proxy-client-key-file": f"{PKI}/front-proxy-client.key",
            "requestheader-allowed-names": "front-proxy-client",
            "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User",
            "secure-port": str(self.hosted.port),
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": f"{PKI}/sa.pub",
            "service-account-signing-key-file": f"{PKI}/sa.key",
            "service-cluster-ip-range": "10.96.0.0/16",
            "tls-cert-file": f"{PKI}/apiserver.crt",
            "tls-private-key-file": f"{PKI}/apiserver.key",
        }

    def _manager_flags(self) -> dict[str, str]:
        conf = "/etc/kubernetes/controller-manager.conf"
        return {
            "allocate-node-cidrs": "true",
            "authentication-kubeconfig": conf,
            "authorization-kubeconfig": conf,
            "bind-address": "0.0.0.0",
            "client-ca-file": f"{PKI}/ca.crt",
            "cluster-cidr": "10.244.0.0/16",
            "cluster-name": self.hosted.name,
            "cluster-signing-cert-file": f"{PKI}/ca.crt",
            "cluster-signing-key-file": f"{PKI}/ca.key",
            "controllers": "*,bootstrapsigner,tokencleaner",
            "kubeconfig": conf,
            "leader-elect": "true",
            "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
            "root-ca-file": f"{PKI}/ca.crt",
            "service-account-private-key-file": f"{PKI}/sa.key",
            "service-cluster-ip-range": "10.96.0.0/16",
            "use-service-account-credentials": "true",
        }

    def _scheduler_flags(self) -> dict[str, str]:
        conf = "/etc/kubernetes/scheduler.conf"
        kubeconfigs = dict.fromkeys(("authentication-kubeconfig", "authorization-kubeconfig", "kubeconfig"), conf)
        return {**kubeconfigs, "bind-address": "0.0.0.0", "leader-elect": "true"}

    def _status(self) -> Manifest:
        t, namespace = self.hosted.name, self.hosted.namespace
        block = {"checksum": "00000000000000000000000000000000", "lastUpdate": "2025-01-01T00:00:00Z"}
        return {
            "controlPlaneEndpoint": f"{self.address}:{self.hosted.port}",
            "kubernetesResources": {"version": {"status": "Ready", "version": VERSION}},
            "kubeconfig": {"admin": {**block, "secretName": names.admin_kubeconfig_secret(t)}},
            "certificates": {"ca": {**block, "secretName": names.ca_secret(t)}},
            "storage": {
                "driver": "etcd",
                "dataStoreName": self.hosted.store.name,
                "config": {"secretName": names.datastore_config_secret(t), "checksum": block["checksum"]},
                "setup": {"schema": f"{namespace}_{t}", "user": f"{namespace}_{t}", **block},
            },
        }

    async def _write(self, kind: kinds.Kind, name: str, component: str, lifecycle: str = "", **body: Any) -> Manifest:
        labels = names.tenant_labels(self.hosted.name, component) | ({LIFECYCLE: lifecycle} if lifecycle else {})
        data = meta.decoded({"data": body["data"]}) if kind == kinds.SECRET else {}
        annotations = {names.ANNOTATION_CHECKSUM: checksum.of(data)} if data else None
        manifest = meta.new(kind, name, self.hosted.namespace, labels=labels, annotations=annotations, **body)
        return await self.hosted.cluster.create(meta.owned(manifest, self.owner), manager=MANAGER)

    async def _merge(self, kind: kinds.Kind, name: str, patch: Manifest) -> None:
        await self.hosted.cluster.merge(kind, name, self.hosted.namespace, patch, manager=MANAGER)


def _container(name: str, flags: dict[str, str], mounts: list[Manifest], port: int, paths: tuple[str, ...]) -> Manifest:
    numbers = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    probes = {
        f"{kind}Probe": {"httpGet": {"path": path, "port": port, "scheme": "HTTPS"}, **numbers}
        for kind, path in zip(("liveness", "readiness", "startup"), paths, strict=True)
    }
    return {
        "name": name,
        "image": f"registry.k8s.io/{name}:{VERSION}",
        "command": [name],
        "args": [f"--{flag}={value}" for flag, value in sorted(flags.items())],
        "volumeMounts": mounts,
        **probes,
    }


def _pair(stem: str, pair: Pair) -> dict[str, bytes]:
    return {f"{stem}.crt": pair.certificate, f"{stem}.key": pair.key}


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()
