"""capi-kamaji: hosted Kubernetes control planes and the Cluster API provider for them."""
