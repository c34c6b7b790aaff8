"""What the running provider does not import, because nobody needs it there; asked in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

RUNNING = """
import sys
from provider.cluster import spare
spare.imports()
import kopf
from provider.cluster import connect
from provider.hosting import handlers
from provider.capi import handlers as others
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def imported() -> set[str]:
    done = subprocess.run([sys.executable, "-c", RUNNING], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["kubernetes.dynamic", "kubernetes.utils", "kubernetes.config", "kubernetes.watch"])
def test_the_synchronous_client_is_not_there(imported: set[str], module: str) -> None:
    assert "kubernetes.aio.client.rest" in imported
    assert module not in imported


@pytest.mark.parametrize("driver", ["asyncmy", "psycopg", "nats"])
def test_clients_of_databases_come_with_the_first_such_store(imported: set[str], driver: str) -> None:
    assert "etcd3aio" in imported
    assert driver not in imported


def test_traces_cost_nothing_until_somebody_takes_them(imported: set[str]) -> None:
    assert "provider.telemetry.tracing" in imported
    assert not [each for each in imported if each.startswith("opentelemetry")]
