"""Programs that are taken out of Debian packages: found where they were unpacked, and missed with advice."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import debian


def test_a_program_that_was_not_unpacked_is_missed_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(debian.HostError, match="promtool is not there: run `lab build`"):
        debian.path("promtool")


def test_of_several_versions_the_last_is_taken_and_none_that_is_half_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "capi-kamaji" / "debian" / "prometheus"
    for version in ("prometheus_2.42.0_amd64", "prometheus_2.53.1_amd64"):
        (folder / version).mkdir(parents=True)
        (folder / version / "promtool").touch()
    half = folder / "prometheus_3.0.0_amd64.whole" / "usr" / "bin"
    half.mkdir(parents=True)
    (half / "promtool").touch()
    assert debian.path("promtool") == folder / "prometheus_2.53.1_amd64" / "promtool"
