"""Groups, labels, annotations, finalizers, field managers and names of child objects: the only place that spells them.

Spelled as upstream Kamaji and Cluster API spell them, so that users' selectors, scripts and running fleets carry over.
Every room reads from here.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

KAMAJI_GROUP: Final = "kamaji.clastix.io"
KAMAJI_VERSION: Final = "v1alpha1"
KAMAJI_API: Final = f"{KAMAJI_GROUP}/{KAMAJI_VERSION}"
EXTENSION_GROUP: Final = "x.kamaji.clastix.io"
EXTENSION_API: Final = f"{EXTENSION_GROUP}/v1alpha1"
CAPI_GROUP: Final = "cluster.x-k8s.io"
CONTROL_PLANE_GROUP: Final = "controlplane.cluster.x-k8s.io"
CONTROL_PLANE_VERSION: Final = "v1alpha2"
CONTROL_PLANE_OLDER: Final = "v1alpha1"  # served beside it, with the same fields
CONTROL_PLANE_API: Final = f"{CONTROL_PLANE_GROUP}/{CONTROL_PLANE_VERSION}"

# Who writes, as server-side apply records it. One manager a room and a purpose, so that no two hands own one field.
HOSTING_MANAGER: Final = "kamaji"
HOSTING_STATUS_MANAGER: Final = "kamaji-status"
CAPI_MANAGER: Final = "kamaji-capi"

LABEL_PROJECT: Final = f"{KAMAJI_GROUP}/project"
LABEL_NAME: Final = f"{KAMAJI_GROUP}/name"
LABEL_COMPONENT: Final = f"{KAMAJI_GROUP}/component"
LABEL_CERTIFICATE_LIFECYCLE: Final = f"{KAMAJI_GROUP}/certificate_lifecycle_controller"
LABEL_PART: Final = f"{EXTENSION_GROUP}/part"  # the part that said the object: what it no longer says is pruned
LABEL_POOL: Final = f"{EXTENSION_GROUP}/pool"
LABEL_STORE: Final = f"{EXTENSION_GROUP}/store"  # of a pool's objects: which of its stores they make
LABEL_SNAPSHOTS: Final = f"{EXTENSION_GROUP}/snapshots-of"  # of a pod that takes a snapshot: of which store
LABEL_TASK: Final = f"{EXTENSION_GROUP}/task"  # of a Job: the kind of the object that it works for
LABEL_SCHEDULE: Final = (
    f"{EXTENSION_GROUP}/schedule"  # of a TenantBackup or TenantRestore: the TenantBackupSchedule that made it
)
LABEL_MANAGED_BY: Final = f"{KAMAJI_GROUP}/managed-by"  # of a generated kubeconfig: its KubeconfigGenerator
LABEL_MANAGED_FOR: Final = f"{KAMAJI_GROUP}/managed-for"  # and its TenantControlPlane
COMPONENT_CHECKSUM_PREFIX: Final = f"component.{KAMAJI_GROUP}/"  # pod labels: checksums of what a pod has mounted
PROJECT: Final = "kamaji"

ANNOTATION_PAUSED: Final = f"{KAMAJI_GROUP}/paused"
ANNOTATION_CHECKSUM: Final = f"{KAMAJI_GROUP}/checksum"
ANNOTATION_KUBECONFIG_SECRET_KEY: Final = f"{KAMAJI_GROUP}/kubeconfig-secret-key"
ANNOTATION_ROTATE: Final = f"certs.{KAMAJI_GROUP}/rotate"
ANNOTATION_STORAGE_CONFIG: Final = f"storage.{KAMAJI_GROUP}/config"
ANNOTATION_STORAGE_CERTIFICATE: Final = f"storage.{KAMAJI_GROUP}/certificate"
# What upstream's spec has no field for, on a TenantControlPlane
ANNOTATION_GOGC: Final = f"{EXTENSION_GROUP}/gogc"  # how lean the pods are: Go's GOGC, a percentage or off
ANNOTATION_KUBE_PROXY_MODE: Final = f"{EXTENSION_GROUP}/kube-proxy-mode"  # nftables or iptables
ANNOTATION_UPGRADE_DEADLINE: Final = f"{EXTENSION_GROUP}/upgrade-deadline"  # seconds without progress, else the setting
# On a TenantControlPlane that another management cluster's KamajiControlPlane asks for: by what it is found, and whose it is
LABEL_CONTROL_PLANE: Final = f"{EXTENSION_GROUP}/control-plane"
LABEL_CONTROL_PLANE_UID: Final = f"{EXTENSION_GROUP}/control-plane-uid"
# How much of its store a tenant may take up, such as 200Mi: above the first it is warned, above the second it only deletes
ANNOTATION_STORAGE_SOFT_LIMIT: Final = f"{EXTENSION_GROUP}/storage-soft-limit"
ANNOTATION_STORAGE_HARD_LIMIT: Final = f"{EXTENSION_GROUP}/storage-hard-limit"
# On a DataStore: names of orphans (status.orphans) to erase for ever, comma-separated; taken off when that is done
ANNOTATION_ERASE_ORPHANS: Final = f"{EXTENSION_GROUP}/erase-orphans"
ANNOTATION_PLACED: Final = f"{EXTENSION_GROUP}/placed"  # why the tenant is in the store that its status names
ANNOTATION_WEIGHT: Final = (
    f"{EXTENSION_GROUP}/weight"  # of a DataStore in a pool: 0 takes no new tenants, 1 is the rule
)
# Of a DataStore in a pool: `true` moves its tenants to the pool's others, `plan` only tells which would go where
ANNOTATION_DRAIN: Final = f"{EXTENSION_GROUP}/drain"
# Of a TenantControlPlane without spec.dataStore: the DataStore to which its pool has it moved
ANNOTATION_MOVE_TO: Final = f"{EXTENSION_GROUP}/move-to"
# A new value asks for another authority or key, in phases (`hosting.rotation`); the last one ends a rotation by force
ANNOTATION_ROTATE_CA: Final = f"{EXTENSION_GROUP}/rotate-ca"
ANNOTATION_ROTATE_FRONT_PROXY_CA: Final = f"{EXTENSION_GROUP}/rotate-front-proxy-ca"
ANNOTATION_ROTATE_SERVICE_ACCOUNT_KEY: Final = f"{EXTENSION_GROUP}/rotate-service-account-key"
# The first also on a DataStorePool or one of its DataStores: of what members show clients; this, of what they show each other
ANNOTATION_ROTATE_PEER_CA: Final = f"{EXTENSION_GROUP}/rotate-peer-ca"
ANNOTATION_COMPLETE_ROTATION: Final = f"{EXTENSION_GROUP}/complete-rotation"
# Which resources are stored encrypted, such as "secrets,configmaps" (`hosting.encryption`): with a key of ours, or by a
# KMS plugin at a socket; a new value of the third asks for another key
ANNOTATION_ENCRYPT: Final = f"{EXTENSION_GROUP}/encrypt"
ANNOTATION_ENCRYPTION_PLUGIN: Final = f"{EXTENSION_GROUP}/encryption-plugin"
ANNOTATION_ROTATE_ENCRYPTION_KEY: Final = f"{EXTENSION_GROUP}/rotate-encryption-key"
# On a TenantControlPlane whose keys are being written by a TenantRestore: that one's UID. It has no pods while it is there
ANNOTATION_RESTORING: Final = f"{EXTENSION_GROUP}/restoring"
# On a Job: namespace/name of the object that it works for, which is in another namespace and so cannot own it
ANNOTATION_TASK_OF: Final = f"{EXTENSION_GROUP}/task-of"
# On a Secret that signs: the value that asked for what it holds, and since when nothing signs with what it held before
ANNOTATION_ROTATED: Final = f"{EXTENSION_GROUP}/rotated"
ANNOTATION_SIGNS_SINCE: Final = f"{EXTENSION_GROUP}/signs-since"
# On the two Secrets with a tenant's encryption: which key shall write, since when that one is there, how many steps were
# taken, and by whom every stored object is known to be written, since when
ANNOTATION_ENCRYPTS_WITH: Final = f"{EXTENSION_GROUP}/encrypts-with"
ANNOTATION_MADE: Final = f"{EXTENSION_GROUP}/made"
ANNOTATION_STEP: Final = f"{EXTENSION_GROUP}/step"
ANNOTATION_WRITTEN_BY: Final = f"{EXTENSION_GROUP}/written-by"
ANNOTATION_WRITTEN_SINCE: Final = f"{EXTENSION_GROUP}/written-since"
# On a tenant's Node: which authority signed the certificate that its kubelet was last seen to get
ANNOTATION_CLIENT_AUTHORITY: Final = f"{EXTENSION_GROUP}/client-authority"
# Readiness gate of pods that stand by: true once the tenant is at home in the store that they use (`hosting.migration`)
GATE_AT_HOME: Final = f"{EXTENSION_GROUP}/at-home"
# On the Deployment: which upgrade failed, for which spec and why
ANNOTATION_UPGRADE_FAILED: Final = f"{EXTENSION_GROUP}/upgrade-failed"

FINALIZER_TENANT: Final = f"finalizer.{KAMAJI_GROUP}"
FINALIZER_OVERRIDE: Final = (
    f"datastore.{EXTENSION_GROUP}/"  # and the name of a DataStore that an override has put keys in
)
FINALIZER_SOOT: Final = f"finalizer.{KAMAJI_GROUP}/soot"  # upstream's; understood and removed, never added
FINALIZER_DATASTORE_SECRET: Final = f"finalizer.{KAMAJI_GROUP}/datastore-secret"  # likewise
FINALIZER_DATASTORE: Final = f"{KAMAJI_GROUP}/TenantControlPlane"
FINALIZER_HANDOVER: Final = f"{EXTENSION_GROUP}/handover"
FINALIZER_KEY: Final = f"{EXTENSION_GROUP}/encryption-key"  # of a Secret with a key: it goes once its copy is whole
FINALIZER_POOL: Final = f"{EXTENSION_GROUP}/datastorepool"
FINALIZER_GENERATOR: Final = f"{EXTENSION_GROUP}/kubeconfiggenerator"
FINALIZER_TASK: Final = f"{EXTENSION_GROUP}/task"  # of a TenantBackup or TenantRestore: its Job is ended first
FINALIZER_CONTROL_PLANE: Final = f"kamaji.{CONTROL_PLANE_GROUP}"
FINALIZER_EXTERNAL: Final = f"ecr.{KAMAJI_GROUP}/finalizer"  # upstream's; understood and removed, never added

# Cluster API
LABEL_CLUSTER_NAME: Final = f"{CAPI_GROUP}/cluster-name"
LABEL_WATCH_FILTER: Final = f"{CAPI_GROUP}/watch-filter"
ANNOTATION_CAPI_PAUSED: Final = f"{CAPI_GROUP}/paused"
ANNOTATION_MANAGED_BY: Final = f"{CAPI_GROUP}/managed-by"
MANAGED_BY_US: Final = "kamaji"  # value of it: nobody but us looks after the infrastructure object
ANNOTATION_DELETE_FOR_MOVE: Final = "clusterctl.cluster.x-k8s.io/delete-for-move"
CLUSTER_SECRET_TYPE: Final = "cluster.x-k8s.io/secret"

CONTROL_PLANE_TAINT: Final = "node-role.kubernetes.io/control-plane"  # also the label of such nodes

HELD_POLICY: Final = "kamaji-writes-held"  # inside a tenant that moves: says why nothing can be written
# Tenant objects that kubeadm, its join and its upgrades look up by name
NODE_TOKEN_GROUP: Final = "system:bootstrappers:kubeadm:default-node-token"
CLUSTER_ADMINS_GROUP: Final = "kubeadm:cluster-admins"
# The proxy server's user, the audience of the agents' tokens, and the binding of that user: one word for all three
KONNECTIVITY_SERVER: Final = "system:konnectivity-server"
KONNECTIVITY_AGENT: Final = "konnectivity-agent"


def control_plane_digest(namespace: str, name: str) -> str:
    """Of a KamajiControlPlane: the same wherever it is moved to, another for each namespace; a label's value."""
    return hashlib.sha256(f"{namespace}/{name}".encode()).hexdigest()[:16]


