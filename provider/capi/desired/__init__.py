"""What a KamajiControlPlane asks for: a TenantControlPlane of the hosting room, and the Cluster's Secrets. Pure."""
