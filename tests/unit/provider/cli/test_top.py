"""What a tenant takes, and what that costs."""

from __future__ import annotations

from typing import Any

import pytest

from provider.cli import prices, top
from provider.cli.format import Order
from provider.cli.prices import Prices
from provider.cli.top import Pods
from provider.cli.trouble import Trouble
from provider.manifest import Manifest

KEY = ("team", "demo")
MIB = 2**20


def tenant(name: str = "demo", usage: dict[str, int] | None = None) -> Manifest:
    return {"metadata": {"namespace": "team", "name": name}, "status": {"storage": {"usage": usage or {}}}}


def pod(name: str, cpu: str = "100m", memory: str = "64Mi", phase: str = "Running") -> Manifest:
    asked = {"resources": {"requests": {"cpu": cpu, "memory": memory}}}
    metadata = {"namespace": "team", "name": name, "labels": {"kamaji.clastix.io/name": "demo"}}
    return {"metadata": metadata, "spec": {"containers": [asked, {}]}, "status": {"phase": phase}}


def measured(name: str, cpu: str = "50000000n", memory: str = "128Mi") -> Manifest:
    metadata = {"namespace": "team", "name": name, "labels": {"kamaji.clastix.io/name": "demo"}}
    return {"metadata": metadata, "containers": [{"name": "kube-apiserver", "usage": {"cpu": cpu, "memory": memory}}]}


def test_what_pods_ask_for_and_use_is_added_up_over_pods_and_containers() -> None:
    found = top.pods([KEY], [pod("demo-a"), pod("demo-b")], [measured("demo-a"), measured("demo-b", cpu="1")])
    assert found[KEY] == Pods(asked=(200, 128 * MIB), used=(1050, 256 * MIB))


def test_a_pod_that_ended_takes_nothing_and_one_that_is_not_measured_yet_makes_the_sum_unknown() -> None:
    ended, fresh = pod("demo-a", phase="Failed"), pod("demo-b")
    assert top.pods([KEY], [ended], [])[KEY] == Pods(asked=(0, 0), used=(0, 0))
    assert top.pods([KEY], [ended, fresh], [])[KEY] == Pods(asked=(100, 64 * MIB), used=None)


def test_without_a_metrics_server_or_the_right_to_list_pods_it_is_unknown_and_not_nothing() -> None:
    assert top.pods([KEY], [pod("demo-a")], None)[KEY].used is None
    assert top.pods([KEY], None, None)[KEY] == Pods(asked=None, used=None)
    assert top.pods([KEY], [], None)[KEY] == Pods(asked=(0, 0), used=(0, 0)), "who sleeps takes nothing"


def test_the_price_is_of_what_is_asked_for_or_used_whichever_is_more() -> None:
    usage = {"bytes": 2**30, "writesPerMinute": 1000}
    priced = Prices(currency="EUR", tenant=1, cpu=10, memory=4, storage=2, writes=0.5)
    row = top.row(tenant(usage=usage), Pods(asked=(500, 2**28), used=(100, 2**29)), priced)
    # 1 + half a core 5 + half a GiB 2 + a GiB stored 2 + 43.8 million writes 21.90
    assert (row["cost"], row["currency"], row["unmeasured"]) == (31.9, "EUR", [])


def test_what_is_not_known_is_named_and_makes_the_cost_a_least_one() -> None:
    row = top.row(tenant(), Pods(asked=(500, 2**28), used=None), Prices(cpu=10))
    assert row["unmeasured"] == ["cpu", "memory", "storage", "writesPerMinute"]
    assert row["cost"] == 5.0
    (line,) = top.shown([row])
    assert (line["cpu"], line["cpuRequested"], line["memoryRequested"], line["cost"]) == (
        None,
        "500m",
        "256Mi",
        "≥ 5.00",
    )


def test_without_prices_nothing_costs_anything() -> None:
    assert "cost" not in top.row(tenant(), Pods(asked=None, used=None), None)


def test_a_table_of_several_ends_with_what_they_take_together() -> None:
    rows = [
        top.row(
            tenant(name, {"bytes": MIB, "writesPerMinute": 2}), Pods(asked=(100, MIB), used=(300, MIB)), Prices(cpu=1)
        )
        for name in ("one", "two")
    ]
    last = top.shown(rows)[-1]
    assert (last["name"], last["cpu"], last["storage"], last["writesPerMinute"]) == ("together", "600m", "2Mi", 4)
    assert last["cost"] == "0.60"
    assert len(top.shown(rows[:1])) == 1


def test_the_most_of_something_comes_first_and_what_is_unknown_last() -> None:
    rows = [
        {"namespace": "team", "name": name, "cpu": cpu, "writesPerMinute": writes}
        for name, cpu, writes in (("a", None, 9), ("b", 5, 1), ("c", 7, 3))
    ]
    assert [each["name"] for each in top.ordered(rows, Order.CPU)] == ["c", "b", "a"]
    assert [each["name"] for each in top.ordered(rows, Order.WRITES)] == ["a", "c", "b"]
    assert [each["name"] for each in top.ordered(rows[::-1], Order.NAME)] == ["a", "b", "c"]


def test_a_file_of_prices_is_read_and_what_it_does_not_name_is_free() -> None:
    assert prices.read("currency: EUR\ncpu: 18.5\nmemory: 2\n", "prices.yaml") == Prices(
        currency="EUR", cpu=18.5, memory=2.0
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "no YAML"),
        ("", "no prices"),
        ("- 1", "no prices"),
        ("cpus: 1", "did you mean cpu?"),
        ("moon: 1", "there are currency"),
        ("cpu: dear", "cpu is a number"),
        ("cpu: -1", "not below 0"),
        ("cpu: .nan", "cpu is a number"),
        ("cpu: true", "cpu is a number"),
        ('currency: "\\e[2J"', "currency is a word"),
        ("currency: 7", "currency is a word"),
    ],
)
def test_a_file_that_is_none_is_refused_with_what_is_wrong_in_it(text: str, words: str) -> None:
    with pytest.raises(Trouble, match=words.replace("?", r"\?")) as caught:
        prices.read(text, "prices.yaml")
    assert caught.value.status == 2


def test_an_amount_of_nothing_costs_what_a_tenant_costs() -> None:
    nothing: dict[str, Any] = {"cores": 0.0, "memory": 0, "storage": 0, "writes": 0}
    assert Prices(tenant=3.5, cpu=1).of(prices.Amount(**nothing)) == 3.5