def hosted_elsewhere(namespace: str, name: str) -> str:
    """TenantControlPlane in another management cluster: a DNS label of at most 63 letters, readable, and no other's."""
    readable = re.sub(r"[^a-z0-9-]", "-", name)[:40].strip("-")
    return f"kcp-{readable}-{control_plane_digest(namespace, name)}"


def upstream_hosted_elsewhere(uid: str) -> str:
    """The same as upstream's provider calls it; found and kept, never made."""
    return f"kcp-{uid}"


def ca_secret(tenant: str) -> str:
    """Secret with the tenant's cluster CA: ca.crt, ca.key and the copies tls.crt, tls.key."""
    return f"{tenant}-ca"


def front_proxy_ca_secret(tenant: str) -> str:
    """Secret with front-proxy-ca.crt and front-proxy-ca.key."""
    return f"{tenant}-front-proxy-ca-certificate"


def service_account_secret(tenant: str) -> str:
    """Secret with the service-account signing pair: sa.pub and sa.key."""
    return f"{tenant}-sa-certificate"


def trusted_keys_secret(tenant: str) -> str:
    """Secret with all that a tenant trusts, and no private key: ca.crt, front-proxy-ca.crt and sa.pub, bundles each."""
    return f"{tenant}-trusted-keys"


def encryption_secret(tenant: str) -> str:
    """Secret with encryption.yaml: kube-apiserver's EncryptionConfiguration, with the keys in it."""
    return f"{tenant}-encryption"


