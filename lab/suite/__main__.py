"""`lab conformance`: makes the cluster under test, runs the suite in pieces, and writes the page. Runs inside the lab."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from rich.console import Console

from lab import state
from lab.demo import VERSION
from lab.state import Lab
from lab.suite import cluster, report, specs
from lab.suite.run import Outcome, Suite

HANDS = 3  # pieces at once; the specs wait more than they work


def main() -> None:
    """Run what is not done yet, then tell all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", action="store_true", help="write docs/conformance/")
    parser.add_argument("--anew", action="store_true", help="forget what earlier runs did")
    parser.add_argument("--again", action="store_true", help="run pieces again in which something failed")
    parser.add_argument("--only", default="", help="pieces whose name begins so, as sig-network")
    asked, console = parser.parse_args(), Console()
    results = state.cache() / "conformance" / VERSION
    if asked.anew and results.exists():
        shutil.rmtree(results)
    results.mkdir(parents=True, exist_ok=True)
    suite = Suite(results / "kubeconfig", results, console)
    cluster.ready(Lab(os.environ["CAPI_KAMAJI_LAB"]), suite.kubeconfig)
    chosen = [each for each in specs.pieces(specs.conformance()) if each.name.startswith(asked.only)]
    if asked.again:
        suite.forget_failed(chosen)
    suite.go(chosen, HANDS)
    outcomes = [outcome for piece in chosen for outcome in suite.outcomes(piece)]
    _tell(console, results, outcomes, docs=asked.docs)
    raise SystemExit(0 if all(each.passed for each in outcomes) else 1)


def _tell(console: Console, results: Path, outcomes: list[Outcome], *, docs: bool) -> None:
    junit = results / "junit_01.xml"
    report.merged(sorted(each for each in results.glob("*.xml") if each != junit), junit)
    for each in outcomes:
        if not each.passed:
            console.print(f"[red]✗[/] {each.text}\n  {' '.join(each.message.split())[:400]}", markup=True)
    console.print(
        f"{sum(each.passed for each in outcomes)} of {len(outcomes)} specs passed; their words are in {results}"
    )
    if docs:
        report.DOCS.mkdir(parents=True, exist_ok=True)
        (report.DOCS / f"{VERSION}.md").write_text(report.Run(VERSION, outcomes, junit).page())
        (report.DOCS / f"{VERSION}-PRODUCT.yaml").write_text(report.product(VERSION, "v0.1.0"))


if __name__ == "__main__":
    main()
