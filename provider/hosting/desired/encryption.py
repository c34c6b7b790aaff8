"""What a tenant's stored objects are encrypted with: one Secret that pods mount, and a copy of it, one step at most a pass.

Nobody can make a lost key anew, and nobody but a tenant's pods needs it: so it stands twice, each is put back from the other,
and where both are gone that is said and nothing is put in their place (`hosting.encryption`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from provider.api import names
from provider.api.credentials.node import Node
from provider.api.verdict import Invalid
from provider.hosting import credential, encryption
from provider.hosting.encryption import document, phases, progress, wish
from provider.hosting.encryption.document import FILE, Key
from provider.hosting.encryption.phases import Making
from provider.hosting.view import View
from provider.manifest import Manifest, checksum

NAME = "encryption"


def build(view: View) -> Iterator[Manifest]:
    """Two Secrets, none while nothing is encrypted. Invalid when the key of what is stored is lost."""
    asked, before = wish.of(view), encryption.held(view)
    if before is not None and view.restoring:
        before = replace(before, by="")  # what is stored is not what it was
    if before is None and asked.on and view.stored is not None and view.stored.foreign:
        raise encryption.lost(view)
    making = Making(fresh=lambda: Key(view.mint.cipher()), now=view.now)
    after = phases.advanced(before, asked, encryption.facts(view, before, asked), making)
    if after is None and _any_held(view):
        after = before  # let go first, and gone after that
    if after is None:
        return
    file = document.written(after.document)
    data = {FILE: file, **encryption.marks(view, file, after)}
    anew = before is None or before.key != after.key
    for node in encryption.NODES:
        obeyed = credential.obeyed(view, node.secret(view.name), now=anew)
        secret = credential.noted(view, node, data, encryption.noted(after, file) | obeyed)
        goes = _may_go(view, node) or (not after.mounted and encryption.over(view))
        yield secret if goes else _held(secret)


def _held(secret: Manifest) -> Manifest:
    """Who deletes all Secrets of a namespace deletes both at once: neither goes before the other can take its place."""
    return {**secret, "metadata": {**secret["metadata"], "finalizers": [names.FINALIZER_KEY]}}


def _may_go(view: View, node: Node) -> bool:
    """Whether one that is deleted may go, to be made anew: the other holds all. Of two that are deleted one goes first."""
    name, other = (each.secret(view.name) for each in (node, *(one for one in encryption.NODES if one is not node)))
    found = encryption.standing(view).items()
    ending = {each for each, secret in found if secret["metadata"].get("deletionTimestamp")}
    if name not in ending or other not in encryption.current(view):
        return False
    return node is encryption.NODES[0] or other not in ending


def _any_held(view: View) -> bool:
    found = encryption.standing(view).values()
    return any(names.FINALIZER_KEY in (each["metadata"].get("finalizers") or ()) for each in found)


def report(view: View) -> dict[str, Any]:
    """`storage.encryption`. It goes when nothing is encrypted any more; of what is lost, what was told stands."""
    before = (view.status.get("storage") or {}).get("encryption")
    try:
        over = not encryption.mounted(view)
    except Invalid:
        return {}
    found = progress.of(view)
    if over or found is None:
        return {"storage": {"encryption": None}} if before and over else {}
    secret = encryption.SECRET(view.name)
    counted = {key: value for key, value in (before or {}).items() if key in ("objects", "left", "proven")}
    if (seen := found.stored) is not None:
        counted = {"objects": seen.total, "left": seen.left, "proven": seen.proven}
    block = {
        "secretName": secret,
        "checksum": checksum.of(view.secret(secret)),
        "step": encryption.step(view),
        "phase": found.phase,
        "resources": sorted(found.held.document.writers),
        "writer": found.by,
        **counted,
    }
    return {"storage": {"encryption": credential.stamped(view, block, before)}}
