"""While a tenant may not write because it moves, a policy inside it says so in words; it goes with the freeze."""

from __future__ import annotations

from datetime import timedelta

import pytest

from provider.api import kinds, names
from provider.hosting import migration
from provider.hosting.desired import writepermissions
from provider.hosting.migration import Phase
from provider.hosting.reconcile.moving import stays_behind
from provider.hosting.view import Move
from tests.golden.world import NOW, tenant, view


@pytest.mark.parametrize("step", [None, *Phase])
def test_while_a_tenant_is_frozen_and_not_longer_a_policy_says_why(step: Phase | None) -> None:
    move = Move(phase=step, source="default", target="b", began="", since=NOW + timedelta(0)) if step else None
    said = list(writepermissions.build(view(tenant(), move=move)))
    expected = [kinds.ADMISSION_POLICY.kind, kinds.ADMISSION_POLICY_BINDING.kind] if migration.frozen(move) else []
    assert [each["kind"] for each in said] == expected
    assert {each["metadata"]["name"] for each in said} <= {names.HELD_POLICY}


def test_the_policy_holds_nobody_on_whom_the_cluster_lives_and_tells_people_to_try_again() -> None:
    policy, binding = writepermissions.held()
    (validation,) = policy["spec"]["validations"]
    assert "try again" in validation["message"]
    users = " ".join(each["expression"] for each in policy["spec"]["matchConditions"])
    assert "system:kube-controller-manager" in users
    assert "kubernetes-super-admin" in users
    operations = [each["operations"] for each in policy["spec"]["matchConstraints"]["resourceRules"]]
    assert operations[:3] == [["CREATE"], ["UPDATE"], ["DELETE"]]
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]


def test_what_says_so_in_the_store_that_is_left_is_not_copied_to_the_other() -> None:
    (key,) = stays_behind("s")
    assert key == f"/s/validatingadmissionpolicybindings/{names.HELD_POLICY}".encode()
