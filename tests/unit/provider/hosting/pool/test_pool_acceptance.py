"""What a pool is refused for, and that the refusal names the way out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provider.api import kinds
from provider.hosting.desired.pool import acceptance, store
from provider.hosting.storeview import Member, PoolView
from provider.manifest import meta
from tests.unit.provider.hosting.pool.pool_views import applied, pool_view


def reason(view: PoolView) -> str | None:
    refused = acceptance.refusal(view)
    return refused.reason if refused else None


def named(name: str) -> PoolView:
    view = pool_view()
    metadata = view.pool.metadata.model_copy(update={"name": name})
    return replace(view, pool=view.pool.model_copy(update={"metadata": metadata}))


def test_a_pool_of_the_defaults_is_taken() -> None:
    assert reason(pool_view()) is None


@pytest.mark.parametrize("name", ["9lives", "a.b", "a" * 41, "a-"])
def test_a_name_that_cannot_be_a_services_is_refused(name: str) -> None:
    assert reason(named(name)) == "NameUnusable"


@pytest.mark.parametrize("name", ["a", "shared-2", "a" * 40])
def test_a_name_that_can_is_taken(name: str) -> None:
    assert reason(named(name)) is None


def test_a_datastore_of_somebody_else_is_left_alone() -> None:
    view = pool_view()
    assert reason(view.folded(meta.new(kinds.DATA_STORE, "default", spec={}))) == "NameTaken"
    assert reason(view.folded(*store.build(view))) is None


@pytest.mark.parametrize(
    ("running", "wanted", "verdict"),
    [
        ("3.6.16", "3.6.14", None),
        ("3.6.16", "3.7.1", None),
        ("3.7.1", "v3.7.2", None),
        ("v3.7.1", "3.6.16", "VersionDowngrade"),
        ("3.6.16", "3.8.0", "VersionJump"),
    ],
)
def test_a_minor_of_etcd_does_not_go_back(running: str, wanted: str, verdict: str | None) -> None:
    view = applied(pool_view({"version": running}))
    assert reason(replace(view, pool=pool_view({"version": wanted}).pool)) == verdict


def test_the_next_minor_waits_until_every_member_runs_the_one_before() -> None:
    view = applied(pool_view({"members": 3, "version": "3.7.1"}))
    asked = replace(view, pool=pool_view({"members": 3, "version": "3.8.0"}).pool)
    half = [
        Member(id=each, name=f"default-etcd-{each}", started=True, answers=True, version="3.7.1") for each in (0, 1)
    ]
    left = Member(id=2, name="default-etcd-2", started=True, answers=True, version="3.6.16")
    refused = acceptance.refusal(replace(asked, membership=(*half, left)))
    assert refused is not None
    assert (refused.reason, "set spec.version to a 3.7 first" in refused.message) == ("VersionJump", True)
    assert reason(replace(asked, membership=tuple(half))) is None


def test_a_minor_that_no_member_has_got_to_can_be_taken_back() -> None:
    view = applied(pool_view({"version": "3.7.1"}))
    asked = replace(view, pool=pool_view({"version": "3.6.16"}).pool)
    runs = Member(id=1, name="default-etcd-0", started=True, answers=True, version="3.6.16")
    assert reason(asked) == "VersionDowngrade"
    assert reason(replace(asked, membership=(runs,))) is None


@pytest.mark.parametrize("field", ["storeSelector", "tenantSelector"])
def test_a_selector_that_means_nothing_is_refused(field: str) -> None:
    broken = {"matchExpressions": [{"key": "tier", "operator": "Like"}]}
    refused = acceptance.refusal(pool_view({field: broken}))
    assert refused is not None
    assert (refused.reason, refused.message.startswith(f"spec.{field}: ")) == ("SelectorInvalid", True)
