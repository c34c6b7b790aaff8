"""The commands as such: all are documented, wrong ones are told, and tables fit where they are shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from provider.cli import duration
from provider.cli.app import app
from provider.cli.trouble import Trouble
from tests.terminal import COLOUR, shown, widest

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/command-line.md").read_text()
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
PROGRAM = "from provider.cli.app import main; main()"


def test_every_command_is_in_the_page_and_every_command_of_the_page_is_there() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    told = {found for line in rows for found in re.findall(r"`([a-z-]+)", line.split("|")[1])}
    assert told == set(COMMANDS)


def test_help_and_wrong_use_need_no_kubernetes_client() -> None:
    check = (
        "import sys\n"
        "from provider.cli.app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "assert not {'kubernetes', 'pydantic', 'cryptography', 'aiohttp'} & set(sys.modules), sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_who_connects_imports_nothing_of_the_synchronous_client() -> None:
    check = (
        "import sys\n"
        "from provider.cli.app import app\n"
        "app(['--kubeconfig', '/absent', 'get'], standalone_mode=False)\n"
        "assert 'kubernetes.aio.client.rest' in sys.modules\n"
        "assert not {'kubernetes.client', 'kubernetes.dynamic', 'kubernetes.stream'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, "no answer" in done.stderr) == (0, True), done.stderr


def test_lists_need_neither_models_nor_builders() -> None:
    heavy = {"provider.api.model", "provider.hosting.view"}
    check = f"import sys, provider.cli.commands.fleet\nassert not {heavy} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_a_shell_completes_the_names_of_commands() -> None:
    program = "import sys; sys.argv = ['kamaji']; from provider.cli.app import main; main()"
    asked = {"_KAMAJI_COMPLETE": "complete_bash", "COMP_WORDS": "kamaji ba", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **asked},
    )
    assert done.stdout.split() == ["backup", "backups"], done.stderr


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("90s", 90), ("15m", 900), ("24h", 86400), ("7d", 604800)])
def test_a_time_is_a_number_and_a_letter(text: str, seconds: int) -> None:
    assert duration.read(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "h", "15", "tomorrow", "-1h", "1.5h", "٣h", "1234567s"])
def test_what_is_no_time_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(Trouble, match="90s, 30m, 24h or 7d"):
        duration.read(text)


TABLE = """
from provider.cli import output
from provider.cli.format import Format
columns = [output.Column(each.upper(), each) for each in ("namespace", "name", "state", "endpoint", "why")]
row = {"namespace": "a-team", "name": "demo", "state": "NotReady", "endpoint": "10.0.0.1:6443"}
row |= {"why": "word " * 30 + "\\x1b[2J"}
output.rows([row], columns, Format.TABLE, "")
"""


def test_in_a_terminal_of_sixty_columns_lines_are_folded_and_nothing_is_cut() -> None:
    found = shown(TABLE, NO_COLOR="1")
    assert not COLOUR.search(found)
    assert widest(found) <= 60
    assert found.count("word") == 30


def test_colour_is_for_terminals_that_want_it_and_a_cell_brings_none_of_its_own() -> None:
    assert COLOUR.search(shown(TABLE))
    assert "[2J" in shown(TABLE)
    assert "\x1b[2J" not in shown(TABLE)
    assert not COLOUR.search(shown(TABLE, TERM="dumb"))
