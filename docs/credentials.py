"""docs/credentials.md: the graph of credentials, drawn from `provider.api.credentials`, which the builders themselves read."""

from __future__ import annotations

from collections.abc import Iterator

from docs.drawing import Arrow, Box, picture
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
KINDS: dict[Home, str] = {
    "pool": "store",
    "store": "store",
    "tenant": "tenant",
    "inside": "tenant",
    "generator": "other",
    "cluster": "ours",
}
DRAWN = """![Which credential is made from which](pictures/credentials.svg)

Yellow are those of stores, green the tenant's, blue those that are handed to Cluster API, grey what others are given.
"""
PLACEHOLDER: dict[Home, str] = {"pool": "STORE", "cluster": "CLUSTER"}


def page() -> str:
    """The whole file."""
    return "\n".join([HEAD, DRAWN, *_listed()]) + "\n"


def drawing() -> str:
    """docs/pictures/credentials.svg: a column for each step from what is made of nothing."""
    places = _places()
    most = max(row for _, row in places.values()) + 1
    boxes = [
        Box(_id(each), (20 + 400 * column, 20 + 40 * row, 330, 32), (each.title,), KINDS[each.home])
        for each, (column, row) in places.items()
    ]
    arrows = [Arrow(_id(parent), _id(each)) for each in GRAPH for parent in each.parents]
    return picture(1170, 20 + 40 * most, "Which credential is made from which", boxes, arrows)


def _places() -> dict[Node, tuple[int, int]]:
    """Column and row of each: a node stands at the height of what it is made from, or below."""
    found: dict[Node, tuple[int, int]] = {}
    filled: dict[int, int] = {}
    for each in sorted(GRAPH, key=lambda one: (_steps(one), not _has_children(one))):
        column = _steps(each)
        wanted = max((found[parent][1] for parent in each.parents), default=0)
        row = max(filled.get(column, 0), wanted if column > 1 else 0)
        found[each], filled[column] = (column, row), row + 1
    return found


def _steps(node: Node) -> int:
    return max((_steps(parent) + 1 for parent in node.parents), default=0)


def _has_children(node: Node) -> bool:
    return any(node in each.parents for each in GRAPH)


def _listed() -> Iterator[str]:
    yield "| of | Secret | what it is | made from | who reads it |"
    yield "|---|---|---|---|---|"
    for each in GRAPH:
        name = each.secret(PLACEHOLDER.get(each.home, "TENANT"))
        parents = "; ".join(one.title for one in each.parents) or "nothing"
        yield f"| {HOMES[each.home]} | `{name}` | {each.title} | {parents} | {each.readers} |"


def _id(node: Node) -> str:
    return f"n{GRAPH.index(node)}"
