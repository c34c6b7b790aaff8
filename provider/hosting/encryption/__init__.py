"""A tenant's stored objects, encrypted: what is wished, what is held, what is seen, and what follows from it. Pure.

`wish` is what annotations ask for, `document` what kube-apiserver is told, `phases` the steps, `resources` where objects lie in
a store. The part `desired.encryption` takes the steps, the pods mount what it says, `reconcile.encrypting` has objects written
once more when `order` says so, and the status tells of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from provider.api import kinds, names
from provider.api.credentials import tenants
from provider.api.verdict import Invalid
from provider.hosting import credential, migration, rotation
from provider.hosting.encryption import document, phases, wish
from provider.hosting.encryption.document import FILE, MARK
from provider.hosting.encryption.phases import Facts, Held, Wish
from provider.hosting.encryption.resources import override
from provider.hosting.rotation import age
from provider.hosting.view import Stored, View
from provider.manifest import Manifest, checksum, meta
from provider.manifest.condition import timestamp

NODES: Final = (tenants.ENCRYPTION, tenants.ENCRYPTION_COPY)
LABEL: Final = tenants.ENCRYPTION.rolls
SECRET: Final = names.encryption_secret
REQUEST: Final = names.ANNOTATION_ROTATE_ENCRYPTION_KEY
MARKS: Final = 16  # files, of which a pod may start that was made for one of them


@dataclass(frozen=True, kw_only=True)
class Order:
    """What has to be written once more: by resource, in which DataStore it lies, and how it shall begin there."""

    document: str  # checksum: which document this is about
    resources: Mapping[str, tuple[str, bytes]]


def held(view: View) -> Held | None:
    """What the Secret or its copy holds, whichever is whole and went further, and what a backup brought beside it; None while
    nothing is encrypted.

    Invalid when none is whole and one should be: no other key can take the place of a lost one.
    """
    brought = view.seen.get(kinds.SECRET, names.encryption_brought_secret(view.name), view.namespace)
    taken_in = brought is None or bool(brought["metadata"].get("deletionTimestamp"))
    before = None if brought is None or taken_in else read(brought)
    if whole := current(view):
        found, without = next(iter(whole.values())), rotation.started(view) and not _remembered(view)
        return phases.joined(phases.silent(found) if without else found, before)
    if before is None and (recalled := _recalled(view)) is not None:
        return recalled
    if before is None and (standing(view) or not over(view)):
        raise lost(view)
    return before and replace(before, step=max(before.step, _reached(view)))


def current(view: View) -> dict[str, Held]:
    """By name, those of the two Secrets that hold what the provider wrote last: not one that somebody put back from before."""
    whole = _whole(view)
    last = max(_reached(view), *(each.step for each in whole.values()), 0)
    return {name: each for name, each in whole.items() if each.step >= last}


def step(view: View) -> int:
    """Which one is in the Secrets. What is held may be one further, as long as they lack what a backup brought."""
    return max((each.step for each in current(view).values()), default=0)


def mark(view: View) -> str:
    """The key that pods need to find in the Secret beside its file: without it a kubelet, whose cache may be late, starts none.

    Empty where no mark was made: by a version of before, until the file is another.
    """
    found = [each for each in _marked(view, [SECRET(view.name)]) if each <= step(view)]
    return f"{MARK}{max(found)}" if found else ""


def marks(view: View, file: bytes, after: Held) -> dict[str, bytes]:
    """Of the files that there were, the steps at which they came: so that pods made for one of before start as well.

    Not of all steps, for some only note what is known of the store.
    """
    now, whole = current(view), _whole(view)
    found = list(now or whole or [names.encryption_brought_secret(view.name)])
    known = {each for each in _marked(view, found) if each <= after.step}
    if (whole and not now) or not any(view.secret(each).get(FILE) == file for each in found):
        known.add(after.step)
    return {f"{MARK}{each}": b"" for each in sorted(known)[-MARKS:]}


def held_if_whole(view: View) -> Held | None:
    """The same, None also where it is lost: for those who say nothing of that."""
    try:
        return held(view)
    except Invalid:
        return None


def lost(view: View) -> Invalid:
    """What is said when there is no key to read what is stored."""
    both = " and ".join(each.secret(view.name) for each in NODES)
    return Invalid(
        "EncryptionKeyLost",
        f"objects of this tenant are stored encrypted, and neither of Secrets {both} in namespace {view.namespace} holds what"
        " the provider wrote last: without that key they cannot be read, and another is not made in its place. Pods that run"
        " have it still, and stay as they are: put one of the Secrets back from a backup of this cluster before they end; or"
        " have a TenantRestore with spec.inPlace bring it together with the objects of its backup",
    )


def read(secret: Manifest) -> Held | None:
    """None when it is not as it was written: cut, changed by hand, with another key under the name of one."""
    content, notes = meta.decoded(secret).get(FILE), meta.annotations_of(secret)
    if content is None or notes.get(names.ANNOTATION_CHECKSUM) != _checksum_of_file(content):
        return None
    try:
        return Held(
            document=document.read(content),
            step=int(notes.get(names.ANNOTATION_STEP, "")),
            key=notes.get(names.ANNOTATION_ENCRYPTS_WITH, ""),
            turn=notes.get(names.ANNOTATION_ROTATED, ""),
            made=_moment(notes.get(names.ANNOTATION_MADE, "")),
            by=notes.get(names.ANNOTATION_WRITTEN_BY, ""),
            since=_moment(notes.get(names.ANNOTATION_WRITTEN_SINCE, "")),
        )
    except ValueError:
        return None


def noted(found: Held, file: bytes) -> dict[str, str]:
    """Annotations of the Secrets. The checksum is of the file alone: marks beside it come and go."""
    said = {
        names.ANNOTATION_CHECKSUM: _checksum_of_file(file),
        names.ANNOTATION_STEP: str(found.step),
        names.ANNOTATION_ENCRYPTS_WITH: found.key,
        names.ANNOTATION_ROTATED: found.turn,
        names.ANNOTATION_MADE: timestamp(found.made) if found.made else "",
        names.ANNOTATION_WRITTEN_BY: found.by,
        names.ANNOTATION_WRITTEN_SINCE: timestamp(found.since) if found.since else "",
    }
    return {key: value for key, value in said.items() if value}


def mounted(view: View) -> bool:
    """Whether pods have the configuration. Invalid when it is lost."""
    found = held(view)
    return found is not None and found.mounted


def facts(view: View, found: Held | None, asked: Wish) -> Facts:
    """What the next step depends on."""
    requested = found is not None and asked.request not in ("", found.turn)
    old = age.reached(view, REQUEST, found.made if found else None)
    return Facts(
        asked=requested or old or credential.rotation_asked(view, SECRET(view.name)),
        settled=rotation.settled(view, SECRET(view.name), LABEL),
        rewritten=(seen := known(view)) is not None and seen.done,
        unused=rotation.unused(view),
        forgotten=not _remembered(view),
    )


def order(view: View) -> Order | None:
    """What has to be written once more, now. None while pods change over, nobody serves, or it is as wished."""
    asked, found = wish.of(view), held(view)
    if found is None or not found.mounted or phases.steady(found, asked) or not phases.writes_as_wished(found, asked):
        return None
    busy = view.restoring or (view.move is not None and view.move.phase in migration.UNDER_WAY)
    if busy or not view.serving or view.store is None or not rotation.settled(view, SECRET(view.name), LABEL):
        return None
    elsewhere = {each.resource: each.data_store for each in view.overrides}
    return Order(
        document=_checksum(view),
        resources={
            each: (elsewhere.get(override(each), view.store.name), found.document.wanted(each))
            for each in found.document.writers
        },
    )


def again(view: View) -> float | None:
    """Seconds until the key is old enough to be replaced by itself; None: never."""
    found = held_if_whole(view)
    return age.wait(view, [age.due(view, REQUEST, found.made)]) if found else None


def begins(view: View) -> bool:
    """Whether a first key is to be made: then it matters whether the store holds what another one encrypted."""
    return wish.of(view).on and held(view) is None


def concerns(view: View) -> bool:
    """Whether there is anything to tell: somebody asks for it, or did."""
    asked = bool(meta.annotations_of(view.raw).get(names.ANNOTATION_ENCRYPT))
    return asked or _remembered(view) or SECRET(view.name) in {key[2] for key in view.seen.objects}


def known(view: View) -> Stored | None:
    """What is known of the stored objects, of those that the document as it stands is about."""
    return view.stored if view.stored is not None and view.stored.document == _checksum(view) else None


def standing(view: View) -> dict[str, Manifest]:
    """By name, those of the two Secrets that there are."""
    found = ((name := each.secret(view.name), view.seen.get(kinds.SECRET, name, view.namespace)) for each in NODES)
    return {name: each for name, each in found if each}


def over(view: View) -> bool:
    """Whether no status tells of an encryption and no pod is to have one any more, though pods of before may still run."""
    template = rotation.started(view)[:1] if view.deployment else rotation.started(view)
    return not _told(view).get("checksum") and not any(LABEL in meta.labels_of(each) for each in template)


def _checksum_of_file(file: bytes) -> str:
    return checksum.of({FILE: file})


def _checksum(view: View) -> str:
    return checksum.of(view.secret(SECRET(view.name)))


def _marked(view: View, secrets: Iterable[str]) -> set[int]:
    keys = {each for name in secrets for each in view.secret(name) if each.startswith(MARK)}
    return {int(number) for each in keys if (number := each.removeprefix(MARK)).isdecimal()}


def _whole(view: View) -> dict[str, Held]:
    return {name: found for name, each in standing(view).items() if (found := read(each)) is not None}


def _recalled(view: View) -> Held | None:
    """One of before, where it has the key by which everything is written by now, as the status says."""
    told = _told(view)
    if told.get("phase") != "Encrypted":
        return None
    for each in _whole(view).values():
        for reader in each.document.readers:
            if reader.words == told.get("writer"):
                return phases.recalled(each, reader, told.get("resources") or (), _reached(view))
    return None


def _told(view: View) -> Mapping[str, Any]:
    """What the status said last."""
    return (view.status.get("storage") or {}).get("encryption") or {}


def _reached(view: View) -> int:
    """The step that pods may run with already."""
    return int(_told(view).get("step") or 0)


def _remembered(view: View) -> bool:
    """Whether a status or pods tell of an encryption."""
    return bool(_told(view).get("checksum")) or any(LABEL in meta.labels_of(each) for each in rotation.started(view))


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
