"""Room 2: the Cluster API control-plane provider. A KamajiControlPlane becomes a TenantControlPlane, Secrets and status.

It meets the hosting room only through TenantControlPlane objects, so it also works beside an upstream Kamaji operator.
"""
