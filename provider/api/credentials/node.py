"""What a node of the graph of credentials says of one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Sort = Literal["authority", "key", "cipher", "certificate", "kubeconfig", "login", "trust", "copy"]
"""What signs certificates, what signs tokens, what encrypts, a leaf, a file with one in it, a password, whom to trust, the same
elsewhere."""

Home = Literal["pool", "store", "tenant", "inside", "generator", "cluster"]
"""By whose name it is called: a pool's store, a DataStore (of which it is a field), a tenant (also of what is inside it, and of
what a KubeconfigGenerator makes for it), Cluster API's Cluster."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Node:
    """One credential. `parents`: it is made anew when any of them is."""

    title: str  # as messages and the page call it
    sort: Sort
    home: Home
    secret: Callable[[str], str]  # its name, by that of its home
    parents: tuple[Node, ...] = ()
    component: str = ""  # label of a tenant's Secret
    status: tuple[str, ...] = ()  # block of the TenantControlPlane's status that tells of it
    rolls: str = ""  # label or annotation of the pods with its checksum: they are made anew when it is
    halves: tuple[str, str] | None = None  # keys of certificate and private key
    files: tuple[str, ...] = ()  # keys of kubeconfigs
    readers: str = ""  # who uses it, and how they get to know of another

    def __repr__(self) -> str:
        """Short: its parents tell the rest."""
        return f"<{self.home}: {self.title}>"

    @property
    def lifecycle(self) -> str:
        """How upstream labels what is renewed in time; empty for what is not."""
        return {"certificate": "x509", "kubeconfig": "kubeconfig"}.get(self.sort, "")

    def ancestors(self) -> Iterator[Node]:
        """Everything it is made from; some twice."""
        for each in self.parents:
            yield each
            yield from each.ancestors()
