"""docs/credentials.md: the graph of credentials, drawn from `provider.api.credentials`, which the builders themselves read."""

from __future__ import annotations

from collections.abc import Iterator

from provider.api.credentials import GRAPH
from provider.api.credentials.node import Home, Node

HEAD = """# Credentials

Drawn from `provider/api/credentials` by `make generate`; edit that. Every certificate, key, kubeconfig and password that a
tenant's control plane has or hands out, and what each is made from. The builders read the same graph, and a test loses one
after the other and finds that exactly what is below it is made anew.

Nothing notes beside a credential what it was made from, for a note can be wrong: at each pass it is asked itself. A
certificate is asked whether this very authority signed it, whether its key is there, and whether its names and uses are
those that are wanted, as sets; a kubeconfig what it says, not how it is written. Whatever answers no is made anew, and so is
a leaf after two thirds of its life. Nothing that signs is replaced by time: that is asked for, and takes
[phases](rotation.md).

There is no webhook of ours, and so no certificate for one: what a tenant may write is ruled by admission policies.
"""
HOMES: dict[Home, str] = {
    "pool": "DataStorePool",
    "store": "DataStore",
    "tenant": "TenantControlPlane",
    "inside": "inside the tenant",
    "generator": "KubeconfigGenerator",
    "cluster": "Cluster API",
}
PLACEHOLDER: dict[Home, str] = {"pool": "STORE", "cluster": "CLUSTER"}


def page() -> str:
    """The whole file."""
    return "\n".join([HEAD, *_drawn(), "", *_listed()]) + "\n"


def _drawn() -> Iterator[str]:
    yield "```mermaid"
    yield "flowchart LR"
    for home, title in HOMES.items():
        yield f'  subgraph {home}["{title}"]'
        for each in (one for one in GRAPH if one.home == home):
            yield f'    {_id(each)}["{each.title}"]'
        yield "  end"
    for each in GRAPH:
        for parent in each.parents:
            yield f"  {_id(parent)} --> {_id(each)}"
    yield "```"


def _listed() -> Iterator[str]:
    yield "| of | Secret | what it is | made from | who reads it |"
    yield "|---|---|---|---|---|"
    for each in GRAPH:
        name = each.secret(PLACEHOLDER.get(each.home, "TENANT"))
        parents = "; ".join(one.title for one in each.parents) or "nothing"
        yield f"| {HOMES[each.home]} | `{name}` | {each.title} | {parents} | {each.readers} |"


def _id(node: Node) -> str:
    return f"n{GRAPH.index(node)}"
