"""The runbook knows every reason for which one has to wait or look somewhere, once."""

from __future__ import annotations

from collections import Counter

from docs import runbook as page
from docs.evidence import ROOT
from provider.overview import runbook
from tests.architecture import reasons

WELL = {"Ready", "AuthEnabled", "Measured", "TunnelWorks", "NoNodes"}
"""Reasons that are only given with a condition that is True."""


def test_every_reason_has_its_advice() -> None:
    known = {reason for group, _ in runbook.groups() for reason in group} | WELL
    missing = {(reason, file) for reason, file in reasons.waits() if reason not in known}
    assert not missing, "provider/overview/runbook.toml says nothing of these"


def test_no_reason_has_two_pieces_of_advice() -> None:
    counted = Counter(reason for group, _ in runbook.groups() for reason in group)
    assert [each for each, times in counted.items() if times > 1] == []


def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs/runbook.md").read_text() == page.page(), "run `make generate`"
