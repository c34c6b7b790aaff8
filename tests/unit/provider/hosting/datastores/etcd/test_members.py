"""Which members are dialled under one name: those whose certificates say it, in one IP family."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from provider.hosting.datastores.etcd import members
from provider.hosting.datastores.etcd.members import Address, Target
from provider.manifest.x509 import Pair

PAIR = Pair(certificate=b"", key=b"")
PLACES = {
    "a.example": [(socket.AF_INET, "10.0.0.1")],
    "b.example": [(socket.AF_INET, "10.0.0.2")],
    "six.example": [(socket.AF_INET6, "fd00::1")],
    "both.example": [(socket.AF_INET6, "fd00::2"), (socket.AF_INET, "10.0.0.3")],
}
OWN = {each: [each] for each in PLACES}
SHARED = {each: ["a.example", "b.example", "six.example"] for each in PLACES}


def certificate(*names: str) -> dict[str, Any]:
    return {"subjectAltName": tuple(("DNS", each) for each in names)}


async def target(
    monkeypatch: pytest.MonkeyPatch, endpoints: Sequence[str], up: Mapping[str, Sequence[str]]
) -> Target | None:
    """`up`: names in the certificate of each host, or address, that answers."""

    async def resolved(endpoint: str) -> list[Address]:
        host = members.host_of(endpoint)
        return [Address(host, family, address, 2379) for family, address in PLACES.get(host, ())]

    async def answers(found: Sequence[Address], *_: Any) -> dict[Address, Mapping[str, Any]]:
        return {each: certificate(*up[each.host]) for each in found if each.host in up and each.address not in DOWN}

    monkeypatch.setattr(members, "_resolved", resolved)
    monkeypatch.setattr(members, "_answers", answers)
    return await members.target([f"{each}:2379" for each in endpoints], b"", PAIR)


DOWN = {"fd00::2"}


@pytest.mark.parametrize(
    ("endpoints", "up", "uri", "name"),
    [
        (["a.example"], {}, "ipv4:10.0.0.1:2379", "a.example"),
        (["six.example"], {}, "ipv6:[fd00::1]:2379", "six.example"),
        (["a.example", "b.example"], SHARED, "ipv4:10.0.0.1:2379,10.0.0.2:2379", "a.example"),
        (["a.example", "b.example"], OWN, "ipv4:10.0.0.1:2379", "a.example"),
        (["a.example", "b.example"], {"b.example": ["b.example"]}, "ipv4:10.0.0.2:2379", "b.example"),
        (["six.example", "a.example"], SHARED, "ipv6:[fd00::1]:2379", "six.example"),
        (["a.example", "b.example"], {}, "ipv4:10.0.0.1:2379", "a.example"),
        (["gone.example", "b.example"], {}, "ipv4:10.0.0.2:2379", "b.example"),
        (["both.example"], OWN, "ipv4:10.0.0.3:2379", "both.example"),
    ],
    ids=[
        "one member",
        "one of IPv6",
        "one certificate for all",
        "a certificate each",
        "a certificate each and the first down",
        "two families",
        "all down",
        "a name that is gone",
        "a name with an address that does not answer",
    ],
)
async def test_who_is_dialled(
    monkeypatch: pytest.MonkeyPatch, endpoints: list[str], up: dict[str, list[str]], uri: str, name: str
) -> None:
    assert await target(monkeypatch, endpoints, up) == Target(uri, name)


async def test_nobody_is_dialled_when_nothing_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await target(monkeypatch, ["gone.example"], {}) is None


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        ([("DNS", "a.example")], "A.example", True),
        ([("DNS", "*.etcd.example")], "etcd-0.etcd.example", True),
        ([("DNS", "*.etcd.example")], "deep.etcd-0.etcd.example", False),
        ([("DNS", "a.example")], "b.example", False),
        ([("DNS", "10.0.0.1")], "10.0.0.1", False),
        ([("IP Address", "10.0.0.1")], "10.0.0.1", True),
        ([("IP Address", "FD00:0:0:0:0:0:0:1")], "fd00::1", True),
        ([], "a.example", False),
    ],
)
def test_what_a_certificate_vouches_for(names: list[tuple[str, str]], host: str, good: bool) -> None:
    assert members.vouches({"subjectAltName": tuple(names)}, host) is good
