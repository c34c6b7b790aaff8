"""Hook of mkdocs: the site of docs/. A link that leads out of docs/ goes on to the site's own page of that file, or to the
repository, so that the same page is right on a forge and in the site. Not run by `python -m docs`.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

from docs.evidence import REPOSITORY, ROOT

PAGES = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
}
"""Pages of the site that lie outside docs/, where forges look for them."""
DECISIONS, MEASURED = "decisions", "benchmarks/README.md"
LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")
FENCE = re.compile(r"^(`{3,})sh \w+$", re.MULTILINE)
CELL, CODE = re.compile(r"<td.*?</td>", re.DOTALL), re.compile(r"<code>[^<]{16,}</code>")
UNMEASURED = "Nothing has been measured for this page yet: `make bench` and `lab bench --docs` write it.\n"


def on_config(config: Any) -> Any:
    """Decisions are named in the nav as they are found."""
    for each in config["nav"]:
        if isinstance(each, dict) and "Decisions" in each:
            each["Decisions"] = [f"{DECISIONS}/index.md", *(f"{DECISIONS}/{name}" for name in decisions())]
    return config


def on_files(files: Files, config: Any) -> Files:
    """What lies elsewhere, or is made of names alone, comes along."""
    made = {page: (ROOT / source).read_text() for source, page in PAGES.items()}
    made[f"{DECISIONS}/index.md"] = _decided()
    if not (ROOT / "docs" / MEASURED).exists():
        made[MEASURED] = f"# Measured\n\n{UNMEASURED}"
    made[PAGES["CHANGELOG.md"]] += _unreleased()
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Links as this page of the site needs them, and fences without the word that is for tests."""
    source = page.file.src_uri
    origin = next((path for path, name in PAGES.items() if name == source), f"docs/{source}")

    def led(match: re.Match[str]) -> str:
        before, target, anchor, after = match.groups()
        return f"{before}{leads(origin, target, source, files)}{anchor or ''}{after}"

    return FENCE.sub(r"\1sh", LINK.sub(led, markdown))


def on_page_content(html: str, **_: Any) -> str:
    """Long names in tables may break behind their dots and strokes, and not anywhere."""
    return CELL.sub(lambda cell: CODE.sub(_breakable, cell[0]), html)


def leads(origin: str, target: str, source: str, files: Files) -> str:
    """Where a link goes that a file of the tree (origin) says, from a page of the site (source)."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
    inside = PAGES.get(path) or path.removeprefix("docs/") if path in PAGES or path.startswith("docs/") else ""
    inside = f"{DECISIONS}/index.md" if inside == DECISIONS else inside
    found = files.get_file_from_path(inside) if inside else None
    if found and found.inclusion is not InclusionLevel.EXCLUDED:
        return posixpath.relpath(inside, posixpath.dirname(source) or ".")
    return f"{REPOSITORY}/{path}" if (ROOT / path).exists() else target


def decisions() -> list[str]:
    """Files, by number."""
    return sorted(each.name for each in (ROOT / "docs" / DECISIONS).glob("*.md"))


def _decided() -> str:
    rows = [f"- [{_title(name)}]({name})" for name in decisions()]
    head = "# Decisions\n\nWhat was decided, why, and what it costs; a page each.\n\n"
    return head + "\n".join(rows) + "\n"


def _breakable(code: re.Match[str]) -> str:
    return re.sub(r"(?<=\w)([./_=,]|\[\]\.)(?=\w)", r"\1<wbr>", code[0])


def _unreleased() -> str:
    found = sorted((ROOT / "changelog.d").glob("*.md"))
    lines = [f"- {each.read_text().strip()}" for each in found]
    return "\n## Not released yet\n\n" + "\n".join(lines) + "\n" if lines else ""


def _title(name: str) -> str:
    return (ROOT / "docs" / DECISIONS / name).read_text().splitlines()[0].removeprefix("# ")
