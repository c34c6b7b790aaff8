"""docs/settings.md is what provider/settings.py says, and that says something of each setting."""

from __future__ import annotations

from dataclasses import fields

from docs import settings as page
from docs.evidence import ROOT
from provider.settings import Settings


def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page.page(), "run `make generate`"


def test_each_setting_has_words_beside_it() -> None:
    said = page.comments()
    assert set(said) == {each.name for each in fields(Settings)}
    assert not [name for name, words in said.items() if len(words) < 10]
