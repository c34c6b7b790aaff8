"""What there is to run: the suite's own list of its conformance specs, cut into pieces that can be taken one by one."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import programs

FOCUS = r"\[Conformance\]"
SERIAL = "[Serial]"  # the suite says it in words: of one process ginkgo has nothing to keep apart
CHOICE: tuple[str, ...] = tuple(tomllib.loads(Path(__file__).with_name("choice.toml").read_text())["specs"])
SIZE = 8  # specs of a piece: some minutes' work


@dataclass(frozen=True, order=True)
class Spec:
    """One spec, by the text that ginkgo puts together from what is around it."""

    text: str
    serial: bool = False  # may not run beside others

    @property
    def sig(self) -> str:
        """The special interest group that answers for it, as `sig-apps`."""
        found = re.match(r"\[(sig-[a-z-]+)\]", self.text)
        return found[1] if found else "other"


@dataclass(frozen=True)
class Piece:
    """A few specs that run in one process."""

    name: str
    specs: tuple[Spec, ...]

    @property
    def serial(self) -> bool:
        """Whether nothing else may run beside it."""
        return any(each.serial for each in self.specs)


def conformance() -> list[Spec]:
    """Every conformance spec of the suite, in its own order."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [str(programs.path("e2e.test")), "--ginkgo.dry-run", f"--ginkgo.focus={FOCUS}"]
        command.append(f"--ginkgo.json-report={report}")
        subprocess.run(command, check=True, capture_output=True, text=True)
        found = [each for each in specs_of(json.loads(report.read_text())) if each["State"] == "passed"]
    return [Spec(text(each), SERIAL in text(each)) for each in found]


def chosen(specs: Sequence[Spec]) -> dict[str, Spec]:
    """The choice of them that tests run, by the words of `choice.toml`. ValueError when words name none, or several."""
    found = {}
    for words in CHOICE:
        named = [each for each in specs if words in each.text]
        if len(named) != 1:
            raise ValueError(f"choice.toml: {len(named)} conformance specs are called {words!r}")
        found[words] = named[0]
    return found


def specs_of(report: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The specs of a ginkgo report, without what is done before and after all of them."""
    return [each for suite in report for each in suite["SpecReports"] or () if each["LeafNodeType"] == "It"]


def text(report: dict[str, Any]) -> str:
    """A spec's whole text, as a focus is held against."""
    return " ".join([*(report["ContainerHierarchyTexts"] or ()), report["LeafNodeText"]])


def pieces(specs: Iterable[Spec], size: int = SIZE) -> list[Piece]:
    """All of them, those of one group together, serial ones apart and last."""
    groups: dict[tuple[bool, str], list[Spec]] = defaultdict(list)
    for each in specs:
        groups[each.serial, each.sig].append(each)
    return [
        Piece(f"{sig}{'-serial' if serial else ''}-{start // size + 1:02}", tuple(group[start : start + size]))
        for (serial, sig), group in sorted(groups.items())
        for start in range(0, len(group), size)
    ]


def focus(specs: Iterable[Spec]) -> str:
    """A regular expression of Go that fits these specs and no others."""
    return "(" + "|".join(_quoted(each.text) for each in specs) + ")$"


def _quoted(words: str) -> str:
    """As regexp.QuoteMeta: what Python's re.escape adds, Go does not know."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", words)
