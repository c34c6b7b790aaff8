"""The site of docs/ is built strictly, asks no other host for anything, and its pictures are those that the code draws."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from docs import __main__ as made
from docs import links
from docs.evidence import REPOSITORY, ROOT

ELSEWHERE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
LOADED = {"src", "srcset", "data", "poster", "action"}
"""Attributes of any element by which a browser asks for something without being told to."""
PICTURES = [name for name in made.PAGES if name.endswith(".svg")]


def build(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", *arguments]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build("--site-dir", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


class Asked(HTMLParser):
    """What a browser asks for when it shows a page, and what Material's script would ask for because of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.found += [value for name, value in said.items() if name in LOADED]
        if tag == "link" and said.get("rel") not in ("next", "prev", "canonical"):
            self.found.append(said.get("href", ""))
        if "mermaid" in said.get("class", "").split() or said.get("data-md-component") == "source":
            self.found.append("https://of-the-script")


def test_no_page_asks_another_host_for_anything(site: Path) -> None:
    pages = {each: Asked(each.read_text()).found for each in site.rglob("*.html")}
    assert len(pages) > 70
    assert all(pages.values()), "each has its style and its script"
    assert not {str(page): found for page, asked in pages.items() if (found := [*filter(ELSEWHERE.match, asked)])}


def test_no_style_and_no_picture_asks_another_host_for_anything(site: Path) -> None:
    styles = [*site.rglob("*.css"), *site.rglob("*.svg")]
    assert styles
    for each in styles:
        asked = re.findall(r"""(?:url\(|@import|href=)\s*["']?([^"')\s]+)""", each.read_text())
        assert not [*filter(ELSEWHERE.match, asked)], each


def test_a_page_that_asked_would_be_found() -> None:
    for text in ("<img src='//x/y'>", "<link rel=preconnect href=https://x>", "<pre class='mermaid'>"):
        assert [*filter(ELSEWHERE.match, Asked(text).found)]


def small(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """A site with the settings of ours and one page."""
    pages = ["index.md", *links.PAGES.values(), "decisions/index.md", links.MEASURED]
    settings = {"INHERIT": str(ROOT / "mkdocs.yml"), "hooks": [str(ROOT / "docs" / "links.py")], "nav": pages}
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text(f"# Small\n\n{text}\n")
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings))
    return build("--config-file", str(folder / "mkdocs.yml"))


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    broken = ["nowhere.md", "../nowhere.py", "index.md#not-there", "../SECURITY.md#not-there-either", "/absolute.md"]
    done = small(tmp_path, " ".join(f"[a]({each})" for each in broken))
    assert done.returncode != 0
    assert not [each for each in broken if each.rpartition("/")[2].partition("#")[2] not in done.stderr]
    assert done.stderr.count("WARNING") == len(broken), "and nothing else is wrong"


def test_a_link_out_of_the_pages_leads_to_the_sites_own_or_to_the_repository(tmp_path: Path) -> None:
    done = small(tmp_path, "[a](../SECURITY.md) [b](../tests/conftest.py) [c](promises.toml) [d](../docs/decisions)")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "build" / "site" / "index.html").read_text()
    for each in ("reporting.html", "decisions/index.html"):
        assert f'href="{each}"' in page
    for each in ("tests/conftest.py", "docs/promises.toml"):
        assert f'href="{REPOSITORY}/{each}"' in page


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_the_code_draws(name: str) -> None:
    assert (ROOT / name).read_text() == made.PAGES[name](), "run `make generate`"


def test_no_word_of_a_picture_leaves_its_box() -> None:
    """By the mean width of a letter in a common font of that size."""
    for name in PICTURES:
        for wide, text in re.findall(r"width='(\d+)' height='\d+' rx='6'[^>]*>(.*)", (ROOT / name).read_text()):
            for line in re.findall(r"<text[^>]*>([^<]*)<", text):
                assert len(unescape(line)) * 6.9 < int(wide) + 8, (name, line)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda each: each.name)
def test_a_page_says_nothing_that_only_the_site_or_only_a_forge_can_show(page: Path) -> None:
    assert not re.findall(r"^ *(?:!!!|\?\?\?|:::|===|```mermaid|> \[!).*", page.read_text(), re.MULTILINE)


def test_what_is_new_can_be_put_into_the_changelog() -> None:
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "0.0.0", "--date", "2000-01-01"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fragments = [each for each in (ROOT / "changelog.d").iterdir() if each.name != ".gitkeep"]
    kinds = {each.name.split(".")[-2] for each in fragments}
    assert kinds <= {"new", "mended", "breaking"}
    assert all(each.read_text().strip() in done.stdout for each in fragments)
