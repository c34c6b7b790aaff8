"""Programs come from Go modules that are pinned by hash; what is built is named after what it is made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab import images, programs


def test_every_module_is_locked_by_hash() -> None:
    for module in programs.modules().values():
        folder = module.home
        assert f"{module.module} {module.version}" in (folder / "go.mod").read_text()
        assert f"{module.module} {module.version} h1:" in (folder / "go.sum").read_text()
        if module.tests:
            assert f'"{module.module}/' in "".join(each.read_text() for each in folder.glob("*_test.go"))
        else:
            assert (folder / "tools.go").read_text() == module.tools()


def test_the_staging_repositories_are_taken_at_the_release_of_the_same_minor_and_patch() -> None:
    text = programs.modules()["kubernetes"].go_mod(["k8s.io/api", "k8s.io/client-go"])
    assert "replace k8s.io/api => k8s.io/api v0.36.3" in text
    assert "godebug default=go1.26" in text


def test_a_program_carries_its_version_where_it_asks_for_one() -> None:
    flags = programs.modules()["kubernetes"].flags()
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in flags
    assert "-X" not in programs.modules()["etcd"].flags()


def test_another_version_is_built_into_another_folder() -> None:
    module = programs.modules()["etcd"]
    assert module.version in module.folder().name
    assert module.digest() in module.folder().name


def test_a_go_test_of_ours_is_named_after_what_it_says_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = programs.modules()["cluster-api-specs"]
    shutil.copytree(module.home, tmp_path / module.tests)
    monkeypatch.setattr(programs, "PROJECT", tmp_path)
    before = module.folder()
    with (tmp_path / module.tests / "specs_test.go").open("a") as test:
        test.write("// another spec")
    assert module.folder() != before


def test_a_program_of_our_own_is_built_from_its_folder_and_anew_when_its_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = programs.modules()["vcsim"]
    assert module.package("vcsim") == "./server"
    assert "server" not in module.tools()
    shutil.copytree(programs.MODULES / "vcsim", tmp_path / "vcsim")
    before = module.digest()
    monkeypatch.setattr(programs, "MODULES", tmp_path)
    assert module.digest() == before
    with (tmp_path / "vcsim" / "server" / "main.go").open("a") as source:
        source.write("// more\n")
    assert module.digest() != before


def test_an_unknown_program_is_said_to_be_unknown() -> None:
    with pytest.raises(KeyError, match=r"programs\.toml"):
        programs.module_of("no-such-program")


def test_every_image_is_of_a_program_that_is_built_or_of_debian_packages() -> None:
    for each in images.document()["image"]:
        if "program" in each:
            assert programs.module_of(each["program"])
            assert each["path"].startswith("/")
        else:
            assert each["base"] in images.document()["base"]
