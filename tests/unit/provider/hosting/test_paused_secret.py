"""The pause annotation on a Secret stops renewal by time, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from provider.api import kinds, names
from provider.manifest import Manifest, meta
from tests.golden.world import NOW, Walked, tenant, view, walk

SECRET = names.scheduler_kubeconfig_secret("demo")
LATE = NOW + timedelta(days=300)  # more than two thirds of a year
PAUSED = {names.ANNOTATION_PAUSED: ""}


def again(before: Walked, annotations: dict[str, str], **changes: object) -> Walked:
    """A later walk over what the first one said, with annotations on the scheduler's Secret."""
    secret = before.one(kinds.SECRET, SECRET)
    said = {**meta.annotations_of(secret), **annotations}
    marked = {**secret, "metadata": {**secret["metadata"], "annotations": said}}
    return walk(view(tenant(**changes), *before.view.seen.objects.values(), marked, now=LATE))


def data(walked: Walked) -> Manifest:
    return walked.one(kinds.SECRET, SECRET)["data"]


def test_without_it_a_certificate_is_renewed_in_time() -> None:
    first = walk(view(tenant()))
    assert data(again(first, {})) != data(first)


def test_with_it_the_certificate_stays() -> None:
    first = walk(view(tenant()))
    assert data(again(first, PAUSED)) == data(first)


@pytest.mark.parametrize("annotations", [{**PAUSED, names.ANNOTATION_ROTATE: ""}])
def test_who_asks_for_another_gets_it_all_the_same(annotations: dict[str, str]) -> None:
    first = walk(view(tenant()))
    assert data(again(first, annotations)) != data(first)
