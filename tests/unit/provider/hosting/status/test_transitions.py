"""Events tell of what changed between two statuses, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from provider.hosting.status import transitions


def condition(kind: str, status: str, reason: str = "Reason", message: str = "message") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def version(word: str, installed: str | None = "v1.36.3") -> dict[str, Any]:
    return {"kubernetesResources": {"version": {"status": word} | ({"version": installed} if installed else {})}}


def secret(group: str, key: str, checksum: str) -> dict[str, Any]:
    return {group: {key: {"secretName": f"demo-{key}", "checksum": checksum, "lastUpdate": "now"}}}


READY, NOT_READY = (
    {"conditions": [condition("Ready", each, "DataStoreGone", "create it")]} for each in ("True", "False")
)
SETUP = {"storage": {"dataStoreName": "default", "setup": {"schema": "s", "user": "u"}}}


def stalled(reason: str) -> dict[str, Any]:
    return {"conditions": [condition("Stalled", "True", reason)]}


def rotation(reason: str) -> dict[str, Any]:
    return {"conditions": [condition("RotationComplete", "False", reason)]}


def stored(status: str, reason: str) -> dict[str, Any]:
    return {"conditions": [condition("Encrypted", status, reason)]}


def held(reason: str) -> dict[str, Any]:
    return {"conditions": [*READY["conditions"], condition("RolledOut", "False", reason)]}


def block(checksum: str) -> dict[str, Any]:
    return {"storage": {"encryption": {"secretName": "demo-encryption", "checksum": checksum}}}


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "the first birth": ({}, version("Provisioning", None) | NOT_READY, []),
    "ready for the first time": (NOT_READY, READY, ["Ready"]),
    "ready at once": ({}, READY, ["Ready"]),
    "no longer ready": (READY, NOT_READY, ["NotReady"]),
    "another reason while not ready": (NOT_READY, {"conditions": [condition("Ready", "False", "Other")]}, []),
    "an upgrade begins": (version("Ready", "v1.35.4"), version("Upgrading", "v1.35.4"), ["Upgrading"]),
    "an upgrade ends": (version("Upgrading", "v1.35.4"), version("Ready"), ["Upgraded"]),
    "to sleep": (version("Ready"), version("Sleeping"), ["Sleeping"]),
    "awake": (version("Sleeping"), version("NotReady"), ["Waking"]),
    "limited": (version("Ready"), version("WriteLimited"), ["WriteLimited"]),
    "limited no more": (version("WriteLimited"), version("Ready"), ["WritesAllowed"]),
    "another authority": (
        version("Ready") | secret("certificates", "ca", "a"),
        version("CertificateAuthorityRotating") | secret("certificates", "ca", "b"),
        ["CertificateAuthorityRotating", "AuthorityReplaced"],
    ),
    "a certificate renewed": (
        secret("kubeconfig", "admin", "a"),
        secret("kubeconfig", "admin", "b"),
        ["CertificatesRenewed"],
    ),
    "a first certificate": ({}, secret("kubeconfig", "admin", "a"), []),
    "a refusal": ({}, stalled("FlagManaged"), ["FlagManaged"]),
    "the same refusal": (stalled("FlagManaged"), stalled("FlagManaged"), []),
    "another refusal": (stalled("FlagManaged"), stalled("VersionTooOld"), ["VersionTooOld"]),
    "a keyspace": ({}, SETUP, ["KeyspaceClaimed"]),
    "a keyspace that was there": (SETUP, SETUP, []),
    "another endpoint": ({"controlPlaneEndpoint": "a:1"}, {"controlPlaneEndpoint": "b:1"}, ["EndpointChanged"]),
    "the first endpoint": ({}, {"controlPlaneEndpoint": "b:1"}, []),
    "a rotation begins": ({}, rotation("Preparing"), ["RotationPreparing"]),
    "a rotation goes on": (rotation("Preparing"), rotation("Signing"), ["RotationSigning"]),
    "a rotation waits": (rotation("Signing"), rotation("Signing"), []),
    "a rotation ends": (rotation("NodesBehind"), {}, ["RotationComplete"]),
    "encryption begins": ({}, stored("False", "Preparing"), ["EncryptionPreparing"]),
    "pods change over": (stored("False", "Preparing"), stored("False", "Writing"), []),
    "objects are written once more": (
        stored("False", "Writing"),
        stored("False", "Rewriting"),
        ["EncryptionRewriting"],
    ),
    "all is encrypted": (stored("False", "Rewriting"), stored("True", "Encrypted"), ["Encrypted"]),
    "another key takes over": (stored("True", "Encrypted"), stored("True", "Preparing"), ["EncryptionPreparing"]),
    "all is encrypted anew": (stored("True", "Rewriting"), stored("True", "Encrypted"), ["Encrypted"]),
    "nothing is encrypted any more": (stored("False", "Rewriting"), {}, ["StoredPlain"]),
    "another step of an encryption": (block("a"), block("b"), []),
    "new pods do not start": (READY, held("ContainerFails"), ["RolloutHeld"]),
    "they still do not": (held("ContainerFails"), held("ContainerFails"), []),
    "for another reason": (held("ContainerFails"), held("Unschedulable"), ["RolloutHeld"]),
    "now they do": (held("Unschedulable"), READY, []),
    "the end of a pause": ({"conditions": [condition("Paused", "True")]}, READY, ["Ready", "Resumed"]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_happened_is_told_once(case: str) -> None:
    before, after, reasons = CASES[case]
    assert [each.reason for each in transitions.of(before, after)] == reasons


@pytest.mark.parametrize("case", CASES)
def test_a_status_that_stands_tells_nothing(case: str) -> None:
    _, after, _ = CASES[case]
    assert list(transitions.of(after, after)) == []


def test_what_needs_somebody_is_a_warning_and_says_why() -> None:
    (told,) = transitions.of(READY, NOT_READY)
    assert told.warning and told.note == "DataStoreGone: create it"
    (renewed,) = transitions.of(secret("kubeconfig", "admin", "a"), secret("kubeconfig", "admin", "b"))
    assert not renewed.warning and "demo-admin" in renewed.note
