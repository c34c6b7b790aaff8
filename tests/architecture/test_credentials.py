"""docs/credentials.md is what the graph of credentials draws."""

from __future__ import annotations

from docs import credentials, evidence
from provider.api.credentials import GRAPH


def test_the_page_is_what_the_graph_makes() -> None:
    assert (evidence.ROOT / "docs" / "credentials.md").read_text() == credentials.page(), "run `make generate`"


def test_every_edge_is_drawn_once() -> None:
    drawn = [line for line in credentials.drawing().splitlines() if "marker-end" in line]
    assert len(drawn) == len(set(drawn)) == sum(len(each.parents) for each in GRAPH)
