"""The status of a generator counts whom it means and says who has no kubeconfig, why, and what to do."""

from __future__ import annotations

from datetime import timedelta

from provider.api.verdict import Invalid
from provider.hosting.status import kubeconfiggenerator as status
from tests.unit.provider.hosting.generator.generators import NOW, generator


def test_when_everybody_has_one_it_is_ready() -> None:
    found = status.of(generator(), 3, {}, NOW)
    assert (found["resources"], found["availableResources"], "errors" in found) == (3, 3, False)
    assert found["observedGeneration"] == 2
    assert [(each["type"], each["status"]) for each in found["conditions"]] == [("Ready", "True")]


def test_who_has_none_is_listed_in_order_and_the_first_is_in_the_condition() -> None:
    found = status.of(generator(), 3, {"b/two": "wait", "a/one": "write another"}, NOW)
    assert (found["resources"], found["availableResources"]) == (3, 1)
    assert found["errors"] == [
        {"resource": "a/one", "message": "write another"},
        {"resource": "b/two", "message": "wait"},
    ]
    (ready,) = found["conditions"]
    assert (ready["status"], ready["reason"]) == ("False", "KubeconfigsMissing")
    assert ready["message"] == (
        "2 of 3 tenants have no kubeconfig, see status.errors; the first is a/one: write another"
    )


def test_errors_that_are_over_are_gone() -> None:
    raw = generator()
    raw["status"] = status.of(raw, 1, {"a/one": "wait"}, NOW)
    assert "errors" not in status.of(raw, 1, {}, NOW)


def test_a_list_without_end_is_cut_and_the_count_is_true() -> None:
    found = status.of(generator(), 2000, {f"a/{index:04}": "wait" for index in range(1000)}, NOW)
    assert (len(found["errors"]), found["availableResources"]) == (500, 1000)


def test_a_status_that_stands_is_said_again_to_the_letter() -> None:
    raw = generator()
    raw["status"] = status.of(raw, 2, {"a/one": "wait"}, NOW)
    assert status.of(raw, 2, {"a/one": "wait"}, NOW + timedelta(hours=1)) == raw["status"]


def test_a_generator_that_cannot_be_acted_on_counts_nobody_and_says_why() -> None:
    found = status.refused(generator(), Invalid("SelectorInvalid", "write In"), NOW)
    assert (found["resources"], found["availableResources"]) == (0, 0)
    assert [(each["status"], each["reason"], each["message"]) for each in found["conditions"]] == [
        ("False", "SelectorInvalid", "write In")
    ]
