"""The golden cases: a folder each, with the tenant (`input.yaml`), what the world answers (`given.yaml`), and `expected/`.

`status.yaml` is beside the parts' files: what the pass would report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from provider.api import kinds
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.hosting.parts import PARTS
from provider.hosting.status import tenant as status
from provider.hosting.view import Keyspace, Store, View
from provider.manifest import Manifest, meta
from provider.manifest.mergepatch import merged
from tests.golden import legible
from tests.golden.world import NOW, CountedMint, Walked, database, store, view, walk

FOLDER = Path(__file__).parent
LATER = NOW + timedelta(days=30)


@dataclass(frozen=True)
class Case:
    """One golden case."""

    folder: Path

    @property
    def expected(self) -> Path:
        return self.folder / "expected"

    @cached_property
    def raw(self) -> Manifest:
        found: Manifest = yaml.safe_load((self.folder / "input.yaml").read_text())
        return found

    @cached_property
    def tcp(self) -> TenantControlPlane:
        return TenantControlPlane.parse(self.raw)

    @property
    def awake(self) -> bool:
        return self.tcp.deployment.replicas > 0

    def walked(self) -> Walked:
        """The first walk, as over a tenant that was just made."""
        return walk(self._view(self.raw, CountedMint(), NOW), self._answers(), awake=self.awake)

    def walked_again(self, first: Walked) -> Walked:
        """A walk a month later over what the first one left, with a mint that would give other keys."""
        stands = {**self.raw, "status": reported(first)}
        start = self._view(stands, CountedMint(5000), LATER, *first.view.seen.objects.values())
        return walk(start, self._answers(), inside=first.view.tenant, awake=self.awake)

    def _view(self, raw: Manifest, mint: CountedMint, now: datetime, *seen: Manifest) -> View:
        spec = self.tcp.spec
        keyspace = Keyspace(
            schema=spec.data_store_schema or self.tcp.uid, user=spec.data_store_username or self.tcp.uid
        )
        return view(raw, *seen, keyspace=keyspace, mint=mint, now=now, store=self._store)

    @cached_property
    def _store(self) -> Store:
        """`store.yaml` says of another than etcd which it is."""
        file = self.folder / "store.yaml"
        return database(**yaml.safe_load(file.read_text())) if file.exists() else store()

    def _answers(self) -> list[Manifest]:
        """Its pods serve, and what else the case says."""
        count = self.tcp.deployment.replicas
        serving = {each: count for each in ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")}
        deployment = meta.new(kinds.DEPLOYMENT, self.tcp.name, self.tcp.namespace, status=serving)
        file = self.folder / "given.yaml"
        return [deployment, *(yaml.safe_load_all(file.read_text()) if file.exists() else ())]


CASES = [Case(each.parent) for each in sorted(FOLDER.glob("*/input.yaml"))]


def reported(walked: Walked) -> dict[str, Any]:
    """The status after a walk, with the keyspace as it is recorded before."""
    keyspace = walked.view.keyspace
    assert keyspace is not None
    setup = {"setup": {"schema": keyspace.schema, "user": keyspace.user}}
    recorded = merged({"status": {"storage": setup}}, walked.view.raw)
    return status.of(replace(walked.view, raw=recorded), PARTS, walked.declined, {})


def files(walked: Walked) -> dict[str, str]:
    """File name → text, one a part, and the status."""
    legend = legible.legend(each for said in walked.said.values() for each in said)
    found = {f"{step.name}.yaml": _part(walked, step.name, legend) for step in PARTS}
    found["status.yaml"] = legible.written([legend.named(reported(walked))])
    return found


def _part(walked: Walked, name: str, legend: legible.Legend) -> str:
    if verdict := walked.declined.get(name):
        return f"# Declines: {type(verdict).__name__} {verdict.reason}: {verdict.message}\n"
    if not walked.said[name]:
        return "# Says nothing.\n"
    return legible.written(legend.shown(walked.said[name]))
