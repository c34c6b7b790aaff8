"""Which signatures cluster-info lacks, for which tokens; what tenants write there is taken for nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.api import kinds
from provider.hosting.desired.kubeadm import signature
from provider.manifest import Manifest, meta

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CONTENT = "kind: Config\n"
# The header that says how and for which token: {"alg":"HS256","kid":"abcdef"}
HEADER = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9.."


def token(name: str = "bootstrap-token-abcdef", kind: str = signature.TOKEN_TYPE, **said: str) -> Manifest:
    data = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true"} | {
        key.replace("_", "-"): value for key, value in said.items()
    }
    return meta.new(kinds.SECRET, name, "kube-system", type=kind, data=meta.secret_data(data))


def cluster_info(**data: str) -> Manifest:
    return meta.new(kinds.CONFIG_MAP, "cluster-info", "kube-public", data={"kubeconfig": CONTENT} | data)


def test_a_token_is_signed_for_once() -> None:
    found = signature.lacking(cluster_info(), [token()], NOW)
    assert list(found) == ["jws-kubeconfig-abcdef"]
    assert found["jws-kubeconfig-abcdef"].startswith(HEADER)
    assert signature.lacking(cluster_info(**found), [token()], NOW) == {}


def test_another_content_or_secret_is_another_signature() -> None:
    found = signature.lacking(cluster_info(), [token()], NOW)
    assert signature.lacking(cluster_info(**found), [token(token_secret="f" * 16)], NOW) != {}
    assert signature.lacking(cluster_info(**found, kubeconfig="other"), [token()], NOW) != {}


@pytest.mark.parametrize(
    "other",
    [
        token(kind="Opaque"),
        token(name="bootstrap-token-ghijkl"),
        token(usage_bootstrap_signing="false"),
        token(token_id="ABCDEF", name="bootstrap-token-ABCDEF"),
        token(token_id="abcdef\n", name="bootstrap-token-abcdef\n"),
        token(token_secret="short"),
        token(expiration="2026-05-31T23:59:59Z"),
        token(expiration="soon"),
        token(expiration="2027-01-01T00:00:00"),
    ],
    ids=["type", "name", "usage", "capitals", "line end", "secret", "expired", "no time", "no zone"],
)
def test_what_is_no_usable_token_is_passed_over(other: Manifest) -> None:
    assert signature.lacking(cluster_info(), [other], NOW) == {}


def test_before_there_is_anything_to_sign_nothing_is_signed() -> None:
    assert signature.lacking(meta.new(kinds.CONFIG_MAP, "cluster-info", "kube-public"), [token()], NOW) == {}


def test_a_token_that_has_not_expired_yet_is_signed_for() -> None:
    assert signature.lacking(cluster_info(), [token(expiration="2026-06-01T00:00:01Z")], NOW)


@given(
    st.dictionaries(st.sampled_from(["token_id", "token_secret", "expiration", "usage_bootstrap_signing"]), st.text())
)
def test_whatever_stands_in_a_secret_no_key_but_a_tokens_is_written(said: dict[str, Any]) -> None:
    found = signature.lacking(cluster_info(), [token(**said)], NOW)
    assert set(found) <= {"jws-kubeconfig-abcdef"}
