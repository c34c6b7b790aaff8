"""An etcd that is known to let one tenant reach another's keys is refused, and so is one that does not say what it is."""

from __future__ import annotations

import pytest

from provider.hosting.datastores.errors import IsolationUnsafe
from provider.hosting.datastores.etcd import versions


@pytest.mark.parametrize("version", ["3.6.14", "3.6.20", "3.7.1", "3.7.9", "3.8.0", "4.0.0", "3.10.0", "3.7.1+build.5"])
def test_a_version_with_all_fixes_is_taken(version: str) -> None:
    versions.check(version)


@pytest.mark.parametrize("version", ["3.6.13", "3.6.0", "3.7.0", "3.5.99", "3.4.0", "2.3.8", "3.6.9"])
def test_an_older_one_is_refused_with_what_to_run(version: str) -> None:
    with pytest.raises(IsolationUnsafe) as caught:
        versions.check(version)
    assert str(caught.value) == (
        f"etcd {version} has known ways for one tenant to reach another's keys: run 3.6.14 or later, or 3.7.1 or later"
    )


@pytest.mark.parametrize("version", ["3.7.1-rc.0", "3.6.14-rc.1", "3.6.14-alpha.0+build", "3.7.0-rc.9"])
def test_a_pre_release_of_the_first_safe_one_is_older_than_it_and_refused(version: str) -> None:
    with pytest.raises(IsolationUnsafe, match="has known ways"):
        versions.check(version)


@pytest.mark.parametrize("version", ["3.7.2-rc.0", "3.6.15-rc.0", "3.8.1-rc.0"])
def test_a_pre_release_that_follows_a_safe_one_is_taken(version: str) -> None:
    versions.check(version)


@pytest.mark.parametrize("version", ["3.8.0-alpha.0", "4.0.0-rc.1"])
def test_a_pre_release_that_begins_a_minor_may_lack_the_fixes_and_is_not_trusted(version: str) -> None:
    with pytest.raises(IsolationUnsafe, match="cannot be judged"):
        versions.check(version)


@pytest.mark.parametrize("version", ["", "3.6", "v3.6.14", "latest", "3.6.14.1", "3.six.14", "not set"])
def test_what_cannot_be_read_is_not_trusted(version: str) -> None:
    with pytest.raises(IsolationUnsafe, match="cannot be judged"):
        versions.check(version)
