"""Our kinds in a bare API server, for the bench and for tests that need no more of an installation."""

from __future__ import annotations

import asyncio
from pathlib import Path

import yaml

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.manifest import meta
from provider.manifest.condition import holds
from provider.settings import Settings

FOLDER = Path(__file__).parents[1] / "config" / "crd"


async def install(cluster: Cluster, manager: str) -> None:
    """The CRDs, served when this returns, and the provider's namespace. TimeoutError after a minute."""
    for file in sorted(FOLDER.glob("*.yaml")):
        await cluster.apply(yaml.safe_load(file.read_text()), manager=manager)
    await cluster.apply(meta.new(kinds.NAMESPACE, Settings().namespace), manager=manager)
    async with asyncio.timeout(60):
        while not all(
            holds((each.get("status") or {}).get("conditions"), "Established")
            for each in await cluster.list(kinds.CUSTOM_RESOURCE_DEFINITION)
        ):
            await asyncio.sleep(0.1)
