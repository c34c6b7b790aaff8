"""The steps by which stored objects come to be encrypted, with another key, or plain again: one pass, one step at most. Pure.

Read: whoever shall write can be read by every pod. Write: once all pods can, it writes. Rewrite: what lies in the store is
written once more (`reconcile.encrypting`). Drop: once nothing is left that takes another, the others go. Switching on, another
key, another list of resources, a plugin and switching off are all these steps with another goal, which may change at any time:
the steps look at what is held and at what is wanted, and not at how it came so. At no time can what anybody wrote not be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from provider.hosting.encryption.document import PLAIN, Document, Key, Plugin, Reader


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a user asks for."""

    resources: tuple[str, ...] = ()  # none: nothing is to be encrypted
    plugin: str = ""  # socket of a KMS plugin; empty: a key of ours
    request: str = ""  # each new value asks for another key once

    @property
    def on(self) -> bool:
        """Whether anything is to be encrypted."""
        return bool(self.resources)


@dataclass(frozen=True, kw_only=True)
class Held:
    """All that is known of a tenant's encryption, in the Secret and its copy."""

    document: Document = field(default_factory=Document)
    step: int = 1  # of two copies the one that went further counts, also of two that one tenant had at different times
    key: str = ""  # which key of ours shall write, where no plugin does
    turn: str = ""  # the request that was carried out last
    made: datetime | None = None  # since when that key is there
    by: str = ""  # by whom all stored objects of the resources are known to be written; empty: some may be plain
    since: datetime | None = None  # since when

    @property
    def mounted(self) -> bool:
        """Whether pods have it: what is left of an encryption that was switched off, none has."""
        return bool(self.document.writers)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is seen."""

    asked: bool = False  # another key is asked for, and that is not carried out yet
    settled: bool = False  # every pod runs with what is held now, and is ready
    rewritten: bool = False  # everything in the store was written by whom the document says
    unused: bool = False  # nothing ever ran that could not read what others write
    forgotten: bool = False  # no pod has it mounted, and no status tells of it


@dataclass(frozen=True, kw_only=True)
class Making:
    """Where another key comes from, and when."""

    fresh: Callable[[], Key]
    now: datetime


def advanced(held: Held | None, wish: Wish, facts: Facts, making: Making) -> Held | None:
    """What is held after this pass; the same while nothing is to be done, None while there is nothing to hold."""
    if held is None:
        return _begun(wish, facts, making) if wish.on else None
    if not wish.on and not held.mounted:
        return None if facts.forgotten else held
    following = _step(held, wish, facts, making)
    return held if following == held else replace(following, step=held.step + 1)


def joined(held: Held, brought: Held | None) -> Held:
    """What can read whatever either of them can, and writes as the first does: of objects of before that came beside it."""
    if brought is None:
        return held
    document = Document({**brought.document.writers, **held.document.writers}, held.document.readers)
    for each in brought.document.readers:
        document = document.read_by(each)
    return replace(held, document=document, by="", step=max(held.step, brought.step) + 1)


def silent(held: Held) -> Held:
    """What can read the same and writes plain: where pods run without it, as when somebody puts back a Secret of before."""
    writers = dict.fromkeys(held.document.writers, PLAIN)
    if writers == held.document.writers:
        return held
    return replace(held, document=replace(held.document, writers=writers), by="", step=held.step + 1)


def recalled(held: Held, writer: Reader, resources: Iterable[str], step: int) -> Held:
    """One of before, by which everything can be read that a later one of that step had written: with this writer."""
    document = Document(dict.fromkeys(resources, writer.name), held.document.readers)
    return replace(held, document=document, key=writer.name if isinstance(writer, Key) else "", by="", step=step + 1)


def goal(held: Held, wish: Wish) -> Document | None:
    """What the document shall be in the end; None while who shall write is not even there."""
    if not wish.on:
        return Document()
    writer = _writer(held, wish)
    return Document(dict.fromkeys(wish.resources, writer.name), (writer,)) if writer else None


def writes_as_wished(held: Held, wish: Wish) -> bool:
    """Whether nobody writes otherwise any more, once the pods run with what is held."""
    return (aim := goal(held, wish)) is not None and held.document.writers == _wanted(held, aim)


def steady(held: Held, wish: Wish) -> bool:
    """Whether all is as wished, in the store as well."""
    aim = goal(held, wish)
    return aim is not None and held.document == aim and (not wish.on or held.by == aim.readers[0].name)


def _begun(wish: Wish, facts: Facts, making: Making) -> Held:
    """Where pods run, they learn to read before any of them writes so. It begins with a step that no former one has reached."""
    writer: Reader = Plugin(wish.plugin) if wish.plugin else making.fresh()
    name = writer.name if facts.unused else PLAIN
    document, step = Document(dict.fromkeys(wish.resources, name), (writer,)), int(making.now.timestamp())
    held = Held(document=document, step=step, turn=wish.request)
    return replace(held, key=writer.name, made=making.now) if isinstance(writer, Key) else held


def _step(held: Held, wish: Wish, facts: Facts, making: Making) -> Held:
    if wish.on and not wish.plugin and (_writer(held, wish) is None or (facts.asked and steady(held, wish))):
        return _another(held, wish, making)
    if (readable := _readable(held, wish)) != held:
        return readable
    aim = goal(held, wish)
    assert aim is not None, "who shall write is there by now"
    if not facts.settled:
        return held
    if (wanted := _wanted(held, aim)) != held.document.writers:
        by = "" if PLAIN in wanted.values() else held.by
        return replace(held, document=replace(held.document, writers=wanted), by=by)
    if steady(held, wish) or not facts.rewritten:
        return held
    name = aim.readers[0].name if aim.readers else ""
    key = "" if wish.plugin or not wish.on else held.key
    return replace(held, document=aim, key=key, by=name, since=making.now if name else None)


def _another(held: Held, wish: Wish, making: Making) -> Held:
    """One more key, which every pod shall be able to read before it writes."""
    key = making.fresh()
    document = held.document.read_by(key)
    return _readable(replace(held, document=document, key=key.name, made=making.now, turn=wish.request), wish)


def _readable(held: Held, wish: Wish) -> Held:
    """Who shall write is a reader, and what shall be encrypted is covered, plain as yet."""
    document, writer = held.document, _writer(held, wish)
    more = {each: PLAIN for each in wish.resources if each not in document.writers}
    if writer is not None:
        document = document.read_by(writer)
    document = replace(document, writers={**document.writers, **more})
    return replace(held, document=document, by="" if more else held.by)


def _writer(held: Held, wish: Wish) -> Reader | None:
    """Who shall write: the plugin, or the key that was made last. None where there is none yet, or nobody shall."""
    if not wish.on:
        return None
    if wish.plugin:
        return Plugin(wish.plugin)
    found = held.document.reader(held.key)
    return found if isinstance(found, Key) else None


def _wanted(held: Held, aim: Document) -> dict[str, str]:
    return {each: aim.writers.get(each, PLAIN) for each in held.document.writers}
