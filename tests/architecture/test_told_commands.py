"""What pages tell people to type is there: commands and options of `kamaji` and `lab`, targets of make. Fences have a mark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from docs.evidence import ROOT
from lab.__main__ import app as lab
from provider.cli.app import app as kamaji
from tests.blocks import FENCE, fences

PROGRAMS = {"kamaji": typer.main.get_command(kamaji), "lab": typer.main.get_command(lab)}
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
MARKS = {"", "live", "unrun"}
COMMAND = re.compile(r"(?:^|&& |-- )(?:\.?venv/bin/)?(kamaji|lab|make) ((?:[^\n|;&`#()\\]|\\\n)+)", re.MULTILINE)


def told(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Program and words of each command in a block or between backticks; `lab run -- COMMAND` is two."""
    text = page.read_text()
    blocks = [block for language, _, block in fences(page) if language == "sh"]
    for each in [*blocks, *re.findall(r"`([^`\n]+)`", FENCE.sub("", text))]:
        for line in each.replace("\\\n", " ").replace(" -- ", " --\n").splitlines():
            for program, rest in COMMAND.findall(line):
                yield program, rest.replace("…", "").split()


def follow(program: str, words: list[str]) -> None:
    """Down the tree of commands, then the options of the one that is meant. AssertionError says what is not there."""
    command, options = PROGRAMS[program], {"--help", "--"}
    for parameter in command.params:
        options |= {*parameter.opts, *parameter.secondary_opts}
    while words and hasattr(command, "commands") and re.match(r"[a-z]", words[0]):
        assert words[0] in command.commands, f"{program} has no {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    for parameter in command.params:
        options |= {*parameter.opts, *parameter.secondary_opts}
    said = {each.split("=")[0] for each in words if each.startswith("-") and each != "-"}
    assert said <= options, f"{program} {command.name} has no {said - options}"


@pytest.mark.parametrize("page", PAGES, ids=lambda each: each.name)
def test_a_command_that_a_page_tells_is_there(page: Path) -> None:
    for program, words in told(page):
        if program == "make":
            assert words[0] in TARGETS, words
        else:
            follow(program, words)


def test_commands_are_found() -> None:
    found = [each for page in PAGES for each in told(page)]
    assert {program for program, _ in found} == {"kamaji", "lab", "make"}
    assert len(found) > 60


@pytest.mark.parametrize("page", PAGES, ids=lambda each: each.name)
def test_a_block_is_marked_as_what_it_is_and_a_page_says_why_one_is_not_run(page: Path) -> None:
    marks = {mark for _, mark, _ in fences(page)}
    assert marks <= MARKS
    if "unrun" in marks:
        assert re.search(r"[Nn]o test runs|run by no test", page.read_text()), "say why"
