"""What metrics tell of one subject, read from the registry as a scrape reads it."""

from __future__ import annotations

from prometheus_client import REGISTRY

from provider.telemetry.metric import SUBJECTS, Of


def told(key: tuple[str, ...], *of: Of) -> dict[tuple[str, ...], float]:
    """Everything: the metric's name and the labels beside the subject's; `of`: as what it is told of."""
    subjects = [SUBJECTS[each] for each in of]
    whose = {label for labels in subjects for label in labels}
    found = {}
    for family in REGISTRY.collect():
        for each in family.samples:
            if any(tuple(map(each.labels.get, labels)) == key for labels in subjects):
                found[each.name, *(value for label, value in each.labels.items() if label not in whose)] = each.value
    return found
