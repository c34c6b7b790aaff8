"""Room 1: hosted control planes. TenantControlPlane, DataStore and DataStorePool become pods, users, ranges and status."""
