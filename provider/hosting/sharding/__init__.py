"""Which store of which pool a tenant is put in, and when a pool needs another store. Pure; called by `reconcile.placing`,
`reconcile.pool` and `status.pool`.
"""
