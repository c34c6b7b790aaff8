"""Makes `docs/conformance.md`: each row of the acceptance list, its tests, and what the last run of each said.

Rows are in `tests/conformance/acceptance.toml`; `make generate` makes the page. `make recorded` first takes what pytest wrote
of a run (`build/junit/*.xml`) into `tests/conformance/recorded.json`, and nobody else writes there. A row is green when all of
its tests were run and have passed, each in its last run. A test fails when the page is stale or a row has no test.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
ROWS, PAGE = ROOT / "tests" / "conformance" / "acceptance.toml", ROOT / "docs" / "conformance.md"
RECORD = ROOT / "tests" / "conformance" / "recorded.json"
FOLDERS = ("tests/conformance", "tests/e2e", "tests/lab")
NAMED = re.compile(r"test_a(\d+)_(.+)")
WORST = ("failed", "skipped", "passed")
SAID = ("cluster-api", "kubernetes", "commit")  # of each run, by tests/conftest.py
Run = dict[str, Any]
HEAD = """# The contract of Cluster API, row by row

Made from `tests/conformance/acceptance.toml`, the names of the tests and what their last run said (`make recorded`, `make
generate`). A row is green when every test of it has passed in its last run; one that was not run, or skipped, is not.

The conformance ring runs before a real kube-apiserver and etcd with Cluster API's own CRDs and the rights of `config/rbac`; A7,
A9, A10, A11 and A17 with its core, its kubeadm bootstrap provider and clusterctl; A5 with the infrastructure providers' own
CRDs; A19 with two management clusters side by side; A22 with the managers and webhooks of infrastructure providers and a
simulated vCenter. From A19 on the rows are ours, beyond the contract. Tests of `e2e` and `lab`, and most of those that are
named elsewhere, are in the lab, with pods and workers.

"""
TABLE = """
| row | what | tests | elsewhere | last run | not shown yet |
|---|---|---|---|---|---|
"""


@cache
def rows() -> dict[str, dict[str, Any]]:
    """The acceptance list."""
    return tomllib.loads(ROWS.read_text())


@cache
def tests() -> dict[str, list[tuple[str, str]]]:
    """Row → (file, function) of the tests that are named after it, in the order of files and lines."""
    found: dict[str, list[tuple[str, str]]] = {}
    for file in sorted(each for folder in FOLDERS for each in (ROOT / folder).rglob("test_*.py")):
        for name in functions(file):
            if match := NAMED.fullmatch(name):
                found.setdefault(f"A{int(match[1])}", []).append((str(file.relative_to(ROOT)), name))
    return found


def functions(file: Path) -> list[str]:
    """Names of the functions of a module."""
    parsed = ast.parse(file.read_text()).body
    return [each.name for each in parsed if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def all_of(row: str) -> list[str]:
    """Every test of a row, those that are named elsewhere too, as `path::function`."""
    named = [f"{file}::{name}" for file, name in tests().get(row, ())]
    return [*named, *rows()[row].get("elsewhere", ())]


# --- what runs said


def recorded() -> list[Run]:
    """The runs of which something is still the last word, the newest first."""
    found: list[Run] = json.loads(RECORD.read_text()) if RECORD.exists() else []
    return found


def outcomes(runs: Iterable[Run]) -> dict[str, str]:
    """The last word about each test; `runs` has the newest first."""
    found: dict[str, str] = {}
    for run in runs:
        for test, word in run["tests"].items():
            found.setdefault(test, word)
    return found


def read(file: Path) -> Run:
    """One run as pytest wrote it. Of a test with parameters the worst case counts."""
    (suite,) = ElementTree.parse(file).getroot().iter("testsuite")  # noqa: S314 - our own pytest wrote it
    said = {each.get("name"): each.get("value") for each in suite.iterfind("properties/property")}
    if said.get("choice", "unknown"):
        raise SystemExit(f"{file} is of a choice of tests ({said.get('choice', 'unknown')}): record whole files")
    found: dict[str, str] = {}
    for case in suite.iter("testcase"):
        test = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '').partition('[')[0]}"
        words = {"failure": "failed", "error": "failed", "skipped": "skipped"}
        now = [words[each.tag] for each in case if each.tag in words] or ["passed"]
        found[test] = min((*now, found.get(test, "passed")), key=WORST.index)
    return {"when": suite.get("timestamp", ""), **{each: said.get(each) for each in SAID}, "tests": found}


def merged(new: Iterable[Run], known: Iterable[Run], wanted: Iterable[str]) -> list[Run]:
    """All runs, the newest first, each with those of the wanted tests of which it is the last word."""
    left, found = set(wanted), []
    for run in sorted((*new, *known), key=lambda each: str(each["when"]), reverse=True):
        kept = {test: word for test, word in sorted(run["tests"].items()) if test in left}
        left -= kept.keys()
        if kept:
            found.append({**run, "tests": kept})
    return found


def record(files: Iterable[Path]) -> None:
    """Take runs into the record."""
    wanted = [test for row in rows() for test in all_of(row)]
    text = json.dumps(merged(map(read, files), recorded(), wanted), indent=1)
    RECORD.write_text(text + "\n")


def verdict(wanted: Iterable[str], said: Mapping[str, str]) -> str:
    """`green`, or why not."""
    counts: dict[str, int] = {}
    for test in wanted:
        word = said.get(test, "not run")
        counts[word] = counts.get(word, 0) + 1
    bad = [f"{count} {word}" for word, count in sorted(counts.items()) if word != "passed"]
    if not counts:
        return "open: no test"
    return f"open: {', '.join(bad)}" if bad else "green"


# --- the page


def page() -> str:
    """The table, and beneath it every test as a sentence."""
    named, lines, sentences, runs = tests(), [], [], recorded()
    said = outcomes(runs)
    for row, told in rows().items():
        files = dict.fromkeys(each.partition("::")[0] for each in told.get("elsewhere", ()))
        elsewhere = ", ".join(f"`{each}`" for each in files)
        count, state = len(named.get(row, ())), verdict(all_of(row), said)
        lines.append(f"| {row} | {told['what']} | {count} | {elsewhere} | {state} | {told.get('open', '')} |")
        sentences.append(f"\n## {row}\n")
        sentences += [_sentence(file, name, said) for file, name in named.get(row, ())]
    return HEAD + "\n".join([_runs(runs), TABLE.rstrip("\n"), *lines, *sentences]) + "\n"


def _runs(runs: Iterable[Run]) -> str:
    """Which runs the page speaks of."""
    lines = [
        f"- {run['when'][:10]}, Cluster API {run['cluster-api']}, Kubernetes {run['kubernetes']}, at {run['commit']}:"
        f" {len(run['tests'])} tests"
        for run in runs
    ]
    return "\n".join(lines) if lines else "No run is recorded."


def _sentence(file: str, name: str, said: Mapping[str, str]) -> str:
    match = NAMED.fullmatch(name)
    assert match is not None
    word = said.get(f"{file}::{name}", "not run")
    told = "" if word == "passed" else f", {word}"
    return f"- {match[2].replace('_', ' ')} (`{file.removeprefix('tests/')}`{told})"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        record(map(Path, sys.argv[2:]))
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}\n")
