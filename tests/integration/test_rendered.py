"""What we render of any spec that the API server lets in, the API server takes: asked of the real one, by dry runs.

Blocks whose content is Kubernetes' own and the user's (containers, volumes, affinity, labels and so on) are left out: what is
wrong in them is refused by the API server itself, and told by a condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from provider.api import kinds
from provider.api.model import Model
from provider.api.schema import Foreign
from provider.api.tenantcontrolplane import TenantSpec
from provider.api.verdict import Invalid
from provider.cluster.client import Cluster
from provider.cluster.errors import Refused
from provider.manifest import Manifest, meta
from tests.golden.world import tenant
from tests.unit.provider.hosting.specs import specs
from tests.unit.provider.hosting.test_rendering import walked

TENANTS = "tenants"  # the namespace of the tenants that are drawn
NOT_ASKED = ("TLSRoute",)  # Gateway API is not installed here; test_exposure.py asks it


def drawn(count: int) -> list[dict[str, Any]]:
    """The same random specs in every run, without what the models do not know."""
    found: list[dict[str, Any]] = []

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(specs())
    def draw(spec: dict[str, Any]) -> None:
        found.append(known(TenantSpec, spec))

    draw()
    return found


def known(model: type[Model], spec: Any) -> Any:
    """The spec without blocks whose content is the user's and Kubernetes judges."""
    if not isinstance(spec, dict):
        return spec
    found = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        if (
            key in spec
            and not any(isinstance(each, Foreign) for each in field.metadata)
            and not foreign(field.annotation)
        ):
            inner = next(models(field.annotation), None)
            found[key] = known(inner, spec[key]) if inner else spec[key]
    return found


def foreign(annotation: Any) -> bool:
    """Whether it is said to be Kubernetes' own anywhere inside, as in a list of such blocks; labels are, too."""
    said = getattr(annotation, "__metadata__", ())
    return (
        getattr(annotation, "__origin__", None) is dict
        or any(isinstance(each, Foreign) for each in said)
        or any(foreign(each) for each in get_args(annotation)[: 1 if said else None])
    )


def models(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for each in get_args(annotation):
        yield from models(each)


@pytest.fixture
async def asked(management: Cluster) -> Cluster:
    await management.apply(meta.new(kinds.NAMESPACE, TENANTS), manager="tests")
    return management


async def taken(asked: Cluster, said: Manifest) -> bool:
    if said["kind"] == "Service" and said["metadata"].get("namespace") == "kube-system":
        # The addresses of a Service inside a tenant are those of the tenant's own range.
        said = {**said, "spec": {key: value for key, value in said["spec"].items() if not key.startswith("clusterIP")}}
    await asked.apply(said, manager="tests", dry_run=True)
    return True


async def let_in(asked: Cluster, raw: Manifest) -> bool:
    try:
        await asked.apply({**raw, "metadata": {"name": "demo", "namespace": TENANTS}}, manager="tests", dry_run=True)
        walked(raw)
    except (Refused, Invalid):
        return False
    return True


async def test_what_is_rendered_of_a_spec_that_is_let_in_is_taken(asked: Cluster) -> None:
    raws = [{**tenant(), "spec": spec} for spec in drawn(300)]
    found = [walked(raw).said for raw in raws if await let_in(asked, raw)]
    objects = [each for said in found for part in said.values() for each in part if each["kind"] not in NOT_ASKED]
    assert len(found) >= 30 and sum("deployment" in said for said in found) >= 10 and len(objects) >= 500
    for each in objects:
        assert await taken(asked, each)


@pytest.mark.parametrize(
    "text", ["😀", "a😀\x93", "\x85", "\u2028", "\x7f", "\x15", "\ufeff", "\\ud83d", "ü"], ids=ascii
)
async def test_a_text_comes_out_as_it_went_in(cluster: Cluster, namespace: str, text: str) -> None:
    said = meta.new(kinds.CONFIG_MAP, "text", namespace, annotations={"example.com/text": text})
    now = await cluster.apply(said, manager="tests")
    assert now["metadata"]["annotations"]["example.com/text"] == text
