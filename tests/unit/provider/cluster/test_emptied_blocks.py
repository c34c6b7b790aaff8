from __future__ import annotations

from typing import Any

import pytest

from provider.cluster import ownership

OWNED = {
    "f:spec": {
        "f:addons": {"f:coreDNS": {".": {}, "f:imageTag": {}, "f:imageRepository": {}}, "f:kubeProxy": {}},
        "f:network": {"f:names": {}},
        "f:ports": {'k:{"name":"x"}': {"f:port": {}}},
        "f:whole": {},
    }
}


@pytest.mark.parametrize(
    ("said", "patch"),
    [
        (
            {"addons": {"coreDNS": {}, "kubeProxy": {}}},
            {"addons": {"coreDNS": {"imageTag": None, "imageRepository": None}}},
        ),
        ({"addons": {}}, {"addons": {"coreDNS": None, "kubeProxy": None}}),
        ({"addons": {"coreDNS": {"imageTag": "v2"}}}, {}),  # something is left: apply does the rest
        ({"replicas": 1}, {}),  # the block itself goes: likewise
        ({"network": {}, "whole": {}}, {"network": {"names": None}}),
        ({"ports": [{}], "new": {}}, {}),
    ],
)
def test_what_was_in_a_block_that_shall_be_empty_is_taken_away_first(said: Any, patch: Any) -> None:
    assert ownership.emptied({"kind": "X", "spec": said}, OWNED) == ({"spec": patch} if patch else {})


def test_of_an_object_that_we_never_applied_nothing_is_taken_away() -> None:
    assert ownership.emptied({"kind": "X", "spec": {"addons": {}}}, {}) == {}
