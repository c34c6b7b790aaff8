"""What a run of the suite is told as: a page of docs/conformance/, one junit file, and the form of the CNCF's programme."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from junitparser import JUnitXml, TestSuite

from lab.suite.run import Outcome
from lab.suite.specs import Spec

DOCS = Path(__file__).parents[2] / "docs" / "conformance"
HEAD = """\
# Kubernetes' conformance specs, {version}

Made by `make conformance`: every [Conformance] spec of Kubernetes' own end-to-end suite, built unchanged from its module,
against a cluster whose control plane is hosted. {setup}

{count} specs: {tally}. junit file: `{digest}`.

| group | specs | passed |
|---|---|---|
"""
SETUP = (
    "The cluster was made by `clusterctl` on the lab: two lab machines as workers, konnectivity, CoreDNS and kube-proxy as we "
    "install them, and the bridge CNI with a route to each node, which is all that the specs ask: pods of two nodes reach each "
    "other, and host ports."
)


@dataclass(frozen=True)
class Run:
    """All that is known of one run."""

    version: str
    outcomes: Sequence[Outcome]
    junit: Path

    def page(self, setup: str = SETUP) -> str:
        """The page of it, in Markdown."""
        states = Counter(each.state for each in self.outcomes)
        tally = ", ".join(f"{count} {state}" for state, count in states.most_common())
        digest = f"sha256:{hashlib.sha256(self.junit.read_bytes()).hexdigest()}"
        head = HEAD.format(version=self.version, setup=setup, count=len(self.outcomes), tally=tally, digest=digest)
        groups: dict[str, list[Outcome]] = defaultdict(list)
        for each in self.outcomes:
            groups[Spec(each.text).sig].append(each)
        rows = [
            f"| {sig} | {len(group)} | {sum(each.passed for each in group)} |" for sig, group in sorted(groups.items())
        ]
        return head + "\n".join([*rows, *self._failures()]) + "\n"

    def _failures(self) -> list[str]:
        failed = [each for each in self.outcomes if not each.passed]
        told = [f"- {each.text}: {' '.join(each.message.split())[:300]}" for each in failed]
        return ["", "## What failed", "", *told] if failed else []


def merged(parts: Sequence[Path], target: Path) -> None:
    """One junit file of the pieces', without the specs that a piece passed over."""
    whole = TestSuite("Kubernetes e2e suite")
    for part in parts:
        for suite in JUnitXml.fromfile(str(part)):
            for case in suite:
                if not case.is_skipped and case.name.startswith("[It]"):
                    whole.add_testcase(case)
    found = JUnitXml()
    found.add_testsuite(whole)
    found.write(str(target))


def product(version: str, release: str) -> str:
    """The form of the CNCF's conformance programme (PRODUCT.yaml), where the project can fill it in."""
    return yaml.safe_dump(
        {
            "vendor": "capi-kamaji",
            "name": "capi-kamaji",
            "version": release,
            "website_url": "https://github.com/capi-kamaji/capi-kamaji",
            "repo_url": "https://github.com/capi-kamaji/capi-kamaji",
            "documentation_url": "https://github.com/capi-kamaji/capi-kamaji/tree/main/docs",
            "product_logo_url": "",
            "type": "installer",
            "description": f"Kubernetes {version} with hosted control planes",
        },
        sort_keys=False,
    )
