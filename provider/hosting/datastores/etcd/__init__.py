"""The etcd driver: `store` is what passes use, `ranges` says a keyspace's keys, `versions` which releases are safe."""
