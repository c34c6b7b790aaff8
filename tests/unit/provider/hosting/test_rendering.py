"""Whatever a user may write ends in manifests or in a word for him, never in a traceback; and the same again, to the byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from provider.api import kinds
from provider.api.verdict import Invalid
from provider.hosting.parts import PARTS
from provider.hosting.status import tenant as status
from provider.hosting.view import Keyspace
from provider.manifest import Manifest, meta
from tests.golden.world import CountedMint, Walked, tenant, view, walk
from tests.unit.provider.hosting.specs import ODDITIES, laid, specs

annotations = st.fixed_dictionaries(
    {},
    optional={
        "x.kamaji.clastix.io/gogc": st.sampled_from(["off", "100", "1", "0"]),
        "x.kamaji.clastix.io/kube-proxy-mode": st.sampled_from(["iptables", "nftables", "ipvs"]),
        "x.kamaji.clastix.io/rotate-ca": st.sampled_from(["", "one", "\n"]),
        "x.kamaji.clastix.io/complete-rotation": st.sampled_from(["", ",", "one"]),
    },
)


def walked(raw: Manifest, *seen: Manifest, mint: int = 1000, before: Walked | None = None) -> Walked:
    """A walk in a cluster whose load balancers have addresses. Invalid for what the models do not take."""
    spec, name = raw["spec"], raw["metadata"]["name"]
    keyspace = Keyspace(schema=spec.get("dataStoreSchema") or "s", user=spec.get("dataStoreUsername") or "u")
    start = view(raw, *seen, keyspace=keyspace, mint=CountedMint(mint))
    balancer = meta.new(kinds.SERVICE, name, "tenants", status={"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}})
    return walk(start, [balancer], inside=before.view.tenant if before else None)


def bytes_of(found: Walked) -> str:
    reported = status.of(found.view, PARTS, found.declined, {})
    declined = {name: str(verdict) for name, verdict in found.declined.items()}
    return json.dumps([found.said, declined, reported], sort_keys=True)


def held(raw: Manifest) -> None:
    """What is promised of every tenant."""
    try:
        first = walked(raw)
    except Invalid as invalid:
        assert invalid.reason == "Malformed"
        return
    assert bytes_of(walked(raw)) == bytes_of(first), "rendering twice is the same"
    for verdict in first.declined.values():
        assert verdict.reason
    again = walked(raw, *first.view.seen.objects.values(), mint=5000, before=first)
    assert again.said == first.said, "a walk over what stands changes nothing"
    for each in (each for said in first.said.values() for each in said):
        assert json.loads(json.dumps(each)) == each, "what is said can be sent"


@pytest.mark.parametrize(("path", "value"), ODDITIES, ids=lambda each: repr(each)[:60])
def test_a_value_that_has_hurt_others_is_rendered_or_told_why_not(path: str, value: Any) -> None:
    raw = tenant(addons={"coreDNS": {}, "kubeProxy": {}})
    held({**raw, "spec": laid(raw["spec"], path, value)})


@settings(max_examples=60)
@given(specs(), annotations)
def test_a_random_tenant_is_rendered_or_told_why_not(spec: dict[str, Any], notes: dict[str, str]) -> None:
    held({**tenant(annotations=notes), "spec": spec})


def test_random_tenants_are_not_all_refused_at_the_door() -> None:
    """If they were, the test above would prove nothing."""
    reached = []

    @settings(max_examples=40, derandomize=True, database=None, phases=[Phase.generate])
    @given(specs())
    def draw(spec: dict[str, Any]) -> None:
        try:
            reached.append("coredns" in walked(tenant() | {"spec": spec}).said)
        except Invalid:
            reached.append(False)

    draw()
    assert sum(reached) >= 10
