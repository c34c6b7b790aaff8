"""Credentials of a tenant's control plane: what signs, what its programs show, and what lets them into the store."""

from __future__ import annotations

from typing import Final

from provider.api import names
from provider.api.credentials import stores
from provider.api.credentials.node import Node

ROLL = "the pods, which are made anew"
LABEL = names.COMPONENT_CHECKSUM_PREFIX

CA: Final = Node(
    title="certificate authority",
    sort="authority",
    home="tenant",
    secret=names.ca_secret,
    component="ca",
    status=("certificates", "ca"),
    rolls=f"{LABEL}ca",
    halves=("ca.crt", "ca.key"),
    readers=f"{ROLL}; nodes and people, by phases",
)
FRONT_PROXY_CA: Final = Node(
    title="front proxy's certificate authority",
    sort="authority",
    home="tenant",
    secret=names.front_proxy_ca_secret,
    component="front-proxy-ca-certificate",
    status=("certificates", "frontProxyCA"),
    rolls=f"{LABEL}front-proxy-ca-certificate",
    halves=("front-proxy-ca.crt", "front-proxy-ca.key"),
    readers=f"{ROLL}; aggregated API servers, by phases",
)
ACCOUNT: Final = Node(
    title="service-account key",
    sort="key",
    home="tenant",
    secret=names.service_account_secret,
    component="sa-certificate",
    status=("certificates", "sa"),
    rolls=f"{LABEL}service-account",
    halves=("sa.pub", "sa.key"),
    readers=f"{ROLL}; holders of tokens, by phases",
)
TRUSTED: Final = Node(
    title="memory of what is trusted",
    sort="trust",
    home="tenant",
    secret=names.trusted_keys_secret,
    parents=(CA, FRONT_PROXY_CA, ACCOUNT),
    component="trusted-keys",
    readers="the provider, when a Secret that signs is lost",
)
ENCRYPTION: Final = Node(
    title="encryption of stored objects",
    sort="cipher",
    home="tenant",
    secret=names.encryption_secret,
    component="encryption",
    status=("storage", "encryption"),
    rolls=f"{LABEL}encryption",
    readers=f"{ROLL}; by phases. Never made anew by itself: what it encrypted could not be read any more",
)
ENCRYPTION_COPY: Final = Node(
    title="copy of that",
    sort="cipher",
    home="tenant",
    secret=names.encryption_copy_secret,
    component="encryption-copy",
    readers="the provider, when the other is lost or changed by hand; each is put back from the other",
)
SERVING: Final = Node(
    title="what the API server serves",
    sort="certificate",
    home="tenant",
    secret=names.api_server_secret,
    parents=(CA,),
    component="api-server-certificate",
    status=("certificates", "apiServer"),
    rolls=f"{LABEL}api-server-certificate",
    halves=("apiserver.crt", "apiserver.key"),
    readers=ROLL,
)
KUBELET_CLIENT: Final = Node(
    title="what the API server shows to kubelets",
    sort="certificate",
    home="tenant",
    secret=names.kubelet_client_secret,
    parents=(CA,),
    component="api-server-kubelet-client-certificate",
    status=("certificates", "apiServerKubeletClient"),
    rolls=f"{LABEL}api-server-kubelet-client-certificate",
    halves=("apiserver-kubelet-client.crt", "apiserver-kubelet-client.key"),
    readers=ROLL,
)
FRONT_PROXY_CLIENT: Final = Node(
    title="what the API server shows to aggregated ones",
    sort="certificate",
    home="tenant",
    secret=names.front_proxy_client_secret,
    parents=(FRONT_PROXY_CA,),
    component="front-proxy-client-certificate",
    status=("certificates", "frontProxyClient"),
    rolls=f"{LABEL}front-proxy-client-certificate",
    halves=("front-proxy-client.crt", "front-proxy-client.key"),
    readers=ROLL,
)
ADMIN: Final = Node(
    title="administrators' kubeconfigs",
    sort="kubeconfig",
    home="tenant",
    secret=names.admin_kubeconfig_secret,
    parents=(CA,),
    component="admin-kubeconfig",
    status=("kubeconfig", "admin"),
    files=("admin.conf", "admin.svc", "super-admin.conf", "super-admin.svc"),
    readers="people and programs, who fetch it again; the provider, which connects anew",
)
CONTROLLER_MANAGER: Final = Node(
    title="the controller manager's kubeconfig",
    sort="kubeconfig",
    home="tenant",
    secret=names.controller_manager_kubeconfig_secret,
    parents=(CA,),
    component="controller-manager-kubeconfig",
    status=("kubeconfig", "controllerManager"),
    rolls=f"{LABEL}controller-manager-kubeconfig",
    files=("controller-manager.conf",),
    readers=ROLL,
)
SCHEDULER: Final = Node(
    title="the scheduler's kubeconfig",
    sort="kubeconfig",
    home="tenant",
    secret=names.scheduler_kubeconfig_secret,
    parents=(CA,),
    component="scheduler-kubeconfig",
    status=("kubeconfig", "scheduler"),
    rolls=f"{LABEL}scheduler-kubeconfig",
    files=("scheduler.conf",),
    readers=ROLL,
)
TUNNEL: Final = Node(
    title="what the proxy server shows",
    sort="certificate",
    home="tenant",
    secret=names.konnectivity_certificate_secret,
    parents=(CA,),
    component="konnectivity-certificate",
    status=("addons", "konnectivity", "certificate"),
    halves=stores.PAIR,
    readers="its kubeconfig",
)
TUNNEL_KUBECONFIG: Final = Node(
    title="the proxy server's kubeconfig",
    sort="kubeconfig",
    home="tenant",
    secret=names.konnectivity_kubeconfig_secret,
    parents=(TUNNEL, CA),
    component="konnectivity-kubeconfig",
    status=("addons", "konnectivity", "kubeconfig"),
    rolls=f"{LABEL}konnectivity-kubeconfig",
    files=("konnectivity-server.conf",),
    readers=ROLL,
)
STORE_LOGIN: Final = Node(
    title="user and password in the store",
    sort="login",
    home="tenant",
    secret=names.datastore_config_secret,
    component="datastore-config",
    rolls=names.ANNOTATION_STORAGE_CONFIG,
    readers=ROLL,
)
STORE_CLIENT: Final = Node(
    title="what the tenant shows to the store",
    sort="certificate",
    home="tenant",
    secret=names.datastore_certificate_secret,
    parents=(stores.CA,),
    component="datastore-certificate",
    status=("storage", "certificate"),
    rolls=names.ANNOTATION_STORAGE_CERTIFICATE,
    halves=("server.crt", "server.key"),
    readers=ROLL,
)
