"""Our kinds in a bare API server, for the bench and for tests that need no more of an installation."""

from __future__ import annotations

import asyncio
from pathlib import Path

import yaml

from provider.api import kinds
from provider.cluster.client import Cluster
from provider.cluster.errors import ApiError
from provider.manifest import Manifest, meta
from provider.manifest.condition import holds
from provider.settings import Settings

FOLDER = Path(__file__).parents[1] / "config" / "crd"


async def install(cluster: Cluster, manager: str) -> None:
    """The CRDs, served when this returns, and the provider's namespace. TimeoutError after a minute."""
    for file in sorted(FOLDER.glob("*.yaml")):
        await cluster.apply(yaml.safe_load(file.read_text()), manager=manager)
    await cluster.apply(meta.new(kinds.NAMESPACE, Settings().namespace), manager=manager)
    await until_served(cluster)


async def until_served(cluster: Cluster) -> None:
    """All CRDs that are there, whosever they are. TimeoutError after a minute."""
    async with asyncio.timeout(60):
        while not all([await _served(cluster, each) for each in await cluster.list(kinds.CUSTOM_RESOURCE_DEFINITION)]):
            await asyncio.sleep(0.1)


async def _served(cluster: Cluster, crd: Manifest) -> bool:
    """Whether its kinds can be read: one that is established says for a moment that its storage is being made ready."""
    if not holds((crd.get("status") or {}).get("conditions"), "Established"):
        return False
    spec = crd["spec"]
    version = next(each["name"] for each in spec["versions"] if each["storage"])  # which nobody has to convert
    try:
        await cluster.text(f"/apis/{spec['group']}/{version}/{spec['names']['plural']}?limit=1")
    except ApiError:
        return False
    return True
