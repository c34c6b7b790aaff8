"""Runs pieces of the suite against a cluster and keeps what came of each: a run that was ended goes on where it stopped."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lab import programs
from lab.suite.specs import Piece, focus, specs_of, text

LIMIT = 3600.0  # seconds for one piece; the suite's own patience with each spec is shorter


class SuiteError(Exception):
    """The suite ended without a report; says where its words are."""


@dataclass(frozen=True)
class Outcome:
    """What came of one spec."""

    text: str
    state: str  # ginkgo's: passed, failed, timedout, panicked…
    seconds: float
    message: str = ""

    @property
    def passed(self) -> bool:
        """Whether it did."""
        return self.state == "passed"


@dataclass(frozen=True)
class Suite:
    """The suite against one cluster, and the folder that remembers it."""

    kubeconfig: Path
    results: Path
    console: Console

    def go(self, pieces: Sequence[Piece], hands: int) -> None:
        """Run what is not done yet: `hands` pieces at once, then the serial ones alone. One line a piece."""
        self.results.mkdir(parents=True, exist_ok=True)
        open_ones = [each for each in pieces if not self._report(each).exists()]
        beside = [each for each in open_ones if not each.serial]
        with ThreadPoolExecutor(hands) as pool:
            for _ in pool.map(self._run, beside):
                pass
        for each in open_ones:
            if each.serial:
                self._run(each)

    def forget_failed(self, pieces: Sequence[Piece]) -> None:
        """Let pieces in which something failed be run again."""
        for each in pieces:
            if self._report(each).exists() and not all(outcome.passed for outcome in self.outcomes(each)):
                self._report(each).unlink()

    def outcomes(self, piece: Piece) -> list[Outcome]:
        """What came of a piece. SuiteError when it was not run to its end."""
        if not self._report(piece).exists():
            raise SuiteError(f"{piece.name} has not run to its end; see {self._log(piece)}")
        wanted = {each.text for each in piece.specs}
        found = specs_of(json.loads(self._report(piece).read_text()))
        return [_outcome(each) for each in found if text(each) in wanted]

    def _run(self, piece: Piece) -> None:
        started, unfinished = time.monotonic(), self._report(piece).with_suffix(".unfinished")
        with self._log(piece).open("w") as log:
            subprocess.run(
                [
                    *self._command(piece),
                    f"--ginkgo.json-report={unfinished}",
                    f"--ginkgo.junit-report={piece.name}.xml",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
                cwd=self.results,
                timeout=LIMIT,
                check=False,  # the report says what failed
            )
        if not unfinished.exists():
            raise SuiteError(f"{piece.name}: the suite wrote no report; see {self._log(piece)}")
        unfinished.rename(self._report(piece))
        counted = Counter("passed" if each.passed else "failed" for each in self.outcomes(piece))
        said = ", ".join(f"{count} {state}" for state, count in sorted(counted.items(), reverse=True))
        mark = "[red]✗[/]" if counted["failed"] else "[green]✓[/]"
        self.console.print(f"{mark} {piece.name}: {said} [dim]{time.monotonic() - started:.0f} s[/]")

    def _command(self, piece: Piece) -> list[str]:
        return [
            str(programs.path("e2e.test")),
            f"--kubeconfig={self.kubeconfig}",
            "--provider=skeleton",
            f"--kubectl-path={programs.path('kubectl')}",
            "--disable-log-dump",
            f"--ginkgo.focus={focus(piece.specs)}",
            "--ginkgo.no-color",
            f"--ginkgo.timeout={LIMIT:.0f}s",
        ]

    def _report(self, piece: Piece) -> Path:
        return self.results / f"{piece.name}.json"

    def _log(self, piece: Piece) -> Path:
        return self.results / f"{piece.name}.log"


def _outcome(report: dict[str, Any]) -> Outcome:
    failure: dict[str, Any] = report.get("Failure") or {}
    return Outcome(text(report), report["State"], report["RunTime"] / 1e9, failure.get("Message", ""))