def encryption_copy_secret(tenant: str) -> str:
    """The same once more: without it stored objects cannot be read, and nobody can make it anew."""
    return f"{tenant}-encryption-copy"


def encryption_brought_secret(tenant: str) -> str:
    """The same as a backup has it, brought beside what stands; it goes once it is taken into that."""
    return f"{tenant}-encryption-brought"


def api_server_secret(tenant: str) -> str:
    """Secret with apiserver.crt and apiserver.key."""
    return f"{tenant}-api-server-certificate"


def kubelet_client_secret(tenant: str) -> str:
    """Secret with apiserver-kubelet-client.crt and .key."""
    return f"{tenant}-api-server-kubelet-client-certificate"


def front_proxy_client_secret(tenant: str) -> str:
    """Secret with front-proxy-client.crt and .key."""
    return f"{tenant}-front-proxy-client-certificate"


def admin_kubeconfig_secret(tenant: str) -> str:
    """Secret with admin.conf, admin.svc, super-admin.conf and super-admin.svc."""
    return f"{tenant}-admin-kubeconfig"


def controller_manager_kubeconfig_secret(tenant: str) -> str:
    """Secret with controller-manager.conf."""
    return f"{tenant}-controller-manager-kubeconfig"


def scheduler_kubeconfig_secret(tenant: str) -> str:
    """Secret with scheduler.conf."""
    return f"{tenant}-scheduler-kubeconfig"


