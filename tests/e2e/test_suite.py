"""A choice of Kubernetes' own conformance specs against a cluster made by clusterctl, its control plane hosted.

`make conformance` runs all of them. The choice (lab/suite/choice.toml) has some of each API group, and what crosses the tunnel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from rich.console import Console

from lab.demo import Demo
from lab.state import Lab
from lab.suite import cluster, specs
from lab.suite.run import Outcome, Suite

pytestmark = pytest.mark.nightly

HANDS = 3


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """What came of each spec that is asked for, by the words of the choice."""
    calls = (getattr(each, "callspec", None) for each in request.session.items if each.path == request.path)
    asked = [call.params["words"] for call in calls if call]
    wanted = {words: spec for words, spec in specs.chosen(specs.conformance()).items() if words in asked}
    lab, folder = Lab(os.environ["CAPI_KAMAJI_LAB"]), tmp_path_factory.mktemp("suite")
    suite, pieces = Suite(folder / "kubeconfig", folder, Console()), specs.pieces(wanted.values())
    cluster.ready(lab, suite.kubeconfig)
    suite.go(pieces, HANDS)
    found = {each.text: each for piece in pieces for each in suite.outcomes(piece)}
    yield {words: found[spec.text] for words, spec in wanted.items()}
    Demo(lab, suite.kubeconfig, cluster.NAME).deleted()


@pytest.mark.parametrize("words", specs.CHOICE)
def test_a_conformance_spec_of_kubernetes_passes(words: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[words].passed, f"{outcomes[words].state}: {outcomes[words].message}"
