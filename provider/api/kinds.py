"""The kinds we read and write, so that no discovery round trip is needed. `cluster.client` turns them into URLs.

Kinds that only a user's cluster knows (infrastructure providers') are looked up by `cluster.client.Cluster.discover`.
"""

from __future__ import annotations

from dataclasses import dataclass

from provider.api import names


@dataclass(frozen=True, slots=True)
class Kind:
    """One served resource: `api_version` is `group/version` or `v1`; `plural` is its URL segment."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]


SECRET = Kind("v1", "Secret", "secrets")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SERVICE = Kind("v1", "Service", "services")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
EVENT = Kind("events.k8s.io/v1", "Event", "events")
POD = Kind("v1", "Pod", "pods")
# What containers take, where a metrics server is installed.
POD_METRICS = Kind("metrics.k8s.io/v1beta1", "PodMetrics", "pods")
NODE = Kind("v1", "Node", "nodes", namespaced=False)
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
PERSISTENT_VOLUME = Kind("v1", "PersistentVolume", "persistentvolumes", namespaced=False)
PERSISTENT_VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets")
SIGNING_REQUEST = Kind(
    "certificates.k8s.io/v1", "CertificateSigningRequest", "certificatesigningrequests", namespaced=False
)
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
STORAGE_CLASS = Kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False)
JOB = Kind("batch/v1", "Job", "jobs")
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
POD_DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
# Gateway API is installed by whoever wants it: a management cluster may not serve these.
TLS_ROUTE = Kind("gateway.networking.k8s.io/v1", "TLSRoute", "tlsroutes")
GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = Kind(
    "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
TOKEN_REVIEW = Kind("authentication.k8s.io/v1", "TokenReview", "tokenreviews", namespaced=False)
SUBJECT_ACCESS_REVIEW = Kind("authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False)
ADMISSION = "admissionregistration.k8s.io/v1"
ADMISSION_POLICY = Kind(ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False)
ADMISSION_POLICY_BINDING = Kind(
    ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
)
ADMISSION_WEBHOOK = Kind(
    ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", namespaced=False
)

TENANT_CONTROL_PLANE = Kind(names.KAMAJI_API, "TenantControlPlane", "tenantcontrolplanes")
DATA_STORE = Kind(names.KAMAJI_API, "DataStore", "datastores", namespaced=False)
KUBECONFIG_GENERATOR = Kind(names.KAMAJI_API, "KubeconfigGenerator", "kubeconfiggenerators", namespaced=False)
DATA_STORE_POOL = Kind(names.EXTENSION_API, "DataStorePool", "datastorepools", namespaced=False)
TENANT_BACKUP = Kind(names.EXTENSION_API, "TenantBackup", "tenantbackups")
TENANT_BACKUP_SCHEDULE = Kind(names.EXTENSION_API, "TenantBackupSchedule", "tenantbackupschedules")
TENANT_AUTOSCALER = Kind(names.EXTENSION_API, "TenantAutoscaler", "tenantautoscalers")
TENANT_RESTORE = Kind(names.EXTENSION_API, "TenantRestore", "tenantrestores")
KAMAJI_CONTROL_PLANE = Kind(names.CONTROL_PLANE_API, "KamajiControlPlane", "kamajicontrolplanes")
KAMAJI_CONTROL_PLANE_TEMPLATE = Kind(
    names.CONTROL_PLANE_API, "KamajiControlPlaneTemplate", "kamajicontrolplanetemplates"
)
CLUSTER = Kind(f"{names.CAPI_GROUP}/v1beta2", "Cluster", "clusters")

KNOWN = {(each.api_version, each.kind): each for each in list(globals().values()) if isinstance(each, Kind)}


def of(manifest: dict[str, object]) -> Kind:
    """The kind of a manifest. KeyError when it is none of ours, which is a bug."""
    return KNOWN[(str(manifest["apiVersion"]), str(manifest["kind"]))]
