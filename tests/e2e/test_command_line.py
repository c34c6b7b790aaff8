"""A tenant is broken in five ways; each is found and repaired by what `kamaji explain` says, and by nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from provider.cluster.client import Cluster
from tests.e2e.conftest import tenant, until, until_condition

PROGRAM = "from provider.cli.app import main; main()"
BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "lost": ({"dataStore": "nowhere"}, "DataStoreNotFound", "nowhere"),
    "unpulled": (
        {"controlPlane": {"deployment": {"replicas": 1, "registrySettings": {"registry": "127.0.0.1:1"}}}},
        "ImageUnavailable",
        "127.0.0.1:1",
    ),
    "flagged": (
        {"controlPlane": {"deployment": {"replicas": 1, "extraArgs": {"apiServer": ["--no-such-flag=1"]}}}},
        "ContainerFails",
        "--no-such-flag",
    ),
    "huge": (
        {"controlPlane": {"deployment": {"replicas": 1, "resources": {"apiServer": {"requests": {"cpu": "900"}}}}}},
        "Unschedulable",
        "lower requests",
    ),
}
"""By name: what is wrong with its spec, and the reason and a word that explain says. What repairs it is what explain prints.

These never served; one that serves is broken in the same ways by docs/tutorial.md (tests/lab/test_tutorial.py).
"""


def kamaji(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
        timeout=180,
    )


def findings(name: str, namespace: str) -> list[dict[str, Any]]:
    said = kamaji("explain", name, "-n", namespace, "-o", "json")
    return list(json.loads(said.stdout)["findings"])


async def test_what_is_broken_is_explained_and_what_is_explained_repairs_it(
    management: Cluster, namespace: str
) -> None:
    for name, (spec, *_) in BROKEN.items():
        controlled = {"service": {"serviceType": "ClusterIP"}, **spec.get("controlPlane", {})}
        await management.apply(
            tenant(name, namespace, **{**spec, **({"controlPlane": controlled} if "controlPlane" in spec else {})}),
            manager="e2e",
        )
    still = tenant("still", namespace)
    still["metadata"]["annotations"] = {"kamaji.clastix.io/paused": ""}
    await management.apply(still, manager="e2e")

    await asyncio.gather(*(found_and_repaired(namespace, name) for name in BROKEN))
    await unpaused_as_told(namespace)

    names = (*BROKEN, "still")
    for name in names:
        await until_condition(management, tenant(name, namespace), "Ready")
        await until(lambda name=name: all_well(name, namespace), f"kamaji explain says that {name} is ready")

    async def all_ready() -> bool:
        rows = json.loads((await asyncio.to_thread(kamaji, "get", "-n", namespace, "-o", "json")).stdout)
        return {each["name"]: each["state"] for each in rows} == dict.fromkeys(names, "Ready")

    await until(all_ready, "kamaji get says that all are ready")


async def all_well(name: str, namespace: str) -> bool:
    told = await asyncio.to_thread(kamaji, "explain", name, "-n", namespace)
    return told.returncode == 0 and "is ready" in told.stdout


async def found_and_repaired(namespace: str, name: str) -> None:
    _, reason, word = BROKEN[name]

    async def said() -> dict[str, Any] | None:
        found = await asyncio.to_thread(findings, name, namespace)
        fits = (each for each in found if each["reason"] == reason and word in each["message"] + each["next"])
        return next(fits, None)

    finding = await until(said, f"kamaji explain says {reason} of {name}, and {word}")
    assert finding["look"], "it says where to look"
    if reason == "DataStoreNotFound":  # which store is for people to say, out of those that it tells them to list
        assert finding["look"][0] == "kamaji stores"
        stores = json.loads((await asyncio.to_thread(kamaji, "stores", "-o", "json")).stdout)
        assert "default" in [each["name"] for each in stores if each["ready"]]
        done = await asyncio.to_thread(kamaji, "move", f"{namespace}/{name}", "default", "--wait", "0s")
        assert done.returncode == 0, done.stderr
        return
    (command,) = finding["mend"]
    await typed(command)


async def typed(command: str) -> None:
    """As it is printed."""
    done = await asyncio.to_thread(subprocess.run, ["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def unpaused_as_told(namespace: str) -> None:
    async def paused() -> dict[str, Any] | None:
        found = await asyncio.to_thread(findings, "still", namespace)
        return next((each for each in found if each["reason"] == "Paused"), None)

    (command,) = (await until(paused, "kamaji explain says that it is paused"))["mend"]
    await typed(command)


async def test_the_doctor_finds_the_lab_fit(management: Cluster) -> None:
    """Once it is: what other tests have left, such as a Service that waits for an address, may be ending."""
    bad: dict[str, str] = {}

    async def fit() -> bool:
        nonlocal bad
        done = await asyncio.to_thread(kamaji, "doctor", "-o", "json")
        bad = {each["question"]: each["answer"] for each in json.loads(done.stdout) if each["verdict"] == "bad"}
        return done.returncode == 0 and not bad

    try:
        await until(fit, "the lab is fit")
    except AssertionError as error:
        raise AssertionError(f"{error}: {bad}") from error
