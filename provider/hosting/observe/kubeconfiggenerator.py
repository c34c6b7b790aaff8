"""Whom a KubeconfigGenerator selects, what their kubeconfigs are made of, and what it made before. Called by its pass."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from provider.api import kinds, names
from provider.api.kubeconfiggenerator import KubeconfigGenerator
from provider.cluster.client import Cluster
from provider.hosting.generatorview import GeneratorView, Target, is_made_by, secret_names, selects
from provider.manifest import Manifest, meta
from provider.manifest.mint import Mint
from provider.settings import Settings

AT_ONCE = 8  # requests under way at the same time
Key = tuple[str, str]
"""(namespace, name)"""


async def view(cluster: Cluster, raw: Manifest, *, settings: Settings, now: datetime, mint: Mint) -> GeneratorView:
    """The view at the start of a pass. Invalid when the object cannot be read or a selector means nothing."""
    generator = KubeconfigGenerator.parse(raw)
    where = settings.watch_namespace or None
    tenants, made = await asyncio.gather(
        cluster.list(kinds.TENANT_CONTROL_PLANE, where), secrets(cluster, generator.name, where)
    )
    namespaces = await _namespaces(cluster) if generator.spec.namespace_selector else {}
    chosen = [each for each in tenants if _is_chosen(generator, each, namespaces)]
    known = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in made}
    # One that is being deleted keeps what it has until it goes; garbage collection takes it then.
    ending = [each for each in tenants if each["metadata"].get("deletionTimestamp")]
    kept = {_key(each) for each in (*chosen, *ending)}
    return GeneratorView(
        generator=generator,
        raw=raw,
        targets=tuple(await _targets(cluster, generator.name, chosen, known)),
        surplus=tuple(each for each in made if _made_for(each) not in kept),
        life=settings.leaf_life,
        now=now,
        mint=mint,
    )


async def secrets(cluster: Cluster, generator: str, namespace: str | None) -> list[Manifest]:
    """The kubeconfigs that a generator made."""
    labels = {names.LABEL_MANAGED_BY: generator}
    return [each for each in await cluster.list(kinds.SECRET, namespace, labels=labels) if is_made_by(each, generator)]


async def _namespaces(cluster: Cluster) -> dict[str, dict[str, str]]:
    """Labels of every namespace."""
    return {each["metadata"]["name"]: meta.labels_of(each) for each in await cluster.list(kinds.NAMESPACE)}


def _is_chosen(generator: KubeconfigGenerator, tcp: Manifest, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    chosen = selects(generator, meta.labels_of(tcp), namespaces.get(tcp["metadata"]["namespace"], {}))
    return chosen and not tcp["metadata"].get("deletionTimestamp")


async def _targets(
    cluster: Cluster, generator: str, chosen: list[Manifest], known: Mapping[Key, Manifest]
) -> list[Target]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(tcp: Manifest) -> Target:
        namespace = tcp["metadata"]["namespace"]
        name = names.generated_kubeconfig_secret(tcp["metadata"]["name"], generator)
        admin, authority = secret_names(tcp)
        async with turns:
            return Target(
                tcp=tcp,
                admin=meta.decoded(await _secret(cluster, admin, namespace)),
                authority=meta.decoded(await _secret(cluster, authority, namespace)),
                secret=known.get((namespace, name)) or await _secret(cluster, name, namespace),
            )

    return await asyncio.gather(*(one(each) for each in sorted(chosen, key=_key)))


async def _secret(cluster: Cluster, name: str, namespace: str) -> Manifest | None:
    """None also for a name that no Secret can have."""
    return await cluster.get(kinds.SECRET, name, namespace) if name.strip(".") else None


def _key(manifest: Manifest) -> Key:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _made_for(secret: Manifest) -> Key:
    return secret["metadata"]["namespace"], meta.labels_of(secret)[names.LABEL_MANAGED_FOR]
