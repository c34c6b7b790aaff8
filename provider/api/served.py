"""The kinds that the hosting room serves. The command line joins them with the capi room's to write the CRDs."""

from __future__ import annotations

from provider.api.autoscaler import TenantAutoscaler
from provider.api.backup import TenantBackup, TenantBackupSchedule, TenantRestore
from provider.api.datastore import DataStore
from provider.api.datastorepool import DataStorePool
from provider.api.kubeconfiggenerator import KubeconfigGenerator
from provider.api.meta import Resource
from provider.api.tenantcontrolplane import TenantControlPlane

KINDS: tuple[type[Resource], ...] = (
    TenantControlPlane,
    DataStore,
    KubeconfigGenerator,
    DataStorePool,
    TenantBackup,
    TenantBackupSchedule,
    TenantRestore,
    TenantAutoscaler,
)
