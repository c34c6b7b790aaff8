"""Which KubeconfigGenerators a moved object concerns: those whose selectors it meets, or met when it last moved.

Kept by `handlers` from the events alone. A tenant's status moves often; a generator is woken only when something did of which
its kubeconfigs are made (`generatorview.stake`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from provider.api.kubeconfiggenerator import KubeconfigGenerator
from provider.api.verdict import Invalid
from provider.hosting.generatorview import stake
from provider.manifest import Manifest

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""(namespace, name) of a TenantControlPlane."""


@dataclass
class Concerns:
    """What was last seen of generators, namespaces and tenants. Each method says whom to look at, by name."""

    _generators: dict[str, KubeconfigGenerator] = field(default_factory=dict)
    _namespaces: dict[str, Mapping[str, str]] = field(default_factory=dict)  # labels
    _stakes: dict[Key, dict[str, str]] = field(default_factory=dict)  # by tenant and generator

    def generator_moved(self, raw: Manifest, *, gone: bool) -> set[str]:
        """It is always looked at itself: its pass says what is wrong with one that cannot be read."""
        name = raw["metadata"]["name"]
        self._generators.pop(name, None)
        if not gone:
            try:
                self._generators[name] = KubeconfigGenerator.parse(raw)
            except Invalid as verdict:
                log.info("kubeconfiggenerator %s: %s", name, verdict.message)
        return {name}

    def tenant_moved(self, raw: Manifest, *, gone: bool) -> set[str]:
        """Generators for which something of the tenant changed, also those that do not select it any more."""
        key = (raw["metadata"].get("namespace") or "", raw["metadata"]["name"])
        before = self._stakes.pop(key, {})
        now = {} if gone else self._stakes_of(raw, key[0])
        if now:
            self._stakes[key] = now
        return {each for each in {*before, *now} if before.get(each) != now.get(each)}

    def namespace_moved(self, name: str, labels: Mapping[str, str], *, gone: bool) -> set[str]:
        """Generators that select by namespace and now judge this one differently."""
        before = self._namespaces.pop(name, {})
        if not gone:
            self._namespaces[name] = labels
        return {each for each in self._generators if self._selects(each, before) != self._selects(each, labels)}

    def _stakes_of(self, raw: Manifest, namespace: str) -> dict[str, str]:
        labels, found = self._namespaces.get(namespace, {}), {}
        for name, generator in self._generators.items():
            try:
                found[name] = stake(generator, raw, labels)
            except Invalid:
                continue  # its selector means nothing; its own pass says so
        return {name: each for name, each in found.items() if each}

    def _selects(self, generator: str, labels: Mapping[str, str]) -> bool:
        selector = self._generators[generator].spec.namespace_selector
        try:
            return selector is None or selector.matches(labels)
        except Invalid:
            return False
