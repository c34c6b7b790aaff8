"""Each word of a generator's two selectors decides by itself whom it selects."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api.kubeconfiggenerator import KubeconfigGenerator
from provider.hosting.generatorview import selects
from tests.unit.provider.hosting.generator.generators import generator

SELECTORS = ("tenantControlPlaneSelector", "namespaceSelector")
GOLD, OTHER = {"tier": "gold"}, {"tier": "other"}
EXPRESSION = {"key": "tier", "operator": "In", "values": ["gold"]}
ELSE = {
    "matchLabels": {"matchLabels": {"tier": "silver"}, "matchExpressions": [EXPRESSION]},
    "matchExpressions[].key": {"matchExpressions": [{**EXPRESSION, "key": "team"}]},
    "matchExpressions[].operator": {"matchExpressions": [{**EXPRESSION, "operator": "NotIn"}]},
    "matchExpressions[].values": {"matchExpressions": [{**EXPRESSION, "values": ["silver"]}]},
}
"""A selector of gold, in which one word is another."""


def selected(which: str, selector: dict[str, Any]) -> bool:
    parsed = KubeconfigGenerator.parse(generator(**{which: selector}))
    return selects(parsed, *((GOLD, OTHER) if which == SELECTORS[0] else (OTHER, GOLD)))


@pytest.mark.fields("KubeconfigGenerator", *(f"spec.{which}.{word}" for which in SELECTORS for word in ELSE))
@pytest.mark.parametrize("which", SELECTORS)
@pytest.mark.parametrize("word", ELSE)
def test_a_word_of_a_selector_decides(which: str, word: str) -> None:
    assert selected(which, {"matchExpressions": [EXPRESSION]})
    assert not selected(which, ELSE[word])
