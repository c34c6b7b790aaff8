"""The program itself, scraped over HTTP: what it tells is in the table, and promtool finds nothing to say about it."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from lab import debian
from lab.bench.scale.provider import Provider
from lab.servers import ApiServer
from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import meta
from provider.telemetry import table
from tests.integration.hosted import MANAGER, VERSION, Store


@pytest.fixture
async def program(
    management: Cluster, api_server: ApiServer, namespace: str, store: Store, tmp_path: Path
) -> AsyncIterator[Provider]:
    """It runs, and has looked at a tenant that sleeps."""
    spec = {
        "dataStore": store.name,
        "kubernetes": {"version": VERSION, "kubelet": {}},
        "controlPlane": {"service": {"serviceType": "ClusterIP"}, "deployment": {"replicas": 0}},
    }
    await management.apply(meta.new(kinds.TENANT_CONTROL_PLANE, "asleep", namespace, spec=spec), manager=MANAGER)
    settings = {"rooms": "hosting", "watch_namespace": namespace, "default_pool": "", "leader_elect": "false"}
    found = Provider(tmp_path, api_server.folder / "kubeconfig", settings)
    found.start()
    yield found
    found.stop()


async def scraped(program: Provider, *wanted: str) -> str:
    """What it tells, once all that is in it."""
    async with asyncio.timeout(180), aiohttp.ClientSession() as session:
        while True:
            assert program.pid
            try:
                async with session.get(f"http://127.0.0.1:{program._ports[1]}/metrics") as answer:
                    text = await answer.text()
                    if all(each in text for each in wanted):
                        return text
            except aiohttp.ClientError:
                pass  # it starts
            await asyncio.sleep(0.2)


async def test_what_is_scraped_is_in_the_table_and_has_no_fault(
    program: Provider, namespace: str, store: Store
) -> None:
    who = f'tcp_name="asleep",tcp_namespace="{namespace}"'
    text = await scraped(
        program,
        f'kamaji_tenant_hindrance{{reason="Sleeping",{who}}} 1.0',
        f'kamaji_datastore_ready{{datastore_name="{store.name}"}} 1.0',
        "\nkamaji_leader 1.0\n",
    )
    assert f"kamaji_tenant_ready{{{who}}} 0.0" in text
    assert f"kamaji_tenant_api_up{{{who}}}" not in text
    names = set(re.findall(r"^(kamaji_\w+?)(?:\{| )", text, re.MULTILINE))
    assert {each.series[0] for each in table.TABLE if each.of == "process"} & names
    assert names <= set(table.BY_SERIES)
    assert linted(text) == (0, "")


def test_promtool_would_have_something_to_say() -> None:
    status, said = linted("# TYPE kamaji_things counter\nkamaji_things 1\n")
    assert status != 0
    assert "_total" in said


def linted(text: str) -> tuple[int, str]:
    """What promtool thinks of names, types and units."""
    command = [str(debian.path("promtool")), "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
