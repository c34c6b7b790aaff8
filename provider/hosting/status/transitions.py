"""What an Event is worth: a TenantControlPlane that became Ready or is no longer, upgrades, sleeps, is refused. Pure.

Told from two statuses, the one that stood and the one that was written, so a pass that changes nothing tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from provider.api import credentials
from provider.api.credentials.node import Node
from provider.manifest.condition import find
from provider.manifest.happening import Happening

Status = Mapping[str, Any]

TOLD = tuple(each for each in credentials.OF_TENANT if each.status and each.sort != "cipher")
SIGNING = ("authority", "key")
WORDS = {
    "CertificateAuthorityRotating": "pods change to another authority, or to what they trust beside it",
    "Migrating": "the tenant's keys move to the DataStore that spec.dataStore names; it is served meanwhile",
    "Sleeping": "replicas are 0: nothing runs, all is kept",
    "Upgrading": "{version} serves until the pods of the new version do",
    "WriteLimited": "what may be written inside is limited by spec.writePermissions",
}
"""Words of the phase that are worth an Event, and what it says."""


def of(before: Status, after: Status) -> Iterator[Happening]:
    """What happened between two statuses of one TenantControlPlane."""
    yield from readiness(before, after)
    yield from _phase(before, after)
    yield from _rollout(before, after)
    yield from _conditions(before, after)
    yield from _keys(before, after)
    yield from expiry(before, after)
    yield from _places(before, after)


def readiness(before: Status, after: Status) -> Iterator[Happening]:
    """Ready came or went. Also of other kinds with that condition."""
    was, now = (find(each.get("conditions"), "Ready") or {} for each in (before, after))
    if now.get("status") == "True" and was.get("status") != "True":
        yield Happening("Ready", str(now.get("message") or ""))
    elif was.get("status") == "True" and now.get("status") != "True":
        yield Happening("NotReady", f"{now.get('reason')}: {now.get('message')}", warning=True)


def expiry(before: Status, after: Status) -> Iterator[Happening]:
    """Something that nobody renews comes nearer to its end. Also of DataStores."""
    was, now = (find(each.get("conditions"), "ExpiringSoon") or {} for each in (before, after))
    if now and now.get("reason") != was.get("reason"):
        yield Happening("ExpiringSoon", f"{now['reason']}: {now['message']}", warning=True)


def _phase(before: Status, after: Status) -> Iterator[Happening]:
    was, now = (_version(each) for each in (before, after))
    if was.get("version") and now.get("version") != was.get("version"):
        yield Happening("Upgraded", f"every pod runs {now.get('version')}; it was {was.get('version')} before")
    former, word = was.get("status"), str(now.get("status"))
    if not former or former == word:
        return
    if former == "Sleeping":
        yield Happening("Waking", "replicas are above 0 again")
    if (former, word) == ("WriteLimited", "Ready"):
        yield Happening("WritesAllowed", "spec.writePermissions limits nothing any more")
    if word in WORDS:
        note = WORDS[word].format(version=now.get("version"))
        yield Happening(word, note)


def _rollout(before: Status, after: Status) -> Iterator[Happening]:
    """New pods do not start, and the old ones serve on."""
    was, now = (find(each.get("conditions"), "RolledOut") or {} for each in (before, after))
    if now and _said(now) != _said(was):
        yield Happening("RolloutHeld", f"{now['reason']}: {now['message']}", warning=True)


def _conditions(before: Status, after: Status) -> Iterator[Happening]:
    """What is refused or given up, and the end of a pause."""
    was, now = (find(each.get("conditions"), "Stalled") or {} for each in (before, after))
    if now.get("status") == "True" and _said(now) != _said(was):
        yield Happening(str(now["reason"]), str(now["message"]), warning=True)
    was, now = (find(each.get("conditions"), "StorageWithinLimits") or {} for each in (before, after))
    if now.get("status") == "False" and now.get("reason") != was.get("reason"):
        yield Happening(str(now["reason"]), str(now["message"]), warning=True)
    elif was.get("status") == "False" and now.get("status") != "False":
        yield Happening(
            "StorageWithinLimits", "objects inside can be made and changed, as far as it is up to their size"
        )
    was, now = (find(each.get("conditions"), "Migrated") or {} for each in (before, after))
    if now.get("status") == "True" and was.get("status") != "True":
        yield Happening("Migrated", str(now["message"]))
    was, now = (find(each.get("conditions"), "Paused") or {} for each in (before, after))
    if was.get("status") == "True" and not now:
        yield Happening("Resumed", "the pause is over")
    was, now = (find(each.get("conditions"), "RotationComplete") or {} for each in (before, after))
    if now and now.get("reason") != was.get("reason"):
        yield Happening(f"Rotation{now['reason']}", str(now["message"]))
    elif was and not now:
        yield Happening("RotationComplete", "nothing former is trusted any more")
    yield from _encryption(before, after)


def _encryption(before: Status, after: Status) -> Iterator[Happening]:
    """Of stored objects; that a key is lost is told as whatever is refused."""
    was, now = (find(each.get("conditions"), "Encrypted") or {} for each in (before, after))
    if now.get("status") == "True" and was.get("reason") != "Encrypted" and now.get("reason") == "Encrypted":
        yield Happening("Encrypted", str(now["message"]))
    elif now.get("reason") in ("Preparing", "Rewriting") and now.get("reason") != was.get("reason"):
        yield Happening(f"Encryption{now['reason']}", str(now["message"]))
    elif was and not now:
        yield Happening("StoredPlain", "nothing is stored encrypted any more")


def _keys(before: Status, after: Status) -> Iterator[Happening]:
    if renewed := _changed(before, after, [each for each in TOLD if each.sort not in SIGNING]):
        yield Happening("CertificatesRenewed", f"made anew: Secret {', '.join(renewed)}")
    if replaced := _changed(before, after, [each for each in TOLD if each.sort in SIGNING]):
        yield Happening("AuthorityReplaced", f"another content: Secret {', '.join(replaced)}", warning=True)


def _places(before: Status, after: Status) -> Iterator[Happening]:
    was, now = (str(each.get("controlPlaneEndpoint") or "") for each in (before, after))
    if was and now and was != now:
        yield Happening("EndpointChanged", f"clients dial {now}; it was {was}")
    storage = after.get("storage") or {}
    setup = storage.get("setup") or {}
    if setup.get("schema") and not ((before.get("storage") or {}).get("setup") or {}).get("schema"):
        yield Happening("KeyspaceClaimed", f"keyspace {setup['schema']} in DataStore {storage.get('dataStoreName')}")


def _changed(before: Status, after: Status, nodes: Iterable[Node]) -> list[str]:
    """Names of Secrets whose checksum was another one before; not of those that are new."""
    found = []
    for node in nodes:
        was, now = (_block(each, node) for each in (before, after))
        if was.get("checksum") and now.get("checksum") and was["checksum"] != now["checksum"]:
            found.append(str(now.get("secretName")))
    return found


def _block(status: Status, node: Node) -> Mapping[str, Any]:
    for each in node.status:
        status = status.get(each) or {}
    return status


def _version(status: Status) -> Mapping[str, Any]:
    return (status.get("kubernetesResources") or {}).get("version") or {}


def _said(condition: Mapping[str, Any]) -> tuple[Any, Any]:
    return (condition.get("reason"), condition.get("message"))
