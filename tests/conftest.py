"""What holds for every ring: rewriting golden files, how hard hypothesis looks, which file begins, what a run tells."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import recording, sharing
from tests.telling import Telling

LONG_RINGS = {"integration", "conformance", "e2e"}
# Deadlines measure the machine, not the code. In CI every run tries the same examples, so that a red one can be repeated.
EVERYWHERE = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("here", EVERYWHERE)
settings.register_profile("ci", EVERYWHERE, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden/*/expected from what the code says now"
    )
    parser.addoption(
        "--write-proof",
        action="store_true",
        help="write docs/rotation-proof.md from what this run of rotations has seen",
    )
    parser.addoption(
        "--ask-every", type=float, default=0.1, help="seconds from one question of a client to its next in rotations"
    )
    parser.addoption(
        "--soak-seconds", type=float, default=3600.0, help="for how long certificates of minutes are left to themselves"
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Telling(terminal, files=config.getoption("dist", "no") == "loadfile"))
        recording.describe(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if {each.path.relative_to(sharing.RING).parts[0] for each in items} & LONG_RINGS:
        items.sort(key=lambda each: sharing.order(each.path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> sharing.LongestFirst | None:
    return sharing.LongestFirst(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
