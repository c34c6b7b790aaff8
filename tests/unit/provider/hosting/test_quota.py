"""Limits of storage: read from annotations, judged by what was measured, enforced by the policy inside the tenant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from provider.api import names
from provider.api.verdict import Invalid
from provider.hosting import quota
from provider.hosting.desired import writepermissions
from provider.hosting.status import quota as condition
from provider.hosting.view import View
from provider.manifest import Manifest
from tests.unit.provider.hosting.test_tenant_status import view

MI = 2**20


def tenant(used: int | None, **limits: str) -> Manifest:
    annotations = {f"x.kamaji.clastix.io/storage-{each}-limit": size for each, size in limits.items()}
    usage: dict[str, Any] = {} if used is None else {"usage": {"bytes": used}}
    return {"metadata": {"name": "t", "annotations": annotations}, "status": {"storage": usage}}


def seen(used: int | None, **limits: str) -> View:
    found = view()
    raw = tenant(used, **limits)
    return replace(
        found,
        raw={**found.raw, "metadata": {**found.raw["metadata"], **raw["metadata"]}, "status": raw["status"]},
    )


@pytest.mark.parametrize(
    ("used", "limits", "state"),
    [
        (5 * MI, {}, "unlimited"),
        (None, {"hard": "2Mi"}, "unknown"),
        (MI, {"soft": "2Mi", "hard": "3Mi"}, "within"),
        (2 * MI, {"soft": "2Mi", "hard": "3Mi"}, "soft"),
        (2 * MI, {"hard": "3Mi"}, "within"),
        (3 * MI, {"soft": "2Mi", "hard": "3Mi"}, "hard"),
        (3 * MI, {"hard": "3Mi"}, "hard"),
    ],
)
def test_a_limit_is_reached_by_what_was_measured(used: int | None, limits: dict[str, str], state: str) -> None:
    assert quota.of(tenant(used, **limits)).state == state


@pytest.mark.parametrize("limits", [{"hard": "x"}, {"soft": "-1"}, {"hard": "0"}, {"soft": "3Mi", "hard": "2Mi"}])
def test_what_is_no_limit_is_refused_by_name_and_limits_nothing(limits: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="storage-"):
        quota.of(tenant(9 * MI, **limits))
    assert condition.conditions(seen(9 * MI, **limits)) == []
    assert list(writepermissions.build(seen(9 * MI, **limits))) == []


def test_the_condition_names_the_limit_and_what_to_do() -> None:
    (found,) = condition.conditions(seen(2 * MI + 1, soft="2Mi", hard="4Mi"))
    assert (found.status, found.reason) == ("False", "SoftLimitReached")
    assert "takes up 3Mi" in found.message
    assert "at 4Mi nothing more is taken" in found.message
    (found,) = condition.conditions(seen(4 * MI, soft="2Mi", hard="4Mi"))
    assert (found.status, found.reason) == ("False", "HardLimitReached")
    assert names.ANNOTATION_STORAGE_HARD_LIMIT in found.message


def test_only_the_hard_limit_makes_a_policy_and_it_lets_deletions_through() -> None:
    assert list(writepermissions.build(seen(3 * MI, soft="2Mi", hard="4Mi"))) == []
    policy, binding = writepermissions.build(seen(4 * MI, hard="4Mi"))
    rules = policy["spec"]["matchConstraints"]["resourceRules"]
    assert {operation for each in rules for operation in each["operations"]} == {"CREATE", "UPDATE"}
    (validation,) = policy["spec"]["validations"]
    assert "4Mi" in validation["message"]
    assert binding["spec"]["validationActions"] == ["Deny"]
