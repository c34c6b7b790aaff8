"""Label selectors select as Kubernetes does."""

from __future__ import annotations

from typing import Any

import pytest

from provider.api.meta import LabelSelector
from provider.api.verdict import Invalid

LABELS = {"tier": "gold", "team": "a"}


def expression(operator: str, *values: str, key: str = "tier") -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, True),
        ({"matchLabels": {"tier": "gold"}}, True),
        ({"matchLabels": {"tier": "gold", "team": "b"}}, False),
        (expression("In", "gold", "silver"), True),
        (expression("In", "silver"), False),
        (expression("In", "gold", key="absent"), False),
        (expression("NotIn", "silver"), True),
        (expression("NotIn", "gold"), False),
        (expression("NotIn", "gold", key="absent"), True),
        (expression("Exists"), True),
        (expression("Exists", key="absent"), False),
        (expression("DoesNotExist"), False),
        (expression("DoesNotExist", key="absent"), True),
        ({"matchLabels": {"team": "a"}, **expression("In", "silver")}, False),
    ],
)
def test_a_selector_selects_by_labels(selector: dict[str, Any], selected: bool) -> None:
    assert LabelSelector.parse(selector).matches(LABELS) is selected


@pytest.mark.parametrize(
    "selector",
    [
        expression("In"),
        expression("NotIn"),
        expression("Exists", "gold"),
        expression("DoesNotExist", "x"),
        expression("Is"),
    ],
)
@pytest.mark.parametrize("labels", [LABELS, {}])
def test_an_expression_that_means_nothing_selects_nobody_and_says_so(
    selector: dict[str, Any], labels: dict[str, str]
) -> None:
    with pytest.raises(Invalid, match="write In or NotIn with values"):
        LabelSelector.parse({"matchLabels": {"no": "such"}, **selector}).matches(labels)
