"""Copies one tenant's range from one etcd to another while it is written, and says when both are level and the same.

`plan` is what is decided without a wire: what goes into one transaction, what a copy remembers, what a digest is made of.
`reading` reads a range at one revision, `following` its changes, `writing` writes the target, fenced; `revisions` keeps its
revision above the source's (decision 0026). `engine.Copy` is the whole; it is called by `reconcile.moving`, which decides when.
`pouring` fills a range with keys that are in no store any more, for `reconcile.archiving`. Nothing here looks at a
TenantControlPlane.
"""
