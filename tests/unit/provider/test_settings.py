"""Settings come from KAMAJI_* alone, with a default each, and a value that cannot be read is named."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields
from datetime import timedelta

import pytest

from provider.settings import GATES, Settings


def test_without_an_environment_every_setting_has_its_default() -> None:
    assert Settings.from_environment({}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("KAMAJI_ROOMS", "capi", "rooms", "capi"),
        ("KAMAJI_WATCH_NAMESPACE", "", "watch_namespace", ""),
        ("KAMAJI_WORKERS", "3", "workers", 3),
        ("KAMAJI_STARTS_PER_CORE", "0.5", "starts_per_core", 0.5),
        ("KAMAJI_METRICS_PORT", "0", "metrics_port", 0),
        ("KAMAJI_STATUS_PAGE_PORT", "8082", "status_page_port", 8082),
        ("KAMAJI_CERTIFICATE_LIFE", "600", "leaf_life", timedelta(minutes=10)),
        ("KAMAJI_ROLLOUTS_AN_HOUR", "20", "rollouts_an_hour", 20),
        ("KAMAJI_LEADER_ELECT", "false", "leader_elect", False),
        ("KAMAJI_LEADER_ELECT", "True", "leader_elect", True),
    ],
)
def test_a_variable_sets_its_field(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(Settings.from_environment({variable: text}), field) == value


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("", set()),
        ("ExternalClusterReference=false,ExternalClusterReferenceCrossNamespace=false", set()),
        ("ExternalClusterReference=true", {"ExternalClusterReference"}),
        (" ExternalClusterReference=true, ExternalClusterReferenceCrossNamespace=True,", set(GATES)),
    ],
)
def test_feature_gates_are_off_unless_they_are_switched_on(text: str, on: set[str]) -> None:
    assert Settings(feature_gates=text).gates == on


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SkipInfraClusterPatch=true", "there is no feature gate 'SkipInfraClusterPatch'; there are ExternalCluster"),
        ("ExternalClusterReference", "'ExternalClusterReference' is neither ExternalClusterReference=true nor"),
        ("ExternalClusterReference=yes", "is neither"),
    ],
)
def test_a_feature_gate_that_cannot_be_read_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        _ = Settings(feature_gates=text).gates


@pytest.mark.parametrize(
    ("variable", "text", "kind"),
    [
        ("KAMAJI_WORKERS", "many", "int"),
        ("KAMAJI_WORKERS", "", "int"),
        ("KAMAJI_STARTS_PER_CORE", "one", "float"),
        ("KAMAJI_LEADER_ELECT", "yes", "bool"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_with_its_variable(variable: str, text: str, kind: str) -> None:
    with pytest.raises(ValueError, match=f"{variable}='{text}' is no {kind}"):
        Settings.from_environment({variable: text})


def test_what_is_not_ours_is_passed_over() -> None:
    assert Settings.from_environment({"WORKERS": "3", "KAMAJI_SOMETHING_ELSE": "x", "PATH": "/bin"}) == Settings()


def test_every_setting_is_of_a_kind_that_can_be_read() -> None:
    assert {str(each.type) for each in fields(Settings)} <= {"str", "int", "float", "bool"}


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().workers = 3  # type: ignore[misc]