def datastore_config_secret(tenant: str) -> str:
    """Secret with DB_CONNECTION_STRING, DB_SCHEMA, DB_USER and DB_PASSWORD."""
    return f"{tenant}-datastore-config"


def datastore_certificate_secret(tenant: str) -> str:
    """Secret with the tenant's own datastore client certificate: ca.crt, server.crt, server.key."""
    return f"{tenant}-datastore-certificate"


def konnectivity_certificate_secret(tenant: str) -> str:
    """Secret with tls.crt and tls.key, by which the proxy server speaks to its API server."""
    return f"{tenant}-konnectivity-certificate"


def konnectivity_kubeconfig_secret(tenant: str) -> str:
    """Secret with konnectivity-server.conf."""
    return f"{tenant}-konnectivity-kubeconfig"


def egress_selector_config_map(tenant: str) -> str:
    """ConfigMap with egress-selector-configuration.yaml: which connections of the API server take the tunnel."""
    return f"{tenant}-konnectivity-egress-selector-configuration"


def kubeadm_config_map(tenant: str) -> str:
    """ConfigMap with kubeadm's InitConfiguration and ClusterConfiguration."""
    return f"{tenant}-kubeadmconfig"


def konnectivity_route(tenant: str) -> str:
    """TLSRoute to the tenant's konnectivity server."""
    return f"{tenant}-konnectivity"


def generated_kubeconfig_secret(tenant: str, generator: str) -> str:
    """Secret with the kubeconfig (key `value`) that a KubeconfigGenerator made for a tenant."""
    return f"{tenant}-{generator}"


def service_host(tenant: str, namespace: str) -> str:
    """DNS name of the tenant's Service as the management cluster resolves it."""
    return f"{tenant}.{namespace}.svc"


def tenant_labels(tenant: str, component: str) -> dict[str, str]:
    """Labels of every management-cluster object of one tenant."""
    return {LABEL_PROJECT: PROJECT, LABEL_NAME: tenant, LABEL_COMPONENT: component}
