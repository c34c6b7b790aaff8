"""A kind that others serve is looked up, remembered for a while, and followed when it goes on to another version."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from provider.cluster import client
from provider.cluster.client import Cluster
from provider.cluster.transport import Request


@dataclass
class Serving:
    """An API server that serves Widgets in one version."""

    version: str = "v1"
    asked: list[str] = field(default_factory=list)

    server = "https://somewhere"

    async def send(self, request: Request) -> bytes:
        self.asked.append(request.path)
        version = {"version": self.version}
        widgets = [{"kind": "Widget", "name": "widgets", "namespaced": True}]
        return json.dumps({"preferredVersion": version, "versions": [version], "resources": widgets}).encode()


async def version_of(cluster: Cluster) -> str:
    return (await cluster.discover("example.com", "Widget")).api_version


async def test_a_kind_is_looked_up_once_and_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    serving = Serving()
    cluster = Cluster(serving)  # type: ignore[arg-type]
    assert [await version_of(cluster) for _ in range(3)] == ["example.com/v1"] * 3
    assert len(serving.asked) == 2
    serving.version = "v2"
    later = client.time.monotonic() + client.DISCOVERED
    monkeypatch.setattr(client.time, "monotonic", lambda: later)
    assert await version_of(cluster) == "example.com/v2"
