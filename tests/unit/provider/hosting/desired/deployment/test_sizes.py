"""Requests that an autoscaler decided: in the template of new pods, and no cause to make pods anew that can be resized."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from provider.api import kinds
from provider.api.autoscaler import TenantAutoscaler
from provider.hosting.desired import deployment
from provider.hosting.view import View
from provider.manifest import Manifest
from tests.golden.world import Walked, tenant, view, walk

SPEC = {"apiServer": {"cpu": {"max": "4"}, "memory": {"max": "4Gi"}}}
OF_CPU = {"apiServer": {"cpu": {"max": "4"}}}
CPU = "kube-apiserver"


def autoscaler(spec: Manifest | None = None, **last: str) -> TenantAutoscaler:
    said = {"metadata": {"name": "demo"}, "spec": spec or SPEC, "status": {"requests": {"apiServer": last}}}
    return TenantAutoscaler.parse(said)


def walked(found: TenantAutoscaler | None, **fields: Any) -> Walked:
    return walk(replace(view(tenant(controlPlane={"deployment": fields})), autoscaler=found))


def standing(before: Walked) -> View:
    """The tenant whose Deployment stands as it was made."""
    return before.view.folded(before.one(kinds.DEPLOYMENT, "demo"))


def made(seen: View) -> Manifest:
    (found,) = deployment.build(seen)
    return dict(found["spec"]["template"])


def resources(template: Manifest, name: str = CPU) -> Manifest:
    return dict(next(each for each in template["spec"]["containers"] if each["name"] == name)["resources"])


def test_pods_are_made_with_what_was_decided() -> None:
    found = walked(autoscaler(cpu="700m", memory="320Mi"))
    assert found.container(CPU)["resources"] == {"requests": {"cpu": "700m", "memory": "320Mi"}}
    assert found.container("kube-scheduler") == walked(None).container("kube-scheduler")


def test_what_is_decided_makes_no_pod_anew_that_can_be_resized() -> None:
    stands = standing(walked(autoscaler(cpu="100m")))
    grown = replace(stands, autoscaler=autoscaler(cpu="700m"))
    assert made(replace(grown, resizable=True)) == made(stands)
    assert resources(made(grown))["requests"]["cpu"] == "700m", "where pods cannot be resized they are made anew"


def test_pods_that_are_made_anew_for_another_reason_start_with_what_was_decided() -> None:
    stands = standing(walked(autoscaler(cpu="100m")))
    other = tenant(controlPlane={"deployment": {"nodeSelector": {"disk": "fast"}}})
    grown = replace(stands, autoscaler=autoscaler(cpu="700m"), resizable=True, tcp=view(other).tcp)
    assert resources(made(grown))["requests"]["cpu"] == "700m"


def test_what_has_no_bounds_is_still_the_users_word() -> None:
    own = {"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}}
    stands = standing(walked(autoscaler(), resources={"scheduler": own}))
    wanted = {"requests": {"cpu": "200m"}, "limits": {"cpu": "500m"}}
    other = tenant(controlPlane={"deployment": {"resources": {"scheduler": wanted}}})
    changed = replace(stands, tcp=view(other).tcp, resizable=True)
    assert resources(made(changed), "kube-scheduler") == wanted


def test_a_quantity_that_the_api_server_writes_otherwise_is_no_other() -> None:
    own = {"requests": {"cpu": "0.1", "memory": "1024Mi"}}
    stands = standing(walked(autoscaler(cpu="100m"), resources={"scheduler": own}))
    live = stands.deployment
    assert live is not None
    for each in live["spec"]["template"]["spec"]["containers"]:
        if each["name"] == "kube-scheduler":
            each["resources"] = {"requests": {"cpu": "100m", "memory": "1Gi"}}
    grown = replace(stands, autoscaler=autoscaler(cpu="700m"), resizable=True)
    assert resources(made(grown))["requests"]["cpu"] == "100m"


def test_a_limit_of_memory_moves_by_a_rollout_so_that_gos_runtime_learns_it() -> None:
    own = {"requests": {"cpu": "35m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}
    stands = standing(walked(autoscaler(), resources={"apiServer": own}))
    grown = replace(stands, autoscaler=autoscaler(memory="1Gi"), resizable=True)
    assert resources(made(grown)) == {"requests": {"cpu": "35m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}


def gogc(found: Walked, name: str = CPU) -> str:
    return next(str(each["value"]) for each in found.container(name)["env"] if each["name"] == "GOGC")


def test_what_may_grow_in_memory_saves_none_at_the_cost_of_cpu() -> None:
    assert gogc(walked(autoscaler())) == "100"
    assert gogc(walked(autoscaler(OF_CPU))) == gogc(walked(None)) == "25"
    assert gogc(walked(autoscaler()), "kube-scheduler") == "25"
