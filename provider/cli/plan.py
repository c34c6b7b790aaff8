"""`kamaji plan` and `kamaji diff`: what a changed TenantControlPlane would change, before it is applied. Called by `commands`.

The API server says by a dry run what the object would become, refusals included. The provider's own builders are then run
twice on what is seen, once with the spec that stands and once with the one that would: what differs between the two is what
the provider would change. Nothing is written anywhere.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import yaml

from provider.api import kinds
from provider.api.tenantcontrolplane import TenantControlPlane
from provider.api.verdict import Verdict
from provider.cli import effects
from provider.cli.session import Session
from provider.cli.trouble import ASKED_AND_NO, Trouble
from provider.cluster.errors import NotFound, Refused
from provider.hosting import upgrade
from provider.hosting.observe import tenant as observe
from provider.hosting.parts import PARTS
from provider.hosting.reconcile.mint import RandomMint
from provider.hosting.status.gitops import GIVEN_UP
from provider.hosting.view import Key, View, key_of
from provider.manifest import Manifest, checksum, mergepatch, meta, yamltext
from provider.settings import Settings

FIELD_MANAGER = "kubectl"  # as `kubectl apply --server-side` writes; fields of other managers stay
Built = Mapping[Key, Manifest]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One object that would be made, changed or removed."""

    action: Literal["make", "change", "remove"]
    key: Key
    before: Manifest | None = None
    after: Manifest | None = None

    @property
    def name(self) -> str:
        """`Deployment demo`."""
        return f"{self.key[0]} {self.key[2]}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would come of one TenantControlPlane."""

    name: str
    new: bool
    fields: tuple[str, ...]  # of the spec, which change: path, before, after
    changes: tuple[Change, ...]
    effects: tuple[str, ...]  # what clients and workers will feel
    hindrances: tuple[str, ...]  # why not all of it can be done, or told

    @property
    def empty(self) -> bool:
        """Whether nothing would change."""
        return not self.fields and not self.changes

    def said(self) -> dict[str, Any]:
        """As plain data; no value of a Secret is in it."""
        return {
            "name": self.name,
            "new": self.new,
            "fields": list(self.fields),
            "objects": [{"action": each.action, "kind": each.key[0], "name": each.key[2]} for each in self.changes],
            "effects": list(self.effects),
            "hindrances": list(self.hindrances),
        }


def read(text: str, source: str) -> list[Manifest]:
    """The TenantControlPlanes in a file. Trouble when there is none, or it is no YAML."""
    try:
        documents = [each for each in yaml.safe_load_all(text) if each]
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise Trouble(f"{source}{line}: no YAML: {getattr(error, 'problem', None) or 'it cannot be read'}") from error
    found = [
        each for each in documents if isinstance(each, dict) and each.get("kind") == kinds.TENANT_CONTROL_PLANE.kind
    ]
    if not found:
        raise Trouble(f"{source} has no TenantControlPlane in it, which is what a plan can be made for")
    for each in found:
        if not isinstance(each.get("metadata"), dict) or not each["metadata"].get("name"):
            raise Trouble(f"{source}: a TenantControlPlane in it has no name: say it in metadata.name")
        if each.get("apiVersion") != (wanted := kinds.TENANT_CONTROL_PLANE.api_version):
            raise Trouble(
                f"{source}: TenantControlPlane {each['metadata']['name']} in it is not of apiVersion {wanted}"
            )
    return found


async def planned(session: Session, wanted: Manifest, settings: Settings, now: datetime) -> Plan:
    """The plan for one. Trouble where the API server would refuse it, in its words."""
    metadata = wanted["metadata"]
    namespace, name = metadata.get("namespace") or session.namespace, metadata["name"]
    asked = {**wanted, "metadata": {**metadata, "namespace": namespace}}
    live = await session.cluster.get(kinds.TENANT_CONTROL_PLANE, name, namespace)
    try:
        becomes = await session.cluster.apply(asked, manager=FIELD_MANAGER, dry_run=True)
    except Refused as error:
        raise Trouble(f"{namespace}/{name} would be refused: {error.message}", ASKED_AND_NO) from error
    except NotFound as error:
        await session.all(kinds.TENANT_CONTROL_PLANE, namespace)  # which says so where the kind is not there
        raise Trouble(f"{namespace}/{name} cannot be made: {error.message}") from error
    view = await observe.tenant(session.cluster, live or becomes, settings=settings, now=now, mint=RandomMint())
    before, _ = _built(view) if live else ({}, ())
    after, hindrances = _built(_asking(view, becomes))
    changes = tuple(_changes(before, after, view))
    fields = tuple(_fields((live or {}).get("spec") or {}, becomes["spec"]))
    return Plan(
        name=f"{namespace}/{name}",
        new=live is None,
        fields=fields if live else (),
        changes=changes,
        effects=tuple(effects.of(live, becomes, before, after)),
        hindrances=hindrances,
    )


def difference(change: Change) -> Iterable[str]:
    """A unified diff of one object; of a Secret only which of its values change."""
    before, after = (_text(each) for each in (change.before, change.after))
    return difflib.unified_diff(before, after, f"now/{change.name}", f"then/{change.name}", lineterm="", n=2)


def _asking(view: View, becomes: Manifest) -> View:
    """The same world with the spec that would be."""
    asking = replace(
        view, tcp=TenantControlPlane.parse(becomes), raw={**becomes, "status": view.raw.get("status") or {}}
    )
    return replace(asking, rollout=upgrade.decided(asking, kubelets=()))


def _built(view: View) -> tuple[Built, tuple[str, ...]]:
    """What the parts say, in their order, each seeing what those before it said; and why some say nothing."""
    found: dict[Key, Manifest] = {}
    hindrances = {}
    for step in PARTS:
        try:
            built = list(step.part.build(view))
        except Verdict as verdict:
            hindrances[verdict.message] = f"{step.condition}: {verdict.message}"
            continue
        for each in built:
            key = key_of(each)
            found[key] = each
            if step.target == "management":
                view = view.folded(mergepatch.merged(view.seen.objects.get(key) or {}, each))
    if view.rollout is not None and view.rollout.reason in GIVEN_UP:
        hindrances[view.rollout.message] = f"Upgraded: {view.rollout.message}"
    return found, tuple(hindrances.values())


def _changes(before: Built, after: Built, view: View) -> Iterable[Change]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if old is None and key in view.seen.objects:
            old = new  # it stands; only what asks for it is new
        if new is None:
            yield Change(action="remove", key=key, before=old)
        elif old is None:
            yield Change(action="make", key=key, after=new)
        elif old != new:
            yield Change(action="change", key=key, before=old, after=new)


def _fields(before: Any, after: Any, path: str = "spec") -> Iterable[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            yield from _fields(before.get(key), after.get(key), f"{path}.{key}")
    elif before != after:
        yield f"{path}: {_short(before)} → {_short(after)}"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True).strip().removesuffix("\n...")
    )
    return text if len(text) <= effects.LONGEST else f"{text[: effects.LONGEST]}…"


def _text(found: Manifest | None) -> Sequence[str]:
    if found is None:
        return ()
    if found["kind"] == kinds.SECRET.kind:
        values = meta.decoded(found)
        found = {**found, "data": {key: f"({checksum.of({key: value})[:12]})" for key, value in values.items()}}
    return yamltext.written(found).splitlines()
