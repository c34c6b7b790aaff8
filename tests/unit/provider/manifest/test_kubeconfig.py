"""Kubeconfigs are read back only when they have one user with a certificate, and what others wrote never breaks us."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from provider.manifest import kubeconfig
from provider.manifest.kubeconfig import Kubeconfig
from provider.manifest.x509 import Pair

WHOLE = Kubeconfig(cluster="c", server="https://h:1", ca=b"CA", user="u", client=Pair(certificate=b"C", key=b"K"))


def document(**changes: Any) -> bytes:
    return yaml.safe_dump(yaml.safe_load(WHOLE.render()) | changes).encode()


def test_a_context_is_user_at_cluster_unless_it_is_given() -> None:
    assert kubeconfig.parse(WHOLE.render()).context == "u@c"
    named = Kubeconfig(cluster="c", server="s", ca=b"", user="u", client=WHOLE.client, context="mine")
    assert kubeconfig.parse(named.render()).context == "mine"


def test_of_several_the_current_one_counts() -> None:
    one, other = yaml.safe_load(WHOLE.render()), yaml.safe_load(WHOLE.render().replace(b"https://h:1", b"https://x:2"))
    for each in ("clusters", "users", "contexts"):
        other[each][0]["name"] = "other"
        one[each] = other[each] + one[each]
    assert kubeconfig.parse(yaml.safe_dump(one).encode()).server == "https://h:1"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"text",
        b"{",
        b"\xff\xfe",
        b"a: &a [*a]",
        document(**{"current-context": "absent"}),
        document(users=[]),
        document(users=None),
        document(users=[{"name": "u", "user": {"token": "t"}}]),
        document(contexts=[{"name": "u@c", "context": None}]),
        document(users=[{"name": "u", "user": {"client-certificate-data": "%", "client-key-data": "x"}}]),
        document(users=[{"name": "u", "user": {"client-certificate-data": "ü", "client-key-data": ""}}]),
    ],
)
def test_what_has_another_shape_is_no_kubeconfig_of_ours(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a kubeconfig"):
        kubeconfig.parse(content)


@given(st.binary(max_size=40))
def test_any_content_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a kubeconfig"):
        kubeconfig.parse(content)


@pytest.mark.parametrize("ca", [b"", b"\x00\xff", b"-----BEGIN CERTIFICATE-----\n"])
def test_discovery_names_server_and_authority_and_nobody(ca: bytes) -> None:
    found = yaml.safe_load(kubeconfig.discovery("https://h:1", ca))
    assert found["clusters"] == [
        {
            "name": "",
            "cluster": {"certificate-authority-data": base64.b64encode(ca).decode(), "server": "https://h:1"},
        }
    ]
    assert found["users"] == []


def test_a_pod_shows_its_own_token() -> None:
    found = yaml.safe_load(kubeconfig.in_pod("https://h:1"))
    assert found["users"][0]["user"] == {"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}
    assert found["clusters"][0]["cluster"]["server"] == "https://h:1"


# --- other people's


def theirs(cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> bytes:
    said = {"server": "https://h:1/", "certificate-authority-data": "Q0E="}
    return yaml.safe_dump(
        {
            "clusters": [{"name": "c", "cluster": {**said, **(cluster or {})}}],
            "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
            "current-context": "x",
        }
    ).encode()


def test_of_anybodys_kubeconfig_a_token_or_a_certificate_is_taken() -> None:
    by_token = kubeconfig.access(theirs(cluster={"tls-server-name": "name", "insecure-skip-tls-verify": False}))
    assert (by_token.server, by_token.ca, by_token.client, by_token.token) == ("https://h:1", b"CA", None, "t")
    assert by_token.tls_server_name == "name"
    assert kubeconfig.access(WHOLE.render()).client == WHOLE.client
    assert kubeconfig.access(theirs(cluster={"certificate-authority-data": ""})).ca is None


SECRET = "hunter2"


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({}, {"exec": {"command": SECRET}}, "it has exec"),
        ({}, {"auth-provider": {"name": "gcp"}, "token": SECRET}, "it has auth-provider"),
        ({}, {"tokenFile": "/etc/passwd"}, "it has tokenFile"),
        ({}, {"token": SECRET, "as": "admin"}, "it has as"),
        ({}, {"username": "u", "password": SECRET}, "it has password, username"),
        ({"certificate-authority": "/etc/ca"}, {"token": SECRET}, "it has certificate-authority:"),
        ({"proxy-url": "http://p"}, {"token": SECRET}, "it has proxy-url"),
        ({"insecure-skip-tls-verify": True}, {"token": SECRET}, "it has insecure-skip-tls-verify"),
        ({"server": "http://h"}, {"token": SECRET}, "its server is no https:// address"),
        ({}, {}, "neither a token nor a client certificate"),
        ({}, {"client-certificate-data": "Qw=="}, "its user has neither"),
        ({"server": ["x"]}, None, "no kubeconfig"),
        ({}, {"client-certificate-data": "not base64!", "client-key-data": SECRET}, "no kubeconfig"),
    ],
)
def test_what_would_be_run_or_read_from_a_file_is_refused_by_name(
    cluster: dict[str, Any], user: dict[str, Any] | None, words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        kubeconfig.access(theirs(cluster, user))
    assert SECRET not in str(caught.value)


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_whatever_a_secret_holds_is_told_and_breaks_nothing(content: bytes) -> None:
    with pytest.raises(ValueError, match="no kubeconfig"):
        kubeconfig.access(content)
